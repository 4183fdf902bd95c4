"""A run that nobody had asked for, over the time in which no agent listened. Pure.

What the device was told says nothing of it, and what an earlier life counted may be older than its
end. Such a run is taken to have gone on where the device says, once it is heard, that it runs.
"""

from dataclasses import dataclass
from datetime import datetime

from agent.home.model.commanded import CommandedSpan
from agent.home.model.drawn_power import REPORTS_WITHIN
from agent.home.model.own_switching import LONGEST_RUN


@dataclass(slots=True)
class UnheardRun:
    """It took `power_w`, W, when the earlier life last counted: `counted_to`.

    `total_kwh`: what the meter showed then. Until `told_until` its last word counts.
    `listens_since`: when this life began to listen, and `told` what it held until then.
    """

    power_w: float
    counted_to: datetime
    total_kwh: float
    told_until: datetime
    listens_since: datetime | None = None
    told: tuple[CommandedSpan, ...] = ()

    def is_awaited(self, now: datetime) -> bool:
        """Is it to be heard before anything is taken to have ended it?"""
        since = self.listens_since
        return since is None or now - since < REPORTS_WITHIN

    def is_named_by(self, at: datetime) -> bool:
        """Does what is true at `at` say anything of the time that nobody heard?"""
        return at > self.counted_to

    def goes_on(self, at: datetime, now: datetime, *, on: bool) -> bool:
        """Is one that is on then, or off, still that run?"""
        late = now - at > REPORTS_WITHIN or at - self.counted_to >= LONGEST_RUN
        return on and not late and not self._was_told_to_begin_anew(at)

    def _was_told_to_begin_anew(self, at: datetime) -> bool:
        """Was what it is told to do then begun after something else had ended?"""
        spans = [span for span in self.told if span.power_w > 0]
        ended = any(self.counted_to < span.end <= at for span in spans)
        return ended and any(self.counted_to < span.start <= at < span.end for span in spans)
