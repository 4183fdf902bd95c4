"""Time that jumps: exact, never early, fair to sockets and threads."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from aiohttp import ClientSession, TCPConnector, web

from agent.clock import SteppedClock
from tests.fakes.virtual_loop import StuckError, VirtualLoop, run_virtual

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_year_of_hours_is_exact() -> None:
    async def year(clock: SteppedClock) -> list[datetime]:
        seen = []
        for hour in range(1, 365 * 24 + 1):
            await clock.sleep_until(START + timedelta(hours=hour))
            seen.append(clock.now())
        return seen

    seen = run_virtual(year, START)
    late = [at - (START + timedelta(hours=n)) for n, at in enumerate(seen, start=1)]
    assert min(late) >= timedelta(0)
    assert max(late) <= timedelta(microseconds=10)


def test_timers_fire_in_order_and_microseconds_late_in_the_year_do_not_spin() -> None:
    async def late(clock: SteppedClock) -> int:
        await clock.sleep(300 * 86400.0)
        loop = cast(VirtualLoop, asyncio.get_running_loop())
        before = loop.jumps
        order: list[int] = []

        async def after(number: int) -> None:
            await clock.sleep_until(START + timedelta(days=300, microseconds=number))
            order.append(number)

        await asyncio.gather(*(after(number) for number in (500, 3, 40)))
        assert order == [3, 40, 500]
        return loop.jumps - before

    assert run_virtual(late, START) < 20


def test_a_thread_is_waited_for_before_time_jumps() -> None:
    async def threaded(clock: SteppedClock) -> timedelta:
        async with asyncio.timeout(3600):
            await asyncio.to_thread(time.sleep, 0.05)
        return clock.now() - START

    assert run_virtual(threaded, START) == timedelta(0)


def test_loopback_http_costs_no_virtual_time_although_a_timeout_is_pending() -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 300_000)

    async def fetch_daily(clock: SteppedClock) -> timedelta:
        app = web.Application()
        app.router.add_get("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        spent = timedelta(0)
        async with ClientSession(connector=TCPConnector(force_close=True)) as session:
            for _ in range(30):
                before = clock.now()
                async with asyncio.timeout(1), session.get(url) as response:
                    assert len(await response.read()) == 300_000
                spent += clock.now() - before
                await clock.sleep(86400.0)
        await runner.cleanup()
        return spent

    assert run_virtual(fetch_daily, START) == timedelta(0)


def test_within_real_time_nothing_jumps() -> None:
    async def held(clock: SteppedClock) -> float:
        loop = cast(VirtualLoop, asyncio.get_running_loop())
        began = time.monotonic()
        with loop.real_time():
            await clock.sleep(0.05)
        return time.monotonic() - began

    assert run_virtual(held, START) >= 0.05


def test_waiting_for_ever_is_an_error_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fakes.virtual_loop.STUCK_S", 0.01)

    async def stuck(_clock: SteppedClock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(StuckError):
        run_virtual(stuck, START)
