"""When the wall clock is believed: nothing is switched before that."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from agent.clockmonitor import ClockMonitor
from agent.health import Condition, Health, State
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class SetClock(SteppedClock):
    """A clock that somebody can set while it runs."""

    offset = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.offset


@dataclass
class Gateway:
    """A monitor that runs, and what it asked for."""

    guard: ClockMonitor
    clock: SetClock
    synchronised: bool = False
    trusted: int = 0
    asked: list[datetime] = field(default_factory=list)
    stored: list[datetime] = field(default_factory=list)

    @property
    def condition(self) -> Condition:
        return self.guard.health.parts["clock"]

    def count(self) -> None:
        self.trusted += 1


def watch(
    story: Callable[[Gateway], Awaitable[None]],
    *,
    stored: datetime | None = None,
    confirmed: datetime | None = None,
    start: datetime = START,
) -> None:
    async def live(_: SteppedClock) -> None:
        clock = SetClock(start)
        guard = ClockMonitor(clock, Health(clock), stored, confirmed)
        gateway = Gateway(guard, clock)
        guard.synchronised = lambda: gateway.synchronised
        guard.on_trusted = gateway.count
        guard.on_confirmation_wanted = lambda: gateway.asked.append(clock.now())
        guard.on_confirmed_instant = gateway.stored.append
        running = asyncio.create_task(guard.run())
        try:
            await story(gateway)
            if running.done():
                running.result()
        finally:
            running.cancel()

    run_virtual(live, start)


def test_the_date_of_an_answer_confirms_the_clock() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(3)
        assert not home.guard.trusted
        assert home.condition.state is State.DEGRADED
        home.guard.on_server_time(home.clock.now() + timedelta(seconds=30))
        assert home.guard.trusted
        assert home.condition.state is State.OK

    watch(story)


def test_the_kernel_confirms_the_clock_within_a_second() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(20)
        home.synchronised = True
        await home.clock.sleep(1.1)
        assert home.guard.trusted

    watch(story)


def test_who_has_no_confirmation_asks_for_one_and_seldom_again() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(10)
        assert [when - START for when in home.asked] == [timedelta(seconds=5)]
        home.guard.on_server_time(home.clock.now() + HOUR)
        await home.clock.sleep(7200)
        assert len(home.asked) <= 9

    watch(story)


def test_a_confirmed_clock_asks_nobody() -> None:
    async def story(home: Gateway) -> None:
        home.synchronised = True
        await home.clock.sleep(3600)
        assert home.asked == []

    watch(story)


def test_without_any_confirmation_it_goes_on_after_ten_minutes_and_says_who_acts() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(598)
        assert not home.guard.trusted
        await home.clock.sleep(5)
        assert home.guard.trusted
        assert home.condition.state is State.DEGRADED
        assert home.condition.who_acts.startswith("owner: ")
        assert home.stored == []

    watch(story)


def test_a_clock_that_fits_what_is_stored_is_believed_after_a_minute() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(58)
        assert not home.guard.trusted
        await home.clock.sleep(5)
        assert home.guard.trusted
        assert home.condition.state is State.DEGRADED

    watch(story, stored=START - 2 * DAY + HOUR)


def test_a_clock_long_after_what_is_stored_waits_ten_minutes() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(590)
        assert not home.guard.trusted

    watch(story, stored=START - 3 * DAY)


def test_a_clock_behind_one_that_was_confirmed_is_not_believed() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(3600)
        assert not home.guard.trusted
        assert home.condition.state is State.FAILED
        assert "set the clock" in home.condition.who_acts

    watch(story, confirmed=START + DAY)


def test_a_plan_stored_under_a_date_to_come_locks_nobody() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(603)
        assert home.guard.trusted

    watch(story, stored=datetime(2035, 1, 1, tzinfo=UTC), confirmed=START - DAY * 5)


def test_a_clock_that_nobody_ever_set_switches_nothing() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(3600)
        assert not home.guard.trusted
        assert home.condition.state is State.FAILED

    watch(story, start=datetime(1970, 1, 1, 0, 5, tzinfo=UTC))


def test_a_jump_is_seen_by_whoever_asks_first() -> None:
    """Not by the next look, half a minute later: something may be switched before that."""

    async def story(home: Gateway) -> None:
        home.guard.on_server_time(home.clock.now())
        await home.clock.sleep(60)
        assert home.guard.trusted
        home.clock.offset = 2 * HOUR
        assert not home.guard.trusted
        assert "jumped" in home.condition.why
        home.guard.on_server_time(home.clock.now())
        assert home.guard.trusted
        assert home.trusted == 2

    watch(story)


def test_after_a_jump_the_time_is_asked_for_and_waited_for_anew() -> None:
    async def story(home: Gateway) -> None:
        home.guard.on_server_time(home.clock.now())
        await home.clock.sleep(3600)
        home.clock.offset = 90 * DAY
        await home.clock.sleep(40)
        assert not home.guard.trusted
        assert len(home.asked) == 1
        await home.clock.sleep(500)
        assert not home.guard.trusted
        await home.clock.sleep(100)
        assert home.guard.trusted

    watch(story)


def test_a_clock_that_ntp_sets_right_is_back_within_a_second() -> None:
    async def story(home: Gateway) -> None:
        await home.clock.sleep(700)
        assert home.guard.trusted
        home.clock.offset = -5 * DAY
        home.synchronised = True
        assert not home.guard.trusted
        await home.clock.sleep(0.1)
        assert home.guard.trusted

    watch(story)


def test_a_clock_that_is_slewed_or_drifts_is_no_jump() -> None:
    async def story(home: Gateway) -> None:
        home.guard.on_server_time(home.clock.now())
        for _ in range(100):
            await home.clock.sleep(29)
            home.clock.offset += timedelta(seconds=2)
            assert home.guard.trusted

    watch(story)


def test_a_server_that_says_otherwise_is_not_overruled_by_waiting() -> None:
    async def story(home: Gateway) -> None:
        home.guard.on_server_time(home.clock.now())
        home.guard.on_server_time(home.clock.now() + 3 * HOUR)
        assert not home.guard.trusted
        assert "set the clock" in home.condition.who_acts
        await home.clock.sleep(3600)
        assert not home.guard.trusted
        home.clock.offset = 3 * HOUR
        home.guard.on_server_time(home.clock.now())
        assert home.guard.trusted

    watch(story)


@pytest.mark.parametrize("minutes", [-50, -2, 2, 50])
def test_a_server_whose_clock_is_minutes_off_is_waited_for_ten_minutes_and_no_more(
    minutes: int,
) -> None:
    async def story(home: Gateway) -> None:
        def date() -> datetime:
            return home.clock.now() + timedelta(minutes=minutes)

        home.guard.on_server_time(date())
        await home.clock.sleep(590)
        home.guard.on_server_time(date())
        assert not home.guard.trusted
        await home.clock.sleep(20)
        assert home.guard.trusted
        # It goes on to say so: nothing stops again, and health goes on to tell it.
        home.guard.on_server_time(date())
        assert home.guard.trusted
        assert home.condition.state is State.DEGRADED
        assert f"0:{abs(minutes):02}:00 off" in home.condition.why
        assert home.stored == []

    watch(story)


def test_a_server_that_says_otherwise_does_not_overrule_the_kernel() -> None:
    async def story(home: Gateway) -> None:
        home.synchronised = True
        await home.clock.sleep(1)
        home.guard.on_server_time(home.clock.now() + 3 * HOUR)
        assert home.guard.trusted

    watch(story)


def test_what_a_confirmed_clock_showed_is_stored_and_rarely() -> None:
    async def story(home: Gateway) -> None:
        home.synchronised = True
        await home.clock.sleep_until(START + DAY)
        assert 4 <= len(home.stored) <= 5
        assert home.stored[0] == START

    watch(story)
