"""A state of charge: what a car or a battery told, carried on by the energy since then. Pure.

The rules are those of the wire contract's section 1a ("SoC"): one from before this plug-in is not
this stay's; one that moves faster than twice the power allows must stand for ten minutes first.
What a gauge shows is coarse, late, noisy or stuck, so the energy taken carries the estimate, and
what is told draws it to itself: at once where it is clearly another, else little by little.
A gauge that stands still while the car takes a good part of its battery is stuck, also over the
next stays: it is believed again when it moves. So is, within the stay, one that showed something
else than a person stated.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# As good as full: what it takes from here on may be nothing.
FULL_PERCENT = 99.0
STANDS_FOR = timedelta(minutes=10)
FASTER_THAN_POWER = 2.0
ROUNDING_PERCENT = 1.5
# Meters and efficiencies are not exact: this share of what was delivered is certainly inside.
CERTAINLY_INSIDE = 0.85
# Less than this is noise of the gauge or drift of the efficiency: followed within half an hour.
NOISE_PERCENT = 2.5
DRAWN_WITHIN = timedelta(minutes=30)
# A gauge in steps of ten stands still for so long while the car charges; a longer one is stuck.
STEP_PERCENT = 15.0
# One at full has no step to come: what a car takes there in one go is not inside.
FULL_STEP_PERCENT = 10.0
STUCK_AFTER = timedelta(minutes=30)
# A gauge that shows no more than this while a good part of the battery flows tells a share of 1.
SHARE_AT_MOST = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """A value as told, when it was first told so and last."""

    percent: float
    since: datetime
    at: datetime


@dataclass(slots=True)
class SocEstimate:
    """`anchor` is what is believed to have held where the meter's total was `anchor_total_kwh`;

    `shown` is what the gauge showed last, since the meter's total was `shown_total_kwh` and again
    when it was `repeated_total_kwh`; `stuck_at` is where it stood still while the car charged,
    `overruled_at` what it showed when a person stated something else. `low_kwh` is what has flowed
    while it showed more than 0 and no more than 1, `low_since_kwh` the meter's total at the first.
    `discharge_efficiency` is of a battery that gives back too, None where energy only goes in.
    """

    battery_kwh: float | None
    efficiency: float
    max_power_w: float
    discharge_efficiency: float | None = None
    anchor: Told | None = None
    anchor_total_kwh: float = 0.0
    doubted: Told | None = None
    doubted_total_kwh: float = 0.0
    shown: Told | None = None
    shown_total_kwh: float = 0.0
    repeated_total_kwh: float = 0.0
    stuck_at: float | None = None
    overruled_at: float | None = None
    low_since_kwh: float | None = None
    low_kwh: float = 0.0

    def begin_session(self) -> None:
        self.anchor = self.doubted = self.shown = self.overruled_at = None
        self._note_low(100.0, 0.0)

    def percent(self, total_kwh: float, session_kwh: float) -> float | None:
        """What the car holds by now; None where it told nothing believable in this stay."""
        if self.anchor is None:
            return None
        carried = self.anchor.percent + self._gain(total_kwh - self.anchor_total_kwh)
        if self.discharge_efficiency is not None:
            return min(100.0, max(0.0, carried))
        # A sensor stuck at 0 must not charge the car for ever.
        inside = CERTAINLY_INSIDE * self._gain(session_kwh)
        return min(100.0, max(0.0, carried, inside))

    def report(
        self,
        percent: float,
        at: datetime,
        total_kwh: float,
        session_kwh: float,
        now: datetime,
        *,
        measured: bool = False,
    ) -> bool:
        """Take a value in that belongs to this stay; whether it is believed.

        `measured`: the energy is what the device told, not what it was told to take.
        """
        self._note_low(percent, total_kwh)
        if percent in (self.stuck_at, self.overruled_at):
            return False
        # What a person stated is no longer what the gauge has to have risen from.
        overruled = self.overruled_at is not None
        self.stuck_at = self.overruled_at = None
        believed = self.percent(total_kwh, session_kwh)
        if self.anchor is None or believed is None:
            self._show(percent, at, total_kwh)
            self._believe(percent, at, total_kwh)
            return True
        if at < self.anchor.at:
            return False
        before, shown_at = self.shown or self.anchor, (self.shown or self.anchor).at
        self._show(percent, at, total_kwh)
        if percent == before.percent and self.doubted is None:
            # Nothing new: a gauge that stands still does not say that nothing arrived.
            return True
        one_way = self.discharge_efficiency is None
        rises = percent >= before.percent and self.doubted is None
        if measured and one_way and rises and not overruled:
            # It rises, but shows less than what has certainly arrived: it is late.
            gained = CERTAINLY_INSIDE * self._gain(total_kwh - self.anchor_total_kwh)
            percent = min(100.0, max(percent, self.anchor.percent + gained))
        off = percent - believed
        if abs(off) <= NOISE_PERCENT:
            share = min(1.0, max(0.0, (at - self.anchor.at) / DRAWN_WITHIN))
            self._believe(believed + share * off, at, total_kwh)
            return True
        if abs(off) <= self._possible(shown_at, at):
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

    def look(self, total_kwh: float, now: datetime, *, charges: bool) -> None:
        """See whether the gauge stands still while the car takes a good part of its battery."""
        shown = self.shown
        if shown is None or self.stuck_at is not None:
            return
        full = shown.percent >= 100 - ROUNDING_PERCENT
        if full and (self.discharge_efficiency is not None or not charges):
            # What a full one takes now and then, such as to heat a car, is no sign of that.
            self.shown, self.shown_total_kwh = Told(shown.percent, now, now), total_kwh
            return
        # One that told it once only has not said that it stands still.
        gained = self._gain(self.repeated_total_kwh - self.shown_total_kwh)
        most = FULL_STEP_PERCENT if full else STEP_PERCENT
        if gained > most and shown.at - shown.since > STUCK_AFTER:
            self.stuck_at = shown.percent
            if full:
                # Nothing is known of what is inside; below it was true once, and carries on.
                self.anchor = self.doubted = None

    def state(self, percent: float, at: datetime, total_kwh: float) -> None:
        """A person who can read the car has said so.

        A gauge that shows something else meanwhile has to move before it counts again.
        """
        shown = self.shown
        told = self.overruled_at if shown is None else shown.percent
        self.overruled_at = (
            told if told is not None and abs(told - percent) > NOISE_PERCENT else None
        )
        self._believe(percent, at, total_kwh)

    @property
    def seems_a_share(self) -> bool:
        """Has it shown 1 or less, told anew, while far more than that has flowed?"""
        return CERTAINLY_INSIDE * abs(self._gain(self.low_kwh)) > STEP_PERCENT

    def settle(self, now: datetime) -> bool:
        """Believe a doubted value that has stood long enough; whether that happened."""
        if self.doubted is None or now - self.doubted.since < STANDS_FOR:
            return False
        self._believe(self.doubted.percent, self.doubted.at, self.doubted_total_kwh)
        return True

    def _note_low(self, percent: float, total_kwh: float) -> None:
        if percent > SHARE_AT_MOST:
            self.low_since_kwh, self.low_kwh = None, 0.0
        elif percent > 0:
            if self.low_since_kwh is None:
                self.low_since_kwh = total_kwh
            self.low_kwh = total_kwh - self.low_since_kwh

    def _show(self, percent: float, at: datetime, total_kwh: float) -> None:
        if self.shown is not None and self.shown.percent == percent:
            self.shown = replace(self.shown, at=at)
        else:
            self.shown, self.shown_total_kwh = Told(percent, at, at), total_kwh
        self.repeated_total_kwh = total_kwh

    def _believe(self, percent: float, at: datetime, total_kwh: float) -> None:
        self.anchor, self.anchor_total_kwh, self.doubted = Told(percent, at, at), total_kwh, None

    def _gain(self, kwh: float) -> float:
        if not self.battery_kwh:
            return 0.0
        if kwh < 0 and self.discharge_efficiency:
            return kwh / self.discharge_efficiency / self.battery_kwh * 100
        return kwh * self.efficiency / self.battery_kwh * 100

    def _possible(self, start: datetime, end: datetime) -> float:
        hours = (end - start).total_seconds() / 3600
        return ROUNDING_PERCENT + FASTER_THAN_POWER * self._gain(self.max_power_w / 1000 * hours)
