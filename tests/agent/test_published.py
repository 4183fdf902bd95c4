"""What the whole agent really says on a real broker, held against the contract with devices."""

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agent.app import run_agent
from agent.contracts.catalogue import TOPICS, Text, Topic, json_schema
from agent.energy.instants import format_instant
from agent.energy.plan import Plan
from agent.energy.schedule import DeviceType
from agent.energy.situation import Situation
from agent.store import Store
from integrations.registry import tariff_source
from integrations.sandbox.household import DEVICES
from tests.fakes.brokers import Heard
from tests.fakes.real_home import BASE, RealHome, listening, real_home

EVENING = datetime(2026, 1, 15, 16, 0)  # noqa: DTZ001 - local time of the house
SPEED = 7200.0
# A busy machine may do nothing for two seconds.
STALL = 2 * SPEED
IDS = [str(device["id"]) for device in DEVICES]
EV = DEVICES[0]
MAX_BYTES = {"schedule": 8192, "compact": 1000, "setpoint": 512}
ADDRESSES = {
    topic.key: re.compile(f"^{topic.name.replace('{device}', '[a-z0-9_-]+')}$") for topic in TOPICS
}
OURS = [topic for topic in TOPICS if topic.outgoing]
INSTANT = re.compile(r'"(\d{4}-\d\d-\d\dT[^"]*)"')
NUMBER = re.compile(r"[:\[,](-?\d[^,\]}]*)")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass
class Record:
    """A night of a household on one broker: every message in order, one life of the agent."""

    heard: list[Heard]
    protocol: str
    began: datetime
    ended: datetime

    def of(self, key: str) -> list[tuple[str, Heard]]:
        """Messages of one kind of topic, with the part of the topic below the base."""
        names = [(item.topic.removeprefix(f"{BASE}/"), item) for item in self.heard]
        return [(name, item) for name, item in names if ADDRESSES[key].match(name)]

    def bodies(self, key: str, device: str) -> list[dict[str, Any]]:
        wanted = next(topic.name for topic in TOPICS if topic.key == key)
        name = wanted.replace("{device}", device)
        return [json.loads(item.payload) for found, item in self.of(key) if found == name]


async def live(choice: str, hours: float) -> Record:
    async with real_home(choice, EVENING, SPEED) as home:
        store = Store.in_memory()
        end = home.clock.now() + timedelta(hours=hours)
        began = home.clock.now()
        async with home.living(), home.agent(home.config(DEVICES), store):
            await home.clock.sleep_until(end)
            await say_what_others_say(home)
            # A busy machine sleeps through hours; the night is over when prices have come and gone.
            async with asyncio.timeout(60):
                while sum(said.topic == f"{BASE}/tariff/now" for said in home.watcher.heard) < 5:
                    await home.clock.sleep(1800)
        store.close()
        return Record(home.watcher.heard, home.broker.protocol, began, home.clock.now())


async def say_what_others_say(home: RealHome) -> None:
    """One message on every topic on which others speak that no appliance of the house uses."""
    now = home.clock.now()
    start, end = format_instant(now), format_instant(now + timedelta(hours=1))
    span = {"start": start, "end": end}
    await home.say("device/ev/info", {"maker": "Acme", "max_power_w": 11_000}, retain=True)
    await home.say("device/ev/status", b"online", retain=True)
    forecasts = {"load": 400, "pv": 1500, "outdoor": 4.5, "import": 0.2, "export": 0.05}
    for name, value in forecasts.items():
        await home.say(f"site/forecast/{name}", [{**span, "value": value}], retain=True)
    await home.say("site/limit", {"import_w": 30_000, "until": end}, retain=True)
    await home.say("site/request", {"id": "x", "refresh": True})
    await home.until("site/wish", id="x")


