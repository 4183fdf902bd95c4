"""When the next plan is due: soon after a change, else every few minutes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

CYCLE_PERIOD = timedelta(minutes=5)
# One device causes at most one new plan in this time; what a person asks does not wait.
PLAN_EVERY = timedelta(seconds=5)


@dataclass(slots=True)
class PlanTiming:
    """`next_at` None: there has been none, so it is due."""

    next_at: datetime | None = None
    _caused_at: dict[str, datetime] = field(default_factory=dict)

    def due_after(self, who: str, now: datetime) -> datetime:
        """When whoever has caused a plan may cause the next; that counts as caused."""
        last = self._caused_at.get(who)
        waits = last is not None and last <= now < last + PLAN_EVERY
        if last is not None and last > now:
            return last if last - now <= PLAN_EVERY else now
        due = last + PLAN_EVERY if last is not None and waits else now
        self._caused_at[who] = due
        return due

    def bring_forward(self, when: datetime) -> None:
        """The next is due by then."""
        if self.next_at is None or when < self.next_at:
            self.next_at = when

    def begin(self, now: datetime, moments: Iterable[datetime]) -> None:
        """One is made now; the next is due with the first of these that lie ahead."""
        self.next_at = min([now + CYCLE_PERIOD, *(when for when in moments if when > now)])

    def is_due(self, now: datetime) -> bool:
        return self.next_at is None or now >= self.next_at
