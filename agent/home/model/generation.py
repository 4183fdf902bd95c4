"""What an inverter gives, and whether its limit holds it down. Pure."""

from dataclasses import dataclass
from datetime import datetime

from agent.home.model.drawn_power import REPORTS_WITHIN

# One that gives so much of its limit is held down by it.
AT_LIMIT_SHARE = 0.9


@dataclass(slots=True)
class Generation:
    """`latest` is what it told last that it gives (W), and when."""

    latest: tuple[float, datetime] | None = None

    def given(self, now: datetime) -> tuple[float, datetime] | None:
        """What it told lately that it gives, and since when."""
        latest = self.latest
        return latest if latest is not None and now - latest[1] <= REPORTS_WITHIN else None

    def is_limited(self, limit_w: float | None, now: datetime) -> bool:
        """Does it give as much as it may, so that nobody knows what it could?"""
        given = self.given(now)
        if limit_w is None:
            return False
        return given is None or given[0] >= AT_LIMIT_SHARE * limit_w
