"""A stay of a car or a run of a program. Pure."""

from dataclasses import dataclass
from datetime import datetime

from agent.home.model.soc import SocEstimate


@dataclass(slots=True)
class Session:
    """A stay of a car or a run of a program: since when, when its need was last met.

    `heard_at` is when a stay was first heard of that had begun long before: deadlines count from
    then. `started_at` is when a program was told to run, `confirmed` whether it said that it does;
    `deviated_at` is when it was last told to people that it does something else than told.
    """

    since: datetime | None = None
    heard_at: datetime | None = None
    satisfied_at: datetime | None = None
    opted_out_at: datetime | None = None
    started_at: datetime | None = None
    deviated_at: datetime | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Stay:
    """What was known of a stay when it ended."""

    session: Session
    soc: SocEstimate
    taken_kwh: float