@pytest.fixture(scope="module", params=["mosquitto", "embedded"])
def record(request: pytest.FixtureRequest) -> Record:
    return asyncio.run(live(request.param, hours=16 if request.param == "mosquitto" else 8))


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.key)
def test_every_payload_is_as_its_schema_says(record: Record, topic: Topic) -> None:
    validator = jsonschema.Draft202012Validator(json_schema(topic))
    found = record.of(topic.key)
    if topic.key not in ("tariffExport", "tariffExportList"):
        assert found, "nobody said anything here"
    for name, item in found:
        text = item.payload.decode()
        body = text if isinstance(topic.payload, Text) else json.loads(text)
        problem = next(iter(validator.iter_errors(body)), None)
        assert problem is None, (name, problem.message, text)


def test_nothing_is_said_outside_of_the_catalogue(record: Record) -> None:
    for item in record.heard:
        name = item.topic.removeprefix(f"{BASE}/")
        if name.startswith("ha/"):
            continue  # what Home Assistant's entities show is no contract
        assert any(pattern.match(name) for pattern in ADDRESSES.values()), name


def test_json_is_compact_times_end_in_z_and_numbers_have_no_exponent(record: Record) -> None:
    for topic in OURS:
        for name, item in record.of(topic.key):
            text = item.payload.decode()
            bare = STRING.sub('""', text)
            assert not re.search(r"\s", bare), (name, text)
            for instant in INSTANT.findall(text):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", instant), (name, instant)
            for number in NUMBER.findall(bare):
                assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", number), (name, number)


def test_nothing_is_larger_than_a_device_can_hold(record: Record) -> None:
    for key, limit in MAX_BYTES.items():
        for name, item in record.of(key):
            assert len(item.payload) <= limit, name


def test_what_is_retained_is_not_said_twice(record: Record) -> None:
    last: dict[str, bytes] = {}
    for topic in OURS:
        if not topic.retained:
            continue
        for name, item in record.of(topic.key):
            assert last.get(name) != item.payload, name
            last[name] = item.payload


def test_qos_is_what_the_contract_says(record: Record) -> None:
    for topic in OURS:
        # The watcher's own subscription is QoS 1, iotcore raises to it.
        assert {item.qos for _, item in record.of(topic.key)} <= {topic.qos, 1}


def test_a_device_is_told_schedule_compact_setpoint_in_this_order(record: Record) -> None:
    for device in IDS:
        known: dict[str, int] = {"schedule": 0, "compact": 0, "setpoint": 0}
        for item in record.heard:
            name = item.topic.removeprefix(f"{BASE}/device/{device}/")
            key = {"schedule": "schedule", "schedule/compact": "compact"}.get(name, name)
            if key not in known or not item.topic.startswith(f"{BASE}/device/{device}/"):
                continue
            body = json.loads(item.payload)
            known[key] = body["r"] if key == "compact" else body["revision"]
            if key != "schedule":
                assert known["schedule"] == known[key]
            if key == "setpoint":
                assert known["compact"] == known[key]
        assert known["setpoint"] > 0


def test_revisions_grow_and_the_forms_agree(record: Record) -> None:
    for device in IDS:
        schedules = record.bodies("schedule", device)
        revisions = [body["revision"] for body in schedules]
        assert revisions == sorted(set(revisions))
        assert [body["r"] for body in record.bodies("compact", device)] == revisions
        for body, compact in zip(schedules, record.bodies("compact", device), strict=True):
            assert unix(body["valid_from"]) == compact["s"]
            assert unix(body["valid_until"]) == compact["s"] + compact["e"]


def test_what_a_schedule_owes_its_device(record: Record) -> None:
    for device in IDS:
        kind = DeviceType(record.bodies("schedule", device)[0]["device_type"])
        for body in record.bodies("schedule", device):
            issued, until = unix(body["issued_at"]), unix(body["valid_until"])
            assert body["device"] == device
            assert unix(body["valid_from"]) <= issued - 300
            assert until >= issued + 3600
            edges = [(unix(slot["start"]), unix(slot["end"])) for slot in body["slots"]]
            assert edges == sorted(edges)
            for slot, (start, end) in zip(body["slots"], edges, strict=True):
                assert start < end <= until
                assert not issued - 300 < start < issued
                assert slot["price"] is not None
                if kind is DeviceType.EVSE:
                    assert slot["power_w"] >= 6 * 230 * slot["phases"]
            if body["goal"]["ready_by"]:
                assert until >= unix(body["goal"]["ready_by"])


