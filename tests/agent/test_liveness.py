"""What feeds the watchdog: every part, each within its own time."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.clock import SteppedClock
from agent.health import Health, State
from agent.liveness import PART, Liveness
from agent.systemd import announce_ready, feed_watchdog
from tests.fakes.command import NotifySocket
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)


def test_one_part_that_hangs_stops_the_pings_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(NotifySocket(tmp_path / "notify")) as systemd:
        environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "20000000"}

        async def live(clock: SteppedClock) -> None:
            health = Health(clock)
            liveness = Liveness(health)
            liveness.register("controller", 100)
            liveness.register("mqtt", 60)
            hanging = False

            async def work() -> None:
                while True:
                    liveness.beat("controller")
                    if not hanging:
                        liveness.beat("mqtt")
                    await clock.sleep(20)

            pings = 0

            async def count() -> None:
                nonlocal pings
                while True:
                    pings += systemd.pending()
                    await clock.sleep(10)

            tasks = [
                asyncio.create_task(work()),
                asyncio.create_task(count()),
                asyncio.create_task(feed_watchdog(liveness.check, environ)),
            ]
            await clock.sleep(600)
            assert PART not in health.parts
            assert 55 <= pings <= 65
            hanging = True
            pings = 0
            await clock.sleep(600)
            assert pings <= 12
            assert health.parts[PART].state is State.FAILED
            assert "mqtt" in health.parts[PART].why
            assert "controller" not in health.parts[PART].why
            hanging = False
            pings = 0
            await clock.sleep(60)
            assert health.parts[PART].state is State.OK
            assert pings > 0
            for task in tasks:
                task.cancel()

        run_virtual(live, START)
    assert len([item for item in caplog.records if "no sign of life" in item.message]) == 1


def test_ready_is_said_with_the_first_schedules_or_after_half_a_minute(tmp_path: Path) -> None:
    with closing(NotifySocket(tmp_path / "notify")) as systemd:
        environ = {"NOTIFY_SOCKET": str(systemd.path)}

        async def live(clock: SteppedClock) -> None:
            loop = asyncio.get_running_loop()
            for stand_after_s, told_after_s in ((5.0, 5.0), (500.0, 30.0)):
                began = loop.time()
                await announce_ready(lambda s=stand_after_s: clock.sleep(s), environ)  # type: ignore[misc]
                assert loop.time() - began == pytest.approx(told_after_s, abs=0.1)
                assert systemd.pending() == 1

        run_virtual(live, START)
