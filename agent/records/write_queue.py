"""What waits to be written: beyond somebody's budget, or until the disk takes it again.

Of each thing the newest counts: what was put later replaces what waits.
"""

import asyncio
from collections.abc import Callable, Sequence

from agent.clock import Clock
from agent.health import Health
from agent.records.write_budget import MOST_OWED_BYTES, WriteBudget
from agent.store import Statement, Store

Answer = asyncio.Future[bool]
# Whose budget it is where a limit is written: no device's. Enough for one every two minutes.
GRID = "the grid"
GRID_BYTES_AN_HOUR, GRID_CAPACITY_BYTES = 360_000, 64_000
# Whether a disk that took nothing has room again.
TRIED_AGAIN_EVERY_S = 30.0
# Limits of the grid are a row each, and a disk may be full for weeks.
MOST_FAILED = 500
# Somebody's budget and what of theirs is written.
Key = tuple[str, str]


class WriteQueue:
    """`put` answers True once it has reached the disk, False where it has not yet.

    `on_late(whose, what)` hears that something reached it after it had been answered False.
    """

    def __init__(self, store: Store, health: Health, clock: Clock) -> None:
        self._store = store
        self._health = health
        self._clock = clock
        self.on_late: Callable[[str, str], None] = lambda whose, what: None
        self._budget = WriteBudget()
        self._grid_budget = WriteBudget(GRID_BYTES_AN_HOUR, GRID_CAPACITY_BYTES)
        self._put_off: dict[str, dict[str, tuple[Statement, ...]]] = {}
        self._failed: dict[Key, tuple[Statement, ...]] = {}
        self._number = 0
        self._newest: dict[Key, int] = {}
        self._retry: asyncio.TimerHandle | None = None

    def put(self, whose: str, what: str, *statements: Statement) -> Answer:
        """The newest of `what`: written now, or as soon as the budget allows.

        `whose` budget: a device's id, or one of those that no id can be.
        """
        self._replaces((whose, what))
        self._put_off.setdefault(whose, {})[what] = statements
        return self._write_put_off(whose)

    def put_first(self, whose: str, what: str, *statements: Statement) -> Answer:
        """As `put`, before what waits of theirs, and beyond the budget by what may be owed."""
        self._replaces((whose, what))
        waiting = self._put_off.setdefault(whose, {})
        waiting[what] = statements
        if not self._fits(whose, statements, MOST_OWED_BYTES):
            return self._put_off_answer()
        del waiting[what]
        if not waiting:
            del self._put_off[whose]
        return self._submit({(whose, what): statements})

    def submit(self, whose: str, what: str, *statements: Statement) -> Answer:
        """As `put`, whatever the budget."""
        self._replaces((whose, what))
        return self._submit({(whose, what): statements})

    def flush(self, *, everything: bool = False) -> None:
        """Write what waits, as far as the budgets allow; `everything` at the end of a life."""
        for whose in list(self._put_off):
            waiting = [(whose, what) for what in self._put_off[whose]]
            self._tell_when_late(waiting, self._write_put_off(whose, everything=everything))
        if everything:
            self._try_again()

    def _replaces(self, key: Key) -> None:
        self._number += 1
        self._newest[key] = self._number
        self._failed.pop(key, None)

    def _write_put_off(self, whose: str, *, everything: bool = False) -> Answer:
        waiting = self._put_off.get(whose, {})
        statements = [statement for some in waiting.values() for statement in some]
        if not everything and not self._fits(whose, statements):
            return self._put_off_answer()
        del self._put_off[whose]
        return self._submit({(whose, what): some for what, some in waiting.items()})

    def _fits(self, whose: str, statements: Sequence[Statement], most_owed: int = 0) -> bool:
        pages = len({sql for sql, _ in statements})
        size = sum(_size(value) for _, row in statements for value in row)
        budget = self._grid_budget if whose == GRID else self._budget
        return budget.take(whose, pages, size, self._clock.now().timestamp(), most_owed)

    def _put_off_answer(self) -> Answer:
        self._health.count("writes_put_off")
        answer: Answer = asyncio.get_running_loop().create_future()
        answer.set_result(False)
        return answer

    def _submit(self, writes: dict[Key, tuple[Statement, ...]]) -> Answer:
        numbers = {key: self._newest[key] for key in writes}
        answer = self._store.submit(*(one for some in writes.values() for one in some))

        def written(answer: Answer) -> None:
            newest = [key for key, number in numbers.items() if self._newest.get(key) == number]
            # In memory alone nothing ever reaches a disk; what failed for another reason than the
            # disk would fail for ever.
            disk = self._store.durable and self._store.problem is not None
            again = disk and not answer.cancelled() and not answer.result()
            for key in newest:
                if again:
                    self._failed[key] = writes[key]
                else:
                    del self._newest[key]
            for key in list(self._failed)[:-MOST_FAILED]:
                del self._failed[key], self._newest[key]
                self._health.count("writes_given_up")
            if self._failed and self._retry is None:
                loop = asyncio.get_running_loop()
                self._retry = loop.call_later(TRIED_AGAIN_EVERY_S, self._try_again)

        answer.add_done_callback(written)
        return answer

    def _try_again(self) -> None:
        self._retry = None
        failed, self._failed = self._failed, {}
        if failed:
            self._tell_when_late(list(failed), self._submit(failed))

    def _tell_when_late(self, keys: Sequence[Key], answer: Answer) -> None:
        numbers = {key: self._newest[key] for key in keys}

        def written(answer: Answer) -> None:
            if answer.cancelled() or not answer.result():
                return
            for key in keys:
                if self._newest.get(key, numbers[key]) == numbers[key]:
                    self.on_late(*key)

        answer.add_done_callback(written)


def _size(value: object) -> int:
    return len(value) if isinstance(value, str) else 8