def test_setpoints_follow_each_other_without_a_gap(record: Record) -> None:
    for device in IDS:
        setpoints = record.bodies("setpoint", device)
        for before, after in pairwise(setpoints):
            assert unix(after["at"]) <= unix(before["until"]) + STALL
        assert unix(setpoints[-1]["until"]) >= record.ended.timestamp() - STALL


def test_the_setpoint_expires_a_week_after_its_end_and_the_price_with_its_end(
    record: Record,
) -> None:
    for name, item in [*record.of("setpoint"), *record.of("tariffNow")]:
        if record.protocol == "3.1.1":
            assert item.expiry_s is None
            continue
        assert item.expiry_s is not None, name
        until = unix(json.loads(item.payload)["until"])
        week = 7 * 86_400 if name.endswith("setpoint") else 0
        assert item.expiry_s <= until + week - record.began.timestamp()
        assert item.expiry_s >= week - STALL
    assert all(item.expiry_s is None for _, item in record.of("schedule"))


def test_every_price_comes_when_it_begins(record: Record) -> None:
    now = record.bodies("tariffNow", "")
    assert len(now) >= 4
    for before, after in pairwise(now):
        assert unix(after["until"]) > unix(before["until"])
        # A busy machine may have slept through an hour.
        if unix(after["until"]) == unix(before["until"]) + 3600:
            assert after["import"] == before["next"]


def test_the_house_is_online_while_the_agent_lives(record: Record) -> None:
    assert [item.payload for _, item in record.of("status")] == [b"online", b"offline"]


def test_time_follows_online(record: Record) -> None:
    from_devices = ("/state", "/ack", "/request")
    topics = [item.topic for item in record.heard if not item.topic.endswith(from_devices)]
    online = topics.index(f"{BASE}/status")
    assert f"{BASE}/time" in topics[online : online + 6]


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


# --- lives of the agent on one database ---------------------------------------------------------


def database(folder: Path) -> Store:
    return Store.open(folder / "agent.sqlite", datetime.fromisoformat("2026-01-15T15:00:00Z"))


async def plug_in(home: RealHome, soc_percent: float = 30) -> None:
    at = format_instant(home.clock.now())
    state = {"plugged": True, "soc_percent": soc_percent, "at": at}
    await home.say("device/ev/state", state, retain=True)


async def test_a_restart_with_the_same_plan_says_everything_once_and_nothing_new(
    tmp_path: Path,
) -> None:
    async with real_home("mosquitto", EVENING) as home:
        config = home.config(DEVICES)
        await plug_in(home)
        store = database(tmp_path)
        async with home.agent(config, store):
            # The first schedule may be older than the news that the car is there.
            await home.watcher.until(
                lambda heard: charging_is_planned(heard) and everybody_is_told(heard)
            )
        store.close()
        heard = home.watcher.heard
        first = {item.topic: item.payload for item in heard}
        before = len(heard)

        store = database(tmp_path)
        async with home.agent(config, store):
            online = await home.until_status(b"online", after=before)
            await home.until("plan", after=before)
            # A wish goes through the same loop as the plan: after it nothing is under way.
            await home.say("device/ev/request", {"id": "x", "mode": "auto"})
            await home.until("device/ev/wish", after=before, id="x")
        store.close()
        topics = [item.topic for item in heard[before:]]
        for device in IDS:
            forms = [f"{BASE}/device/{device}/{form}" for form in ("schedule", "schedule/compact")]
            for topic in forms:
                assert topics.count(topic) == 1
                again = next(item for item in heard[before:] if item.topic == topic)
                assert json.loads(again.payload) == json.loads(first[topic])
            setpoint = f"{BASE}/device/{device}/setpoint"
            assert topics.index(forms[0]) < topics.index(forms[1]) < topics.index(setpoint)
            assert topics.index(setpoint) < online - before


