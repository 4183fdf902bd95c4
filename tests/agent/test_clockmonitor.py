"""When the wall clock is believed: nothing is switched on before that."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.clockmonitor import ClockMonitor
from agent.health import Health, State
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)


class SetClock(SteppedClock):
    """A clock that somebody can set while it runs."""

    offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset


def watch(
    story: Callable[[ClockMonitor, SetClock, Health], Awaitable[None]],
    *,
    newest: datetime | None = None,
) -> None:
    async def live(_: SteppedClock) -> None:
        clock = SetClock(START)
        health = Health(clock)
        guard = ClockMonitor(clock, health, newest, synchronised=lambda: False)
        running = asyncio.create_task(guard.run())
        try:
            await story(guard, clock, health)
        finally:
            running.cancel()

    run_virtual(live, START)


def test_the_date_of_an_answer_confirms_the_clock() -> None:
    async def story(guard: ClockMonitor, clock: SetClock, health: Health) -> None:
        await clock.sleep(5)
        assert not guard.trusted
        assert health.parts["clock"].state is State.DEGRADED
        guard.on_server_time(clock.now() + timedelta(seconds=30))
        assert guard.trusted

    watch(story)


def test_without_any_confirmation_it_goes_on_after_ten_minutes_and_says_so() -> None:
    async def story(guard: ClockMonitor, clock: SetClock, health: Health) -> None:
        await clock.sleep(598)
        assert not guard.trusted
        await clock.sleep(5)
        assert guard.trusted
        assert health.parts["clock"].state is State.DEGRADED

    watch(story)


def test_a_clock_behind_its_own_database_is_never_believed() -> None:
    async def story(guard: ClockMonitor, clock: SetClock, health: Health) -> None:
        await clock.sleep(3600)
        assert not guard.trusted
        assert health.parts["clock"].state is State.FAILED

    watch(story, newest=START + timedelta(days=1))


def test_after_a_jump_nothing_is_switched_until_it_is_confirmed_again() -> None:
    async def story(guard: ClockMonitor, clock: SetClock, health: Health) -> None:
        guard.on_server_time(clock.now())
        await clock.sleep(60)
        clock.offset = timedelta(hours=2)
        await clock.sleep(31)
        assert not guard.trusted
        assert "jumped" in health.parts["clock"].why
        guard.on_server_time(clock.now())
        assert guard.trusted

    watch(story)


def test_an_answer_far_from_our_time_is_a_reason_to_doubt() -> None:
    async def story(guard: ClockMonitor, clock: SetClock, health: Health) -> None:
        guard.on_server_time(clock.now())
        guard.on_server_time(clock.now() + timedelta(hours=3))
        assert not guard.trusted

    watch(story)
