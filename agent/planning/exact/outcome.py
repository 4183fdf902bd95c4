"""What the exact engine found for one device."""

from dataclasses import dataclass

from agent.planning.exact.objectives import ServedSpan


@dataclass(frozen=True, slots=True)
class Outcome:
    """`proved`: no plan is better in any aim, ties included; `bound` of the objective else.

    `aims_proved`: no plan is better in an aim before money.
    """

    spans: list[ServedSpan]
    bound: int | None = None
    proved: bool = False
    aims_proved: bool = False
