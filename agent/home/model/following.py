"""Does a device take what it was told, less, or nothing? Pure.

The rules are those of the wire contract's section 1a ("other than told"). Only what the device
itself tells counts here: one that tells no power is taken to do what it was told.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

LASTS = timedelta(minutes=10)
TRIED_AGAIN_AFTER = timedelta(minutes=30)
NOTHING_SHARE = 0.05
LESS_SHARE = 0.93
# Near full a car takes less and less: that says nothing of what it can take.
TAPER_FROM_PERCENT = 85.0


@dataclass(slots=True)
class Following:
    """`learned_power_w` is what the device takes where that is less than its most, else None.

    `not_following_since` begins where it was first seen to take nothing; `retry_at` is when its
    plan may move again.
    """

    max_power_w: float
    learns: bool
    learned_power_w: float | None = None
    not_following_since: datetime | None = None
    retry_at: datetime | None = None
    _nothing_since: datetime | None = None
    _less_since: datetime | None = None
    _most_taken_w: float = 0.0

    def observe(
        self,
        asked_w: float,
        taken_w: float | None,
        soc_percent: float | None,
        now: datetime,
    ) -> None:
        """`asked_w` is asked now, `taken_w` told lately (None: it does not tell)."""
        if taken_w is None or asked_w <= 0:
            self._nothing_since = self._less_since = None
            if taken_w is None or taken_w > NOTHING_SHARE * self.max_power_w:
                self.not_following_since = self.retry_at = None
            return
        if taken_w < NOTHING_SHARE * asked_w:
            self._takes_nothing(now)
            return
        self._nothing_since = self.not_following_since = self.retry_at = None
        if self.learns and (soc_percent is None or soc_percent < TAPER_FROM_PERCENT):
            self._learn(asked_w, taken_w, now)

    def begin_session(self, *, probe: bool) -> None:
        """Another car perhaps: what was learned holds until it is seen to take more.

        `probe`: it is never told more than it is planned with, so it is given a little more once.
        """
        self.not_following_since = self.retry_at = self._nothing_since = self._less_since = None
        if probe and self.learned_power_w is not None:
            self._set(self.learned_power_w * 1.1)

    def try_again(self, at: datetime) -> None:
        """The next slot begins at `at`: by then it is tried again."""
        if self.retry_at is not None:
            self.retry_at = min(self.retry_at, at)

    def holds_still(self, now: datetime) -> bool:
        """Is its plan not to be moved for now?"""
        return self.retry_at is not None and now < self.retry_at

    def _takes_nothing(self, now: datetime) -> None:
        self._less_since = None
        self._nothing_since = self._nothing_since or now
        if now - self._nothing_since < LASTS:
            return
        if self.not_following_since is None:
            self.not_following_since = self._nothing_since
        if self.retry_at is None or now >= self.retry_at:
            self.retry_at = now + TRIED_AGAIN_AFTER

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
