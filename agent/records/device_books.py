"""What the bookkeeper holds of one device in memory, and what of it is not on the disk yet."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from agent.records.day_book import DayBook
from agent.records.demand_session import DemandSession
from agent.records.sums import MILLION

BookKey = tuple[int, str]
# Less than this unsaved is not worth a write of its own.
WORTH_SAVING = MILLION // 100


@dataclass(slots=True)
class DeviceBooks:
    """`round_trip` as in DayBook. `last` is the session that ended last.

    `sessions` are open, by their key. `unsaved` counts the changes of each day (by `BookKey`) and
    session (by its row, like `ended`) since it was written; `frozen` names the sessions that have
    frozen something which is not written. `forget_unnamed`: rows without a currency are to be
    deleted.
    """

    device: str
    round_trip: Decimal | None = None
    books: dict[BookKey, DayBook] = field(default_factory=dict)
    sessions: dict[str, DemandSession] = field(default_factory=dict)
    last: DemandSession | None = None
    ended: dict[str, DemandSession] = field(default_factory=dict)
    awaiting_plan: set[str] = field(default_factory=set)
    unsaved: dict[BookKey | str, int] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    unsaved_energy: int = 0
    forget_unnamed: bool = False
    _carry_kwh: float = 0.0

    def rounded(self, energy_kwh: float) -> int:
        """Millionths; what is rounded off comes with the next."""
        exact = energy_kwh + self._carry_kwh
        amount = round(exact * MILLION)
        self._carry_kwh = exact - amount / MILLION
        return amount

    def touch(self, what: BookKey | str) -> None:
        self.unsaved[what] = self.unsaved.get(what, 0) + 1

    def worth_saving(self, today: int) -> bool:
        """Is there more than a little of this very day, or what a restart could not find again?"""
        other = any(not isinstance(key, str) and key[0] != today for key in self.unsaved)
        lost = other or self.forget_unnamed or bool(self.frozen)
        return lost or self.unsaved_energy >= WORTH_SAVING

    def unsaved_sessions(self) -> Iterator[DemandSession]:
        held = {session.row: session for session in self.sessions.values()} | self.ended
        yield from (held[key] for key in self.unsaved if isinstance(key, str) and key in held)

    def ended_as(self, key: str, currency: str) -> DemandSession | None:
        """The session of that key that ended in this life and is not let go."""
        found = (one for one in self.ended.values() if (one.key, one.currency) == (key, currency))
        return max(found, key=lambda one: one.since, default=None)

    def unsaved_books(self) -> Iterator[DayBook]:
        for key in self.unsaved:
            if not isinstance(key, str) and key in self.books:
                yield self.books[key]

    def saved(self, what: dict[BookKey | str, int], energy: int) -> None:
        """So much of it is on the disk."""
        for key, changes in what.items():
            if self.unsaved.get(key) == changes:
                del self.unsaved[key]
        self.frozen &= {key for key in self.unsaved if isinstance(key, str)}
        self.unsaved_energy = max(0, self.unsaved_energy - energy)
        for key in [key for key in self.ended if key not in self.unsaved]:
            del self.ended[key]

    def let_go(self, before: int) -> None:
        """Forget what is on the disk and over."""
        for key in [key for key in self.books if key[0] < before and key not in self.unsaved]:
            del self.books[key]
