"""What is known of schedules after a power cut, also where the disk could take no more of them."""

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SteppedClock
from agent.energy.instants import parse_instant
from agent.store import Store
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
# The longest that heat is paused in a row (wire contract, section 2).
LONGEST_BLOCK = timedelta(hours=2)
HEAT_PUMP = {
    "id": "heat_pump",
    "type": "heat_pump",
    "power_w": 2000,
    "needs": [{"hours": 3, "window": {"start": "20:00", "end": "23:00"}}],
}
SCHEDULE = f"{BASE}/device/heat_pump/schedule"
Document = dict[str, Any]


async def evening(clock: SteppedClock, folder: Path, presses: int) -> tuple[Document, datetime]:
    """Buttons are pressed and at last heat is paused. What the broker holds a quarter of an hour
    later, with a copy of the disk as a power cut leaves it; and when the pause began."""
    store = Store.open(folder / "agent.sqlite", clock.now())
    async with FlatPeakSandbox(clock) as sandbox:
        home = Home(clock, sandbox, store=store)

        def press(body: Document) -> None:
            home.broker.publish(f"{BASE}/device/heat_pump/request", json.dumps(body), retain=False)

        async def people() -> tuple[Document, datetime]:
            for k in range(presses):
                await clock.sleep(10)
                press({"mode": "auto" if k % 2 else "boost"})
            await clock.sleep(10)
            press({"mode": "pause", "for_s": 14_400})
            paused_at = clock.now()
            await clock.sleep(900)
            for suffix in ("", "-wal"):
                shutil.copy(folder / f"agent.sqlite{suffix}", folder / f"cut.sqlite{suffix}")
            return home.body("device/heat_pump/schedule"), paused_at

        telling = asyncio.create_task(people())
        await home.run(home.config([HEAT_PUMP]), START + timedelta(hours=1))
        store.close()
        return await telling


async def night(clock: SteppedClock, folder: Path, held: Document) -> list[Document]:
    """The schedules that a life on what the cut has left publishes, one after the other."""
    store = Store.open(folder / "cut.sqlite", clock.now())
    async with FlatPeakSandbox(clock) as sandbox:
        home = Home(clock, sandbox, store=store)
        home.broker.publish(SCHEDULE, json.dumps(held), retain=True)
        before = len(home.bodies("device/heat_pump/schedule"))
        await home.run(home.config([HEAT_PUMP]), clock.now() + timedelta(hours=3))
        store.close()
        return home.bodies("device/heat_pump/schedule")[before:]


@pytest.mark.parametrize("presses", [0, 14, 22], ids=["few", "some", "beyond what is stored"])
def test_a_power_cut_takes_no_schedule_back_and_lengthens_no_block(
    tmp_path: Path, presses: int
) -> None:
    held, paused_at = run_virtual(lambda clock: evening(clock, tmp_path, presses), START)
    resumed_at = paused_at + timedelta(minutes=16)
    published = run_virtual(lambda clock: night(clock, tmp_path, held), resumed_at)
    assert published
    revisions = [one["revision"] for one in published]
    assert min(revisions) >= held["revision"]
    blocks = [
        parse_instant(slot["end"])
        for slot in published[0]["slots"]
        if slot["mode"] == "block" and parse_instant(slot["start"]) <= resumed_at
    ]
    assert blocks
    assert max(blocks) <= paused_at + LONGEST_BLOCK + timedelta(seconds=10)
