"""Whether what a counter of energy says can be, and whether it stands still. Pure.

The rule is that of the wire contract's section 1a: more than full power could have brought is not
believed. Counters come in steps of 1 Wh to 1 kWh, flicker in their last digit, and some freeze, so
a value is judged by what may have been taken since the counter moved, not since it was told.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# More than full power by this is rounding, not a value that cannot be.
SLACK_SHARE = 1.1
SLACK_KWH = 0.2
# The largest step in which a counter is known to count.
STEP_KWH = 1.0
# A fall by less is a flicker, or a slip that is taken back; by more the counter began anew.
FLICKER_KWH = 0.5
# So near to 0 it has begun anew, where it stood higher than this before.
ZERO_KWH, ABOVE_ZERO_KWH = 0.05, 0.25
# Less than this share of what it should have counted is no movement.
NOTHING_SHARE = 0.05
# A counter that moves in steps of 1 kWh has moved by then.
MOVES_WITHIN_KWH = 1.5
MOVES_WITHIN = timedelta(minutes=10)


class Verdict(StrEnum):
    COUNTS = "counts"
    BEGAN_ANEW = "began anew"
    CANNOT_BE = "cannot be"


@dataclass(slots=True)
class CounterWatch:
    """One counter: `kwh` as it was believed last, `at` then; it has not grown since `moved_at`.

    What may have been taken since it moved, what the device was asked to take, and what its own
    power says that it took while it was asked: `may_kwh`, `asked_kwh`, `by_power_kwh`. `is_whole`:
    it has shown no part of a kWh yet.
    """

    kwh: float
    at: datetime
    moved_at: datetime
    may_kwh: float = 0.0
    asked_kwh: float = 0.0
    by_power_kwh: float = 0.0
    is_whole: bool = True
    _top_kwh: float = 0.0
    _room_kwh: float = SLACK_KWH
    _grown_kwh: float = 0.0
    _doubted: tuple[float, datetime] | None = None

    @classmethod
    def begin(cls, kwh: float, at: datetime) -> "CounterWatch":
        return cls(kwh, at, at, is_whole=kwh == round(kwh), _top_kwh=kwh)

    def judge(self, kwh: float, at: datetime, full_w: float) -> Verdict:
        """What a value is, told at `at`, not before the one before it.

        It is taken in where it counts; where the counter began anew a fresh watch is due.
        """
        grown, full_kwh = kwh - self.kwh, self._full_kwh(self.at, at, full_w)
        standing_kwh = self._full_kwh(self.moved_at, at, full_w)
        most_kwh = max(full_kwh, self.may_kwh, min(STEP_KWH, standing_kwh))
        room = min(self._room_kwh + SLACK_SHARE * full_kwh, SLACK_SHARE * most_kwh + SLACK_KWH)
        if grown < 0 and self._is_anew(kwh):
            return Verdict.BEGAN_ANEW
        if grown > room:
            return self._doubt(kwh, at, full_w)
        self._doubted = None
        self._room_kwh = room - grown
        if grown > 0:
            self._grown_kwh = grown
            self.is_whole = self.is_whole and kwh == round(kwh)
        self.kwh, self.at = kwh, at
        if kwh > self._top_kwh + NOTHING_SHARE * max(self.asked_kwh, self.by_power_kwh):
            self._top_kwh = kwh
            self._moves(at)
        return Verdict.COUNTS

    @property
    def unseen_kwh(self) -> float:
        """What may have been taken that it does not show yet, where it counts whole kWh."""
        return STEP_KWH if self.is_whole and self.asked_kwh < MOVES_WITHIN_KWH else 0.0

    def could_be_wh(self, kwh: float, full_w: float, at: datetime) -> bool:
        """Would a value that cannot be be right in Wh?"""
        grown = (kwh - self.kwh) / 1000
        most_kwh = max(self.may_kwh, self._full_kwh(self.moved_at, at, full_w))
        least_kwh = NOTHING_SHARE * self.may_kwh
        return grown > 0 and least_kwh <= grown <= SLACK_SHARE * most_kwh + SLACK_KWH

    def stands(self, kwh: float, now: datetime) -> bool:
        """Has it not grown while, by another measure, `kwh` should have gone through it?"""
        return kwh >= MOVES_WITHIN_KWH and now - self.moved_at >= MOVES_WITHIN

    def _moves(self, at: datetime) -> None:
        self.moved_at = at
        self.may_kwh = self.asked_kwh = self.by_power_kwh = 0.0

    def _is_anew(self, kwh: float) -> bool:
        fell = self.kwh - kwh
        if kwh <= ZERO_KWH and self.kwh > ABOVE_ZERO_KWH:
            return True
        return fell > max(FLICKER_KWH, min(self._grown_kwh, STEP_KWH + SLACK_KWH))

    def _doubt(self, kwh: float, at: datetime, full_w: float) -> Verdict:
        """A slip, or a counter of something else that goes on from there."""
        before, self._doubted = self._doubted, (kwh, at)
        # Whatever it counts, it does not stand still.
        self.moved_at, self.asked_kwh, self.by_power_kwh = at, 0.0, 0.0
        if before is not None and at > before[1]:
            grown = kwh - before[0]
            full_kwh = self._full_kwh(before[1], at, full_w)
            if 0 <= grown <= SLACK_SHARE * full_kwh + SLACK_KWH:
                return Verdict.BEGAN_ANEW
        return Verdict.CANNOT_BE

    @staticmethod
    def _full_kwh(start: datetime, end: datetime, full_w: float) -> float:
        return full_w * (end - start).total_seconds() / 3_600_000