def everybody_is_told(heard: list[Heard]) -> bool:
    topics = {item.topic for item in heard}
    return all(f"{BASE}/device/{device}/setpoint" in topics for device in IDS)


def charging_is_planned(heard: list[Heard]) -> bool:
    told = {"schedule": 0, "setpoint": 0}
    for item in heard:
        name = item.topic.removeprefix(f"{BASE}/device/ev/")
        if name in told:
            body = json.loads(item.payload)
            told[name] = body["revision"] if body.get("slots", True) else 0
    return 0 < told["schedule"] == told["setpoint"]


async def test_revisions_grow_over_a_restart_though_the_clock_went_back(tmp_path: Path) -> None:
    async with real_home("mosquitto", EVENING) as home:
        await plug_in(home)
        store = database(tmp_path)
        async with home.agent(home.config([EV]), store):
            first = await home.until("device/ev/schedule")
        store.close()
    async with real_home("mosquitto", EVENING - timedelta(hours=5)) as home:
        store = database(tmp_path)
        async with home.agent(home.config([EV]), store):
            await home.until_status(b"online")
            await home.say("device/ev/request", {"mode": "boost", "for_s": 7200})
            await home.until("device/ev/setpoint", reason="boost")
        store.close()
        revisions = [
            json.loads(item.payload)["revision"]
            for item in home.watcher.heard
            if item.topic == f"{BASE}/device/ev/schedule"
        ]
    assert revisions == sorted(set(revisions))
    assert revisions[0] >= first["revision"]
    assert revisions[-1] > first["revision"]


async def test_a_device_out_of_the_config_is_released_and_its_topics_emptied(
    tmp_path: Path,
) -> None:
    async with real_home("mosquitto", EVENING) as home:
        await plug_in(home)
        await home.say("device/ev/ack", {"revision": 1, "status_type": "ACCEPTED"}, retain=True)
        store = database(tmp_path)
        async with home.agent(home.config(DEVICES), store):
            await home.until("device/ev/setpoint")
        store.close()
        before = len(home.watcher.heard)
        store = database(tmp_path)
        async with home.agent(home.config(DEVICES[1:]), store):
            await home.until_status(b"online", after=before)
            await home.watcher.until(
                lambda heard: any(item.topic.endswith("/ev/wish") for item in heard[before:])
            )
        store.close()
        emptied = [
            item.topic.removeprefix(f"{BASE}/device/ev/")
            for item in home.watcher.heard[before:]
            if item.topic.startswith(f"{BASE}/device/ev/") and not item.payload
        ]
        named = {"parts": {"other_agent": {"state": "degraded"}}}
        assert not any(_names(item, named) for item in home.watcher.heard[before:])
        # What the device itself has published is not ours to take away.
        assert emptied == ["schedule", "schedule/compact", "setpoint", "wish"]
        kept = await retained(home)
        assert [topic for topic in kept if topic.startswith(f"{BASE}/device/ev/")] == [
            f"{BASE}/device/ev/state",
            f"{BASE}/device/ev/ack",
        ]
        assert f"{BASE}/device/heat_pump/schedule" in kept


async def test_a_schedule_of_another_agent_is_left_alone_and_named() -> None:
    """Two gateways with the same site: the second must not empty what the first has said."""
    async with real_home("mosquitto", EVENING) as home:
        for form in ("schedule", "schedule/compact", "setpoint", "wish"):
            await home.say(f"device/old/{form}", {"revision": 9}, retain=True)
        async with home.agent(home.config([EV]), Store.in_memory()):
            await home.until_status(b"online")
            named = {"parts": {"other_agent": {"state": "degraded"}}}
            await home.watcher.until(lambda heard: any(_names(item, named) for item in heard))
        kept = [topic for topic in await retained(home) if "/device/old/" in topic]
        assert len(kept) == 4


