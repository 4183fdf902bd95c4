"""What the grid allows, as it is said, unsaid, said by the broker again, or said wrongly."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from agent.contracts.topics import Topics
from agent.control.grid_allowance import PART, GridAllowance
from agent.errors import Malformed
from agent.health import Health, State
from agent.home.controllable import DIM_W
from agent.records.device_store import DeviceStore
from agent.records.limit_log import LimitLog
from agent.report.event_queue import EventQueue
from agent.store import Store
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)


@dataclass
class Grid:
    clock: SteppedClock
    failsafe_w: float | None = None
    store: Store = field(default_factory=Store.in_memory)
    called: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.health = Health(self.clock)
        device_store = DeviceStore(self.store, self.health, self.clock)
        self.queue = device_store.queue
        log = LimitLog(device_store)
        log.measure = lambda now: (0.0, None)
        self.allowance = GridAllowance(
            self.clock,
            self.health,
            Topics("b"),
            EventQueue(self.clock, self.health, "b/event", lambda message: None),
            device_store,
            log,
            self.failsafe_w,
            float(DIM_W),
            on_stricter=lambda: self.called.append("stricter"),
            on_change=lambda: self.called.append("change"),
        )

    def say(self, text: str, *, retained: bool = False) -> None:
        self.allowance.receive(text.encode(), retained=retained)

    @property
    def limit_w(self) -> float | None:
        return self.allowance.limit_w(self.clock.now())


def live(test: Callable[[SteppedClock], Coroutine[Any, Any, None]]) -> None:
    run_virtual(test, NOW)


def test_less_is_obeyed_at_once_and_more_is_only_news() -> None:
    async def test(clock: SteppedClock) -> None:
        grid = Grid(clock)
        assert not grid.allowance.limits
        grid.say('{"import_w": 5000}')
        await clock.sleep(2)
        grid.say('{"import_w": 6000}')
        assert grid.called == ["stricter", "change", "change"]
        assert (grid.limit_w, grid.allowance.limits) == (6000, True)

    live(test)


def test_of_a_flood_the_first_counts_at_once_and_the_newest_a_second_later() -> None:
    async def test(clock: SteppedClock) -> None:
        grid = Grid(clock)
        for power_w in range(5000, 5100):
            grid.say(f'{{"import_w": {power_w}}}')
        assert grid.limit_w == 5000
        await clock.sleep(1.1)
        assert grid.limit_w == 5099
        assert grid.health.counts["limits_put_off"] == 99

    live(test)


def test_what_the_broker_gives_again_only_makes_it_stricter() -> None:
    async def test(clock: SteppedClock) -> None:
        grid = Grid(clock)
        for power_w in (9000, 5000, 7000):
            grid.say(f'{{"import_w": {power_w}}}')
            await clock.sleep(2)
        grid.say('{"import_w": 9000}', retained=True)
        assert grid.limit_w == 7000
        await clock.sleep(2)
        grid.say('{"import_w": 5000}', retained=True)
        assert grid.limit_w == 5000

    live(test)


def test_what_cannot_be_read_leaves_the_last_one_to_its_end_and_is_named() -> None:
    async def test(clock: SteppedClock) -> None:
        grid = Grid(clock, failsafe_w=4500)
        assert grid.limit_w == 4500
        until = (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        grid.say(f'{{"import_w": 6000, "until": "{until}"}}')
        await clock.sleep(2)
        with pytest.raises(Malformed):
            grid.say("four kilowatts")
        assert grid.limit_w == 6000
        assert "the last known limit holds to its end" in grid.health.parts[PART].why
        assert grid.allowance.next_change(clock.now()) == NOW + timedelta(hours=1)
        await clock.sleep(3600)
        assert grid.limit_w == 4500
        assert grid.allowance.failsafe_holds(clock.now())

    live(test)


def test_it_is_known_again_after_a_restart() -> None:
    async def test(clock: SteppedClock) -> None:
        grid = Grid(clock)
        grid.say('{"import_w": 5000}')
        grid.queue.flush()
        await clock.sleep(5)
        assert Grid(clock, store=grid.store).limit_w == 5000

    live(test)


def test_a_few_watts_are_obeyed_and_asked_about() -> None:
    async def test(clock: SteppedClock) -> None:
        grid = Grid(clock)
        grid.say('{"import_w": 4.2}')
        assert grid.limit_w is not None
        assert grid.health.parts[PART].state is State.DEGRADED
        assert "is that in kW?" in grid.health.parts[PART].why

    live(test)
