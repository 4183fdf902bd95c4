"""One value everywhere: on MQTT, by the command, in the demo's summary, after a restart."""

import asyncio
import csv
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.cli import main
from agent.cli.demo_summary import Course, summary_document
from agent.clock import SteppedClock
from agent.contracts.catalogue import TOPICS, json_schema
from agent.records.ledger import Ledger
from agent.store import Store
from integrations.sandbox.household import HOUSEHOLDS
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
# Nothing runs for an hour before and after.
END = datetime(2026, 1, 16, 9, 30, tzinfo=UTC)
FLAT = HOUSEHOLDS["flat"]
LEDGER = f"{BASE}/ledger"


@dataclass
class Night:
    """What was said on the topic in the first life and in the second, and the ledgers of both."""

    folder: Path
    said: list[dict[str, Any]] = field(default_factory=list)
    said_again: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    ledger_again: Ledger = field(default_factory=Ledger)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    night = Night(tmp_path_factory.mktemp("state"))

    async def live(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            path = night.folder / "agent.sqlite"
            home = Home(clock, sandbox, store=Store.open(path, clock.now()), ledger=night.ledger)
            zone = next(iter(sandbox.locations.values())).zone
            home.appliances = FLAT.build(BASE, clock, zone, lambda name: MemoryLink(home.broker))
            config = home.config(FLAT.devices)
            await home.run(config, END)
            home.store.close()
            night.said = home.bodies("ledger")
            night.times = [item.at for item in home.broker.log if item.topic == LEDGER]
            number = len(home.broker.log)
            home.appliances = ()
            home.store, home.ledger = Store.open(path, clock.now()), night.ledger_again
            await home.run(config, END + timedelta(minutes=20))
            home.store.close()
            later = home.broker.log[number:]
            night.said_again = [json.loads(s.payload) for s in later if s.topic == LEDGER]

    run_virtual(live, START)
    return night


def command(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    assert main(["savings", *map(str, args)]) == 0
    return capsys.readouterr().out


def test_it_is_as_its_schema_says_and_never_said_more_often_than_every_few_minutes(
    night: Night,
) -> None:
    topic = next(topic for topic in TOPICS if topic.key == "ledger")
    for body in night.said:
        jsonschema.Draft202012Validator(json_schema(topic)).validate(body)
    gaps = [b - a for a, b in pairwise(night.times)]
    midnight = 1
    assert sum(gap < 299 for gap in gaps) <= midnight
    values = [{k: v for k, v in body.items() if k != "at"} for body in night.said]
    assert all(a != b for a, b in pairwise(values))


def test_sessions_are_open_while_they_last_and_know_what_they_cost_in_the_end(
    night: Night,
) -> None:
    opened = [b for b in night.said if (s := b["devices"]["ev"]["session"]) and s["open"]]
    assert opened
    for name, device in night.said[-1]["devices"].items():
        session = device["session"]
        if session is None or session["open"]:
            continue
        assert session["energy_kwh"] > 0, name
        assert session["regret"] >= 0, name


def test_the_total_is_the_sum_of_the_devices_and_saved_is_what_is_between(night: Night) -> None:
    body = night.said[-1]
    for period in ("today", "month", "ever"):
        for key in ("energy_kwh", "cost", "baseline_cost", "saved", "pending_kwh"):
            parts = [Decimal(str(d[period][key])) for d in body["devices"].values()]
            assert sum(parts) == Decimal(str(body["total"][period][key]))
        sums = {k: Decimal(str(v)) for k, v in body["total"][period].items() if k != "estimated"}
        assert sums["saved"] == sums["baseline_cost"] - sums["cost"]
    assert body["total"]["ever"]["saved"] > 0
    assert body["total"]["month"] == body["total"]["ever"]


def test_a_restart_changes_nothing(night: Night) -> None:
    before, after = night.said[-1], night.said_again[0]
    assert {**after, "at": ""} == {**before, "at": ""}


def test_the_command_says_the_same(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    body = night.said_again[-1]
    found = json.loads(command(capsys, "--json", "--state", night.folder))
    assert (found["currency"], found["timezone"]) == (body["currency"], body["timezone"])
    assert found["total"]["ever"] == body["total"]["ever"]
    for name, device in body["devices"].items():
        assert found["devices"][name]["ever"] == device["ever"]
        assert found["devices"][name]["session"] == device["session"]
    for args in (("--csv",), ("--csv", "--month", "2026-01")):
        rows = list(csv.DictReader(io.StringIO(command(capsys, *args, "--state", night.folder))))
        for name, device in body["devices"].items():
            for key in ("energy_kwh", "cost", "baseline_cost", "saved"):
                column = sum(Decimal(row[key]) for row in rows if row["device"] == name)
                assert column == Decimal(str(device["ever"][key])), (name, key)
    opened = {n for n, d in body["devices"].items() if (s := d["session"]) and s["open"]}
    said = json.loads(command(capsys, "--sessions", "--json", "--state", night.folder))
    assert {one["device"] for one in said["sessions"] if one["open"]} == opened
    text = command(capsys, "--state", night.folder)
    saved = Decimal(str(body["total"]["ever"]["saved"]))
    ever = text.partition("\never ")[2]
    assert next(line for line in ever.splitlines() if "in all" in line).endswith(f"{saved:.2f}")


def test_the_demos_summary_says_the_same(night: Night) -> None:
    course = Course(END - START, "EUR", 0, 0, False, 1.0)
    body = night.said_again[-1]
    for ledger in (night.ledger, night.ledger_again):
        summary: Any = summary_document(ledger, list(FLAT.appliance_ids), course)
        for device in summary["devices"]:
            said = body["devices"][device["id"]]["ever"]
            assert device["energy_kwh"] == round(said["energy_kwh"], 3)
            assert device["cost"] == round(said["cost"], 4)
            assert device["baseline_cost"] == round(said["baseline_cost"], 4)


def test_what_a_person_asked_for_and_took_back_is_no_more_under_way() -> None:
    ev = {"id": "ev", "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "energy_kwh": 10}

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)

            async def person() -> None:
                await clock.sleep(60)
                home.broker.publish(f"{BASE}/device/ev/state", b'{"plugged":true}', retain=False)
                await clock.sleep(600)
                for asked in ({"energy_kwh": 1000}, {"energy_kwh": None}):
                    topic, payload = f"{BASE}/device/ev/request", json.dumps(asked).encode()
                    home.broker.publish(topic, payload, retain=False)
                    await clock.sleep(600)

            telling = asyncio.ensure_future(person())
            await home.run(home.config([ev]), START + timedelta(hours=1))
            await telling
            return home

    home = run_virtual(live, START)
    sessions = [body["devices"]["ev"]["session"] for body in home.bodies("ledger")]
    planned = [session["planned_kwh"] for session in sessions if session]
    assert [kwh for kwh, _ in groupby(planned)] == [10, 1000, 10]