async def test_what_a_stranger_says_on_our_topic_is_replaced_by_what_is_true() -> None:
    async with (
        real_home("mosquitto", EVENING) as home,
        home.agent(home.config([EV]), Store.in_memory()),
    ):
        await home.until_status(b"online")
        for form in ("setpoint", "schedule"):
            ours = await home.until(f"device/ev/{form}")
            before = len(home.watcher.heard)
            await home.say(f"device/ev/{form}", {"revision": 5}, retain=True)
            await home.until(f"device/ev/{form}", after=before, revision=ours["revision"])
        named = {"parts": {"other_agent": {"state": "degraded"}}}
        await home.watcher.until(lambda heard: any(_names(item, named) for item in heard))


async def test_a_second_agent_that_leaves_does_not_leave_offline_behind() -> None:
    """What it says on the status of the one that lives is put back; health and ledger likewise."""
    async with (
        real_home("mosquitto", EVENING) as home,
        home.agent(home.config([EV]), Store.in_memory()),
    ):
        await home.until_status(b"online")
        for document in ("health", "ledger"):
            await home.until(document)
            before = len(home.watcher.heard)
            await home.say(document, {"revision": 5}, retain=True)
            await home.until(document, after=before + 1)
        before = len(home.watcher.heard)
        await home.say("status", b"offline", retain=True)
        await home.until_status(b"online", after=before)


def _names(item: Heard, wanted: dict[str, Any]) -> bool:
    if not item.topic.endswith("/health") or not item.payload:
        return False
    part = json.loads(item.payload)["parts"].get("other_agent")
    return part is not None and part["state"] == wanted["parts"]["other_agent"]["state"]


async def test_another_site_takes_back_what_stood_below_the_first(tmp_path: Path) -> None:
    async with real_home("mosquitto", EVENING) as home:
        await plug_in(home)
        store = database(tmp_path)
        async with home.agent(home.config([EV]), store):
            await home.until("device/ev/setpoint")
        store.close()
        store = database(tmp_path)
        moved = home.config([EV], site={"id": "cottage"})
        before = len(home.watcher.heard)
        async with home.agent(moved, store, until=b""):
            await home.watcher.until(
                lambda heard: any(
                    item.topic == f"{BASE}/device/ev/setpoint" and not item.payload
                    for item in heard[before:]
                )
            )
        store.close()
        kept = [topic for topic in await retained(home) if topic.startswith(BASE)]
        assert f"{BASE}/device/ev/schedule" not in kept
        assert f"{BASE}/device/ev/state" in kept


async def retained(home: RealHome) -> list[str]:
    """What the broker would tell a newcomer."""
    async with listening(home.broker, "newcomer") as late:
        await late.client.publish(f"{BASE}/end", b"", qos=1)
        await late.until_heard(f"{BASE}/end")
        return [item.topic for item in late.heard if item.retain]


async def test_a_crash_leaves_offline_behind() -> None:
    async with real_home("mosquitto", EVENING) as home:

        async def broken(_situation: Situation) -> Plan:
            await home.until_status(b"online")
            raise ZeroDivisionError

        config = home.config([EV])
        with pytest.raises(ExceptionGroup, match="TaskGroup"):
            await run_agent(
                config,
                clock=home.clock,
                source=tariff_source(config.tariff, home.clock),
                store=Store.in_memory(),
                stop=asyncio.Event(),
                plan=broken,
                trusted_clock=True,
            )
        await home.until_status(b"offline")


# --- what people ask ----------------------------------------------------------------------------


