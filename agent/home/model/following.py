"""Does a device do what it was told, or something else? Pure.

The rules are those of the wire contract's section 1a ("other than told"). Only what the device
itself tells counts here: one that tells no power is taken to do what it was told.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from agent.energy.schedule import NOTHING_SHARE

LASTS = timedelta(minutes=10)
TRIED_AGAIN_AFTER = timedelta(minutes=30)
# Half an hour, an hour, two, four, eight: what does not follow all night is not asked all night.
LONGEST_DOUBLING = 4
# Less than this may be a standby that no schedule ends.
UNASKED_SHARE = 0.2
LESS_SHARE = 0.93
# What has shown no effect since it was asked may not have arrived.
ASKED_AGAIN_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
)
# One that goes back to nobody's choice as often as this is sent back by somebody.
FORGETS_AT_MOST, FORGETS_WITHIN = 3, timedelta(hours=1)
# What an inverter gives above its limit is less than this where it keeps it.
ABOVE_LIMIT_SHARE, ABOVE_LIMIT_W = 0.05, 100.0
# Near full a car takes less and less: that says nothing of what it can take.
TAPER_FROM_PERCENT = 85.0


class Deviation(StrEnum):
    """What it does other than told, as health says it."""

    TAKES_NOTHING = "takes nothing though it is told to run"
    TAKES_UNASKED = "takes power though it is told not to"
    GIVES_TOO_MUCH = "gives more than its limit allows"


@dataclass(slots=True)
class Retries:
    """When what failed is tried again: after half an hour, then each time twice as late."""

    retry_at: datetime | None = None
    _count: int = 0

    def failed(self, now: datetime) -> None:
        if self.retry_at is None or now >= self.retry_at:
            self.retry_at = now + TRIED_AGAIN_AFTER * 2 ** min(self._count, LONGEST_DOUBLING)
            self._count += 1

    def succeeded(self) -> None:
        self.retry_at, self._count = None, 0

    def waits(self, now: datetime) -> bool:
        return self.retry_at is not None and now < self.retry_at


@dataclass(slots=True)
class Following:
    """`learned_power_w` is what the device takes where that is less than its most, else None.

    `deviation` since `not_following_since`, where it was first seen; it stands until the device is
    seen to follow, not until it falls silent. `retries` and `refusals` say when its plan may move.
    """

    max_power_w: float
    learns: bool
    learned_power_w: float | None = None
    deviation: Deviation | None = None
    not_following_since: datetime | None = None
    retries: Retries = field(default_factory=Retries)
    refusals: Retries = field(default_factory=Retries)
    asked_since: datetime | None = None
    _seen: Deviation | None = None
    _seen_since: datetime | None = None
    _asked: bool = False
    _obeyed: bool = False
    _asked_again: int = 0
    _forgot_at: list[datetime] = field(default_factory=list)
    _less_since: datetime | None = None
    _most_taken_w: float = 0.0

    def observe(
        self,
        asked_w: float | None,
        taken_w: float | None,
        soc_percent: float | None,
        now: datetime,
        *,
        told_at: datetime | None = None,
        measured: bool = True,
    ) -> None:
        """Compare what is asked with what is taken.

        `asked_w` is asked now (None: its own logic decides), `taken_w` was told lately, at
        `told_at` (None: it does not tell). Not `measured`: only that it takes something is known.
        """
        asked = bool(asked_w and asked_w > 0)
        if asked != self._asked or self.asked_since is None:
            self._asked, self.asked_since = asked, now
            self._obeyed, self._asked_again = False, 0
        if taken_w is None:
            self._seen = self._less_since = None
            if self.deviation is not None:
                self.retries.failed(now)
            return
        seen = self._judge(asked_w, taken_w)
        if seen is not self._seen:
            self._seen, self._seen_since = seen, max(told_at or now, self.asked_since)
        if seen is None:
            self._obeyed = self._obeyed or (told_at or now) > self.asked_since
            self._follows(asked_w, taken_w, soc_percent, now, measured=measured)
            return
        self._less_since = None
        if self._seen_since is not None and now - self._seen_since >= LASTS:
            if self.deviation is not seen:
                self.deviation, self.not_following_since = seen, self._seen_since
            self.retries.failed(now)

    def observe_limit(
        self, limit_w: float | None, given: tuple[float, datetime] | None, now: datetime
    ) -> None:
        """Of one that gives: the most it may give now (None: all), and what it told lately."""
        if limit_w is None or given is None:
            self._seen = None
            if self.deviation is not None:
                self.retries.failed(now)
            return
        given_w, told_at = given
        most_w = limit_w + max(ABOVE_LIMIT_W, ABOVE_LIMIT_SHARE * self.max_power_w)
        if given_w <= most_w:
            self._seen = None
            self._clear()
            return
        if self._seen is None:
            self._seen, self._seen_since = Deviation.GIVES_TOO_MUCH, told_at
        if self._seen_since is not None and now - self._seen_since >= LASTS:
            if self.deviation is None:
                self.deviation, self.not_following_since = self._seen, self._seen_since
            self.retries.failed(now)

    def _judge(self, asked_w: float | None, taken_w: float) -> Deviation | None:
        if asked_w is None:
            return None
        if asked_w > 0:
            return Deviation.TAKES_NOTHING if taken_w < NOTHING_SHARE * asked_w else None
        unasked = taken_w > UNASKED_SHARE * self.max_power_w
        return Deviation.TAKES_UNASKED if unasked else None

    def _follows(
        self,
        asked_w: float | None,
        taken_w: float,
        soc_percent: float | None,
        now: datetime,
        *,
        measured: bool,
    ) -> None:
        takes = taken_w > NOTHING_SHARE * self.max_power_w
        # One that takes nothing while nothing is asked has not shown that it would.
        if self.deviation is not Deviation.TAKES_NOTHING or asked_w or takes:
            self._clear()
        if not asked_w:
            self._less_since = None
        elif measured and self.learns and (soc_percent is None or soc_percent < TAPER_FROM_PERCENT):
            self._learn(asked_w, taken_w, now)

    def begin_session(self, *, probe: bool) -> None:
        """Another car perhaps: what was learned holds until it is seen to take more.

        `probe`: it is never told more than it is planned with, so it is given a little more once.
        """
        self._clear()
        self._seen = self._less_since = None
        if probe and self.learned_power_w is not None:
            self._set(self.learned_power_w * 1.1)

    def try_again(self, at: datetime) -> None:
        """The next slot begins at `at`: by then it is tried again."""
        if self.retries.retry_at is not None:
            self.retries.retry_at = min(self.retries.retry_at, at)

    def asked_in_vain(self, now: datetime) -> bool:
        """True each time that it is to be asked again, for it may not have heard.

        One that did as asked and then something else has heard: a person, or its own logic.
        """
        if self._seen is None or self._obeyed or self.asked_since is None:
            return False
        due = _times_due(now - self.asked_since)
        if due <= self._asked_again:
            return False
        self._asked_again = due
        return True

    def forgets(self, now: datetime) -> bool:
        """It has gone back to a state that nobody chooses. True where it is to be told again."""
        self._forgot_at = [when for when in self._forgot_at if now - when < FORGETS_WITHIN]
        if len(self._forgot_at) >= FORGETS_AT_MOST:
            return False
        self._forgot_at.append(now)
        # As if it had never heard what it is asked.
        self._obeyed, self.asked_since, self._asked_again = False, now, 0
        return True

    def refuses(self, now: datetime) -> None:
        """It did not take what it was told: what it holds stands a while."""
        self.refusals.failed(now)

    def accepts(self) -> None:
        self.refusals.succeeded()

    def holds_still(self, now: datetime) -> bool:
        """Is its plan not to be moved for now?"""
        return self.retries.waits(now) or self.refusals.waits(now)

    def _clear(self) -> None:
        self.deviation = self.not_following_since = None
        self.retries.succeeded()

    def _learn(self, asked_w: float, taken_w: float, now: datetime) -> None:
        known = self.learned_power_w
        if known is not None and taken_w > known:
            self._set(taken_w)
        if taken_w >= LESS_SHARE * asked_w:
            self._less_since = None
            return
        if self._less_since is None:
            self._less_since, self._most_taken_w = now, taken_w
        self._most_taken_w = max(self._most_taken_w, taken_w)
        if now - self._less_since >= LASTS:
            self._set(self._most_taken_w)

    def _set(self, power_w: float) -> None:
        self.learned_power_w = None if power_w >= LESS_SHARE * self.max_power_w else power_w


def _times_due(elapsed: timedelta) -> int:
    """How often what has shown no effect for so long is to have been asked again."""
    last = ASKED_AGAIN_AFTER[-1]
    return sum(elapsed >= after for after in ASKED_AGAIN_AFTER) + max(0, (elapsed - last) // last)
