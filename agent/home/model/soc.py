"""A car's state of charge: what it told, carried on by the energy it took. Pure.

The rules are those of the wire contract's section 1a ("SoC"): one from before this plug-in is not
this stay's; one that moves faster than twice the power allows must stand for ten minutes first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

STANDS_FOR = timedelta(minutes=10)
FASTER_THAN_POWER = 2.0
ROUNDING_PERCENT = 1.5
# Meters and efficiencies are not exact: this share of what was delivered is certainly inside.
CERTAINLY_INSIDE = 0.85


@dataclass(frozen=True, slots=True)
class Told:
    """A value as told, when it was first told so and last."""

    percent: float
    since: datetime
    at: datetime


@dataclass(slots=True)
class SocEstimate:
    """`anchor_total_kwh` is the meter's total where `anchor` held."""

    battery_kwh: float | None
    efficiency: float
    max_power_w: float
    anchor: Told | None = None
    anchor_total_kwh: float = 0.0
    doubted: Told | None = None
    doubted_total_kwh: float = 0.0

    def begin_session(self) -> None:
        self.anchor = self.doubted = None

    def percent(self, total_kwh: float, session_kwh: float) -> float | None:
        """What the car holds by now; None where it told nothing believable in this stay."""
        if self.anchor is None:
            return None
        carried = self.anchor.percent + self._gain(total_kwh - self.anchor_total_kwh)
        # A sensor stuck at 0 must not charge the car for ever.
        inside = CERTAINLY_INSIDE * self._gain(session_kwh)
        return min(100.0, max(0.0, carried, inside))

    def report(
        self, percent: float, at: datetime, total_kwh: float, session_kwh: float, now: datetime
    ) -> bool:
        """Take a value in that belongs to this stay; whether it is believed."""
        believed = self.percent(total_kwh, session_kwh)
        if self.anchor is None or believed is None:
            self._believe(percent, at, total_kwh)
            return True
        if at < self.anchor.at:
            return False
        if abs(percent - believed) <= self._possible(self.anchor.at, at):
            self._believe(percent, at, total_kwh)
            return True
        first = self.doubted
        moves_on = first is not None and (
            abs(percent - first.percent - self._gain(total_kwh - self.doubted_total_kwh))
            <= self._possible(first.at, at)
        )
        since = first.since if first is not None and moves_on else at
        self.doubted, self.doubted_total_kwh = Told(percent, since, at), total_kwh
        return self.settle(now)

    def state(self, percent: float, at: datetime, total_kwh: float) -> None:
        """A person who can read the car has said so."""
        self._believe(percent, at, total_kwh)

    def settle(self, now: datetime) -> bool:
        """Believe a doubted value that has stood long enough; whether that happened."""
        if self.doubted is None or now - self.doubted.since < STANDS_FOR:
            return False
        self._believe(self.doubted.percent, self.doubted.at, self.doubted_total_kwh)
        return True

    def _believe(self, percent: float, at: datetime, total_kwh: float) -> None:
        self.anchor, self.anchor_total_kwh, self.doubted = Told(percent, at, at), total_kwh, None

    def _gain(self, kwh: float) -> float:
        if not self.battery_kwh:
            return 0.0
        return kwh * self.efficiency / self.battery_kwh * 100

    def _possible(self, start: datetime, end: datetime) -> float:
        hours = (end - start).total_seconds() / 3600
        return ROUNDING_PERCENT + FASTER_THAN_POWER * self._gain(self.max_power_w / 1000 * hours)