async def test_wishes_are_answered_and_refusals_say_why() -> None:
    async with (
        real_home("mosquitto", EVENING) as home,
        home.agent(home.config(DEVICES), Store.in_memory()),
    ):
        await home.until_status(b"online")
        await plug_in(home, 40)
        await home.until("device/ev/setpoint")

        async def ask(device: str, body: object) -> dict[str, Any]:
            before = len(home.watcher.heard)
            if not isinstance(body, dict):
                await home.say(f"device/{device}/request", body)
                return await home.until(f"device/{device}/wish", after=before)
            number = body.get("id", f"number {before}")
            await home.say(f"device/{device}/request", {**body, "id": number})
            return await home.until(f"device/{device}/wish", after=before, id=number)

        boost = await ask("ev", {"id": "1", "mode": "boost"})
        assert (boost["id"], boost["accepted"], boost["mode"]) == ("1", True, "boost")
        assert await home.until("device/ev/setpoint", mode="charge", reason="boost")
        pause = await ask("ev", {"id": "2", "mode": "pause", "for_s": 600})
        assert pause["mode"] == "pause"
        assert unix(pause["until"]) - home.clock.now().timestamp() == pytest.approx(600, abs=5)
        before = len(home.watcher.heard)
        auto = await ask("ev", {"id": "3", "mode": "auto"})
        assert (auto["mode"], auto["until"]) == ("auto", None)
        target = await ask("ev", {"target_soc_percent": 60, "ready_by": "05:30"})
        assert target["target_soc_percent"] == 60
        assert target["ready_by"] == "2026-01-16T04:30:00Z"
        await home.until("device/ev/schedule", after=before)
        cap = await ask("ev", {"price_cap": 0.5})
        assert (cap["price_cap"], cap["target_soc_percent"]) == (0.5, 60)
        start = await ask("dishwasher", {"start": True, "id": "dishes"})
        assert (start["loaded"], start["id"]) == (True, "dishes")
        assert await home.until("device/dishwasher/schedule", after=before)
        for device, body, reason in REFUSED:
            answer = await ask(device, body)
            assert not answer["accepted"], body
            assert re.search(reason, answer["reason"]), (body, answer["reason"])
            if device == "ev":
                assert (answer["target_soc_percent"], answer["mode"]) == (60, "auto"), body


REFUSED: list[tuple[str, object, str]] = [
    ("ev", {"target_soc_percent": 101}, "target_soc_percent.*100"),
    ("ev", {"target_soc_percent": 30}, "below the present 40 %"),
    ("ev", {"ready_by": "25:00"}, "25:00.*neither a clock time"),
    ("ev", {"ready_by": "2020-01-01T00:00:00Z"}, "within the next seven days"),
    ("ev", {"spin": True}, "spin: is not known"),
    ("ev", {"mode": "turbo"}, "mode.*'auto', 'boost' or 'pause'"),
    ("ev", {"mode": "boost", "until": "2026-01-15T10:00:00Z"}, "next 24 hours"),
    ("ev", {"mode": "boost", "until": "2026-01-16T10:00:00"}, "until"),
    ("ev", {"mode": "auto", "for_s": 60}, "no end"),
    ("ev", {"for_s": 60}, "go with a mode"),
    ("ev", {"start": True}, "start: ev .* does not know it"),
    ("ev", {}, "asks for nothing"),
    ("ev", b"[1]", "request"),
    ("ev", b"{", "request"),
    ("ev", b"[" * 3000, "request"),
    ("ev", b'{"price_cap": 1, "id": "' + b"x" * 5000 + b'"}', "at most 4096"),
    ("ev", b'{"price_cap": 1, "id": "' + b"x" * 20_000 + b'"}', "at most 4096"),
    ("ev", b"x" * 200_000, "at most 4096"),
    ("ev", {"price_cap": "cheap"}, "price_cap"),
    ("dishwasher", {"mode": "boost"}, "mode: dishwasher .* does not know it"),
    ("heat_pump", {"target_soc_percent": 50}, "does not know it"),
]


