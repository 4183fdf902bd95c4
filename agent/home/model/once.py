"""What was asked for once, and how much of it has come. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OnceTaken:
    """`asked_at_kwh` is what the meter showed when it was asked: it names the asking."""

    asked_at_kwh: float
    kwh: float = 0.0
