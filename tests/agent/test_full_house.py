"""A battery, a roof and a second car beside the appliances: a day and a half on MQTT."""

import asyncio
import json
import zlib
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from agent.clock import SteppedClock
from integrations.sandbox.household import HOUSEHOLDS
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 5, 15, 14, tzinfo=UTC)
END = START + timedelta(hours=34)
# Five in Berlin; and the morning after.
READY = datetime(2026, 5, 16, 3, tzinfo=UTC)
PAUSED, PAUSE = datetime(2026, 5, 16, 4, tzinfo=UTC), timedelta(hours=3)
FULL = HOUSEHOLDS["full"]


def test_a_house_with_battery_and_roof() -> None:
    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            home.appliances = FULL.build(BASE, clock, zone, lambda name: MemoryLink(home.broker))
            config = home.config(FULL.devices, site=FULL.site)
            asking = asyncio.create_task(ask(home))
            await home.run(config, END)
            await asking
            return home

    async def ask(home: Home) -> None:
        """In the evening 90 % by five, in the morning a pause over the peak of the prices."""
        topic = f"{BASE}/device/battery/request"
        await home.clock.sleep_until(START + timedelta(hours=6))
        target = b'{"target_soc_percent":90,"ready_by":"05:00"}'
        home.broker.publish(topic, target, retain=False)
        await home.clock.sleep_until(PAUSED)
        pause = json.dumps({"mode": "pause", "for_s": PAUSE.total_seconds()}).replace(".0", "")
        home.broker.publish(topic, pause, retain=False)

    home = run_virtual(live, START)
    said = home.broker.log
    # Nothing is published to a meter.
    for item in said:
        if "/device/grid_meter/" in item.topic:
            assert item.topic.endswith("/state"), item.topic

    for name in FULL.appliance_ids:
        account = home.ledger.of(name)
        assert account.deadlines == account.deadlines_met, name
        assert account.schedules == account.schedules_followed > 0, name
    battery = home.ledger.of("battery")
    assert battery.energy_kwh > 2
    assert battery.baseline_cost >= battery.cost

    plans = [json.loads(item.payload) for item in said if item.topic == f"{BASE}/plan"]
    assert plans
    site = plans[-1]["site"]
    assert any(span["import_w"] > 0 for span in site)
    last = home.store.rows("SELECT situation FROM plans ORDER BY made_at DESC LIMIT 1", (), _unzip)
    [situation] = last
    assert max(span["power_w"] for span in situation["site"]["pv"]) > 1000
    loads = [span["power_w"] for span in situation["site"]["base_load"]]
    # What the house was measured to draw: neither nothing nor what a car takes.
    assert 150 < sum(loads) / len(loads) < 1500
    assert max(loads) < 3000
    storage = [device for device in situation["devices"] if device["kind"] == "storage"]
    assert len(storage) == 1

    socs = _values(home, "battery", "soc_percent")
    assert all(5 <= soc <= 100 for soc in socs)
    assert max(abs(a - b) for a, b in pairwise(socs)) < 5
    assert _values(home, "battery", "soc_percent", until=READY)[-1] > 88
    modes = {
        slot["mode"] for body in home.bodies("device/battery/schedule") for slot in body["slots"]
    }
    # Now and then a part of what the house draws, where more of it is dearer later.
    assert {"charge", "hold"} <= modes <= {"charge", "hold", "discharge"}
    told = _values(
        home,
        "battery",
        "power_w",
        PAUSED + timedelta(minutes=5),
        PAUSED + PAUSE - timedelta(minutes=1),
    )
    assert set(told) <= {0.0}
    wishes = home.bodies("device/battery/wish")
    assert [wish["accepted"] for wish in wishes] == [True] * len(wishes)

    days = home.store.rows(
        "SELECT value FROM facts WHERE name LIKE 'hourly_means:%'", (), lambda text: text
    )
    assert len(days) >= 1
    parts: Any = home.body("health")["parts"]
    assert {name: part["why"] for name, part in parts.items() if part["state"] != "ok"} == {}


def _unzip(row: tuple[bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(row[0]))
    return found


def _values(
    home: Home, device: str, key: str, since: datetime = START, until: datetime = END
) -> list[float]:
    topic = f"{BASE}/device/{device}/state"
    return [
        float(json.loads(item.payload)[key])
        for item in home.broker.log
        if item.topic == topic and since <= START + timedelta(seconds=item.at) <= until
    ]
