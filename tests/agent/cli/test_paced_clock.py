"""The demo's clock: what a stalled event loop or a long plan does to simulated time."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from agent.cli.paced_clock import JUDGED_EVERY_S, LONGEST_STEP, PacedClock

START = datetime(2026, 1, 16, 16, 0, tzinfo=UTC)
SPEED = 3600.0
STEP_S = LONGEST_STEP.total_seconds() / SPEED


async def test_a_stall_costs_one_step_of_simulated_time() -> None:
    clock = PacedClock(START, SPEED)
    before = clock.now()
    time.sleep(5 * STEP_S)  # noqa: ASYNC251 - the stall that is meant
    assert clock.now() - before <= LONGEST_STEP
    assert clock.now() > before


async def test_it_waits_for_what_is_done_within_hold() -> None:
    clock = PacedClock(START, SPEED)
    heart = asyncio.create_task(clock.run())
    with clock.hold():
        held = clock.now()
        await asyncio.sleep(STEP_S)
        assert clock.now() == held
    await clock.sleep(60)
    assert clock.now() >= held + timedelta(seconds=60)
    heart.cancel()


async def test_it_says_that_it_was_slowed() -> None:
    clock = PacedClock(START, SPEED)
    heart = asyncio.create_task(clock.run())
    with clock.hold():
        await asyncio.sleep(JUDGED_EVERY_S)
        while not clock.slowed:
            await asyncio.sleep(0)
    assert clock.achieved < SPEED
    heart.cancel()


async def test_it_waits_for_messages() -> None:
    clock = PacedClock(START, SPEED)
    sent, pulse = asyncio.Event(), asyncio.Event()

    async def send() -> None:
        sent.set()

    jobs = [asyncio.create_task(clock.run()), asyncio.create_task(clock.follow(send, pulse))]
    await sent.wait()
    # The broker is slow: the clock goes on for as long as a message may take, and no further.
    await asyncio.sleep(6 * STEP_S)
    assert clock.now() - START <= 3 * LONGEST_STEP
    before = clock.now()
    pulse.set()
    await clock.sleep(60)
    assert clock.now() > before
    for job in jobs:
        job.cancel()


async def test_slowing_down_is_for_good_and_never_faster() -> None:
    clock = PacedClock(START, SPEED)
    clock.slow_down_to(60)
    clock.slow_down_to(1000)
    assert clock.speed == 60


async def test_at_real_time_it_waits_for_nothing_and_is_never_slow() -> None:
    """People, browsers and appliances have that time, however long a plan takes."""
    clock = PacedClock(START, 1.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    heart = asyncio.create_task(clock.run())
    with clock.hold():
        await asyncio.sleep(2.1 * JUDGED_EVERY_S)
        passed = (clock.now() - START).total_seconds()
    assert abs(passed - (loop.time() - began)) < 0.1
    assert not clock.slowed
    heart.cancel()