async def test_a_one_off_wish_survives_a_restart(tmp_path: Path) -> None:
    async with real_home("mosquitto", EVENING) as home:
        await plug_in(home)
        store = database(tmp_path)
        async with home.agent(home.config([EV]), store):
            await home.until("device/ev/setpoint")
            before = len(home.watcher.heard)
            body = {"id": "tonight", "target_soc_percent": 95, "ready_by": "06:15"}
            await home.say("device/ev/request", body)
            answered = await home.until("device/ev/wish", id="tonight")
            await home.until("device/ev/schedule", after=before)
        store.close()
        before = len(home.watcher.heard)
        store = database(tmp_path)
        async with home.agent(home.config([EV]), store):
            assert await home.until("device/ev/wish", after=before) == answered
            schedule = await home.until("device/ev/schedule", after=before)
            assert schedule["goal"]["target_soc_percent"] == 95
            assert schedule["goal"]["ready_by"] == "2026-01-16T05:15:00Z"
            # What was one-off ends with the session.
            await home.say("device/ev/state", {"plugged": False})
            over = await home.until("device/ev/wish", after=before, target_soc_percent=None)
            assert over["ready_by"] is None
        store.close()


async def test_a_site_request_is_answered_and_survives_a_restart(tmp_path: Path) -> None:
    async with real_home("mosquitto", EVENING) as home:
        store = database(tmp_path)
        away = format_instant(home.clock.now() + timedelta(days=3))
        async with home.agent(home.config([EV]), store):
            await home.until("device/ev/setpoint")
            long = b'{"refresh": true' + b" " * 20_000 + b"}"
            wrong: tuple[object, ...] = (
                b"{",
                {"refresh": "yes"},
                {"away": 1},
                b"[" * 3000,
                {"away_until": 5},
                {},
                long,
            )
            for body in wrong:
                before = len(home.watcher.heard)
                await home.say("site/request", body)
                refused = await home.until("site/wish", after=before)
                assert (refused["accepted"], bool(refused["reason"])) == (False, True), body
            before = len(home.watcher.heard)
            await home.say("site/request", {"id": "holiday", "away_until": away})
            answer = await home.until("site/wish", after=before, id="holiday")
            assert (answer["accepted"], answer["away_until"]) == (True, away)
        store.close()
        before = len(home.watcher.heard)
        store = database(tmp_path)
        async with home.agent(home.config([EV]), store):
            await home.until_status(b"online", after=before)
            await home.say("site/request", {"id": "again", "refresh": True})
            again = await home.until("site/wish", after=before, id="again")
            assert again["away_until"] == away
        store.close()


async def test_the_same_refusal_twice_is_answered_twice() -> None:
    async with (
        real_home("mosquitto", EVENING) as home,
        home.agent(home.config([EV]), Store.in_memory()),
    ):
        await home.until("device/ev/setpoint")
        answers = []
        for _ in range(2):
            before = len(home.watcher.heard)
            await home.say("device/ev/request", {"ready_by": "25:00"})
            answers.append(await home.until("device/ev/wish", after=before, accepted=False))
            await home.clock.sleep(1.1)
        assert answers[0]["at"] < answers[1]["at"]


async def test_a_revision_from_nowhere_does_not_use_up_the_numbers() -> None:
    """32 bits are soon at their end where anybody may acknowledge anything."""
    async with real_home("mosquitto", EVENING) as home:
        await plug_in(home)
        await home.say("device/ev/schedule", {"revision": 10**30}, retain=True)
        async with home.agent(home.config([EV]), Store.in_memory()):
            await home.say("device/ev/ack", {"revision": 2**32 - 1, "status_type": "ACCEPTED"})
            first = await home.until("device/ev/schedule", device="ev")
            before = len(home.watcher.heard)
            await home.say("device/ev/request", {"mode": "boost"})
            second = await home.until("device/ev/schedule", after=before)
            assert first["revision"] < second["revision"] < 2**31
