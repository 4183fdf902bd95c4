"""What works on a store of heat from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What works on a store at an instant: °C around it, heat per W taken (by that), W drawn.

    `measured`: what is around it is known, not only usual.
    """

    outdoor_c: Callable[[datetime], float]
    heat_per_w: Callable[[float], float]
    drawn_w: Callable[[datetime], float]
    measured: bool = True
