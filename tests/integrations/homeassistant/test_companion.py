"""What Home Assistant finds on the broker, told by the whole agent in virtual time."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.contracts.catalogue import Text
from agent.home.kinds import KINDS
from integrations.homeassistant.commands import TOPICS
from integrations.sandbox.household import FULL_DEVICES, FULL_SITE
from tests.contracts.test_registry import SECTIONS
from tests.fakes.home import BASE, Home
from tests.integrations.homeassistant.discovery_rules import faults, missing_values
from tests.integrations.homeassistant.lives import EV, HUB, TANK, live, nothing, said_to

BIRTH = "homeassistant/status"


def config_of(device: str, *, prefix: str = "homeassistant", site: str = "home") -> str:
    return f"{prefix}/device/flatpeak_{site}/{device}/config"


def announced(home: Home) -> set[str]:
    return {topic for topic in home.broker.retained if topic.endswith("/config")}


def message(home: Home, topic: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(home.broker.retained[topic])
    return found


def shown(home: Home, device: str) -> dict[str, Any]:
    return dict(home.body(f"ha/device/{device}"))


def test_the_whole_household_is_announced_by_the_rules() -> None:
    home = live((FULL_DEVICES, {"site": FULL_SITE}, nothing))
    assert list(faults(home.broker.retained)) == []
    assert list(missing_values(home.broker.retained)) == []
    for device in ("ev", "heat_pump", "water_heater", "dishwasher", "battery"):
        assert message(home, config_of(device))["device"]["via_device"] == BASE
    assert message(home, HUB)["components"]["price"]["unit_of_measurement"] == "EUR/kWh"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_entities_from_what_it_can(kind: str) -> None:
    home = live(([{"id": "one", "type": kind, **SECTIONS[kind]}], {}, nothing))
    assert list(faults(home.broker.retained)) == []
    assert list(missing_values(home.broker.retained)) == []
    parts = message(home, config_of("one"))["components"]
    assert {"state", "power", "plan", "reason", "silent"} <= set(parts)
    # What only gives has nothing to be ready by.
    assert ("deadline_at_risk" in parts) == (kind != "pv_inverter")
    keys = KINDS[kind].wish_keys(
        KINDS[kind].section.model_validate({"id": "one", "type": kind, **SECTIONS[kind]})
    )
    assert ("mode" in parts) == ("mode" in keys)
    assert ("target_soc_percent" in parts) == ("target_soc_percent" in keys)
    assert ("loaded" in parts) == ("start" in keys)
    # Nobody pays for what an inverter gives, and it is counted by its own meter.
    assert ("month_cost" in parts) == ("energy" in parts) == (kind != "pv_inverter")


def test_a_number_offers_what_its_device_takes() -> None:
    section = SECTIONS["battery"] | {"min_soc_percent": 12, "max_soc_percent": 90}
    battery = {"id": "battery", "type": "battery", **section}
    house = {"id": "house", "type": "house_heat_pump", **SECTIONS["house_heat_pump"]}
    home = live(([battery, house], {}, nothing))
    floor = message(home, config_of("battery"))["components"]["floor_soc_percent"]
    assert (floor["min"], floor["max"]) == (12, 90)
    room = message(home, config_of("house"))["components"]["comfort_max_c"]
    assert (room["min"], room["max"]) == (5, 30)


def test_what_a_device_says_of_itself_is_shown_and_the_hub_comes_first() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        info = {"maker": "Acme", "model": "Box", "firmware": "2.1", "serial": "7"}
        said_to(home, f"{BASE}/device/ev/info", info)
        await home.clock.sleep(5)
        device = message(home, config_of("ev"))["device"]
        assert (device["manufacturer"], device["model"]) == ("Acme", "Box")
        assert (device["sw_version"], device["serial_number"]) == ("2.1", "7")

    home = live(([EV], {}, story))
    order = [said.topic for said in home.broker.log if said.topic.endswith("/config")]
    assert order[0] == HUB


def test_what_was_removed_from_the_config_is_taken_back() -> None:
    home = live(([EV, TANK], {}, nothing), ([TANK], {}, nothing))
    assert config_of("ev") not in home.broker.retained
    assert not [topic for topic in home.broker.retained if "/ev" in topic]
    assert config_of("tank") in home.broker.retained


@pytest.mark.parametrize(
    ("sections", "left"),
    [
        ({"site": {"id": "flat"}}, {"prefix": "homeassistant", "site": "flat"}),
        ({"homeassistant": {"prefix": "ha/two"}}, {"prefix": "ha/two", "site": "home"}),
    ],
)
def test_after_a_changed_site_or_prefix_only_the_new_one_stands(
    sections: Mapping[str, Any], left: dict[str, str]
) -> None:
    home = live(([TANK], {}, nothing), ([TANK], sections, nothing))
    assert config_of("tank", **left) in announced(home)
    start = f"{left['prefix']}/"
    assert all(
        topic.startswith(start) and f"/flatpeak_{left['site']}/" in topic
        for topic in announced(home)
    )


def test_houses_on_one_broker_are_told_apart_by_name_and_the_usual_one_keeps_its_short_names() -> (
    None
):
    found = {}
    for site in ("home", "cottage"):
        home = live(([TANK], {"site": {"id": site}}, nothing))
        topics = [config_of(device, site=site) for device in ("_hub", "tank")]
        bodies = [message(home, topic) for topic in topics]
        found[site] = [body["device"]["name"] for body in bodies]
        part = bodies[1]["components"]["power"]
        assert part["unique_id"] == f"flatpeak/{site}/tank/power"
    assert found["home"] == ["FlatPeak", "Tank"]
    assert found["cottage"] == ["FlatPeak cottage", "Tank (cottage)"]


def test_switched_off_nothing_is_left_and_switched_on_all_is_back() -> None:
    off: dict[str, Any] = {"homeassistant": {"enabled": False}}

    async def gone(home: Home) -> None:
        await home.clock.sleep(60)
        assert announced(home) == set()
        assert not [topic for topic in home.broker.retained if topic.startswith(f"{BASE}/ha/")]

    home = live(([TANK], {}, nothing), ([TANK], off, gone), ([TANK], {}, nothing))
    assert {HUB, config_of("tank")} <= announced(home)


def test_a_restart_takes_nothing_back_for_a_moment() -> None:
    home = live(([EV], {}, nothing), ([EV], {}, nothing))
    assert not [
        said for said in home.broker.log if said.topic.endswith("/config") and not said.payload
    ]


def test_an_entity_that_is_no_more_is_taken_back_by_name() -> None:
    plain = {k: v for k, v in EV.items() if k != "battery_kwh"} | {"energy_kwh": 10}
    home = live(([EV], {}, nothing), ([plain], {}, nothing))
    parts = message(home, config_of("ev"))["components"]
    assert parts["soc"] == {"platform": "sensor"}
    assert parts["target_soc_percent"] == {"platform": "number"}


def test_home_assistants_birth_brings_everything_once_more() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(120)
        home.broker.retained.clear()
        said_to(home, BIRTH, b"online")
        await home.clock.sleep(20)
        assert {HUB, config_of("ev")} <= announced(home)
        assert home.broker.retained[f"{BASE}/status"] == b"online"
        assert f"{BASE}/ha/device/ev" in home.broker.retained
        assert f"{BASE}/ha/hub/prices" in home.broker.retained

    live(([EV], {}, story))


def test_what_a_person_deletes_stays_away_until_it_is_asked_for() -> None:
    async def deletes(home: Home) -> None:
        await home.clock.sleep(60)
        home.broker.publish(config_of("ev"), b"", retain=True)
        await home.clock.sleep(10)
        said_to(home, BIRTH, b"online")
        await home.clock.sleep(60)
        assert config_of("ev") not in home.broker.retained

    async def wants_it_back(home: Home) -> None:
        await home.clock.sleep(60)
        assert config_of("ev") not in home.broker.retained
        assert config_of("tank") in home.broker.retained
        said_to(home, f"{BASE}/ha/hub/announce/set", b"PRESS")
        await home.clock.sleep(60)
        assert config_of("ev") in home.broker.retained

    live(([EV, TANK], {}, deletes), ([EV, TANK], {}, wants_it_back))


async def plug_in(home: Home) -> None:
    await home.clock.sleep(60)
    said_to(home, f"{BASE}/device/ev/state", {"plugged": True, "soc_percent": 50, "power_w": 0})
    await home.clock.sleep(10)


def test_a_plan_says_what_it_holds_after_each_slot() -> None:
    async def story(home: Home) -> None:
        await plug_in(home)
        plan = home.body("ha/device/ev/plan")
        windows: Any = plan["windows"]
        assert windows
        assert windows[-1]["soc_percent"] >= 80
        assert windows[0]["soc_percent"] < windows[-1]["soc_percent"] or len(windows) == 1
        now = shown(home, "ev")
        assert now["state"] == "waiting"
        assert now["plan"].startswith("Charge ")
        assert now["next_start"] == format_utc(windows[0]["start"])
        assert now["reason"]

    live(([EV], {}, story))


def format_utc(local: str) -> str:
    return datetime.fromisoformat(local).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_controls_show_what_holds_and_a_refused_one_the_old_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    async def story(home: Home) -> None:
        await plug_in(home)
        request = f"{BASE}/device/ev/request"
        said_to(home, request, {"target_soc_percent": 90, "keep": True})
        said_to(home, request, {"mode": "boost", "for_s": 3600})
        await home.clock.sleep(2)
        now = shown(home, "ev")
        assert (now["settings"]["target_soc_percent"], now["mode"]) == (90, "boost")
        assert 59 <= now["boost_min"] <= 60
        assert now["request"] == "accepted"
        # By then the boost is in the plan.
        await home.clock.sleep(20)
        schedule = home.body("device/ev/schedule")
        for wrong, word in (
            ({"ready_by": "25:00", "keep": True}, "25:00"),
            ({"target_soc_percent": 30, "keep": True}, "below the present"),
            ({"target_soc_percent": 300, "keep": True}, "Target charge"),
            ({"mode": "turbo"}, "mode"),
        ):
            said_to(home, request, wrong)
            await home.clock.sleep(2)
            after = shown(home, "ev")
            assert after["request"].startswith("refused: ")
            assert word in after["request"]
            word = word.replace("Target charge", "target_soc_percent")
            assert after["settings"] == now["settings"]
            assert after["mode"] == "boost"
            assert home.body("device/ev/schedule") == schedule
            answer = home.body("device/ev/wish")
            assert answer["accepted"] is False
            assert word in str(answer["reason"])
            assert f"ev: request refused: {answer['reason']}" in caplog.text
        events = [json.loads(body) for body in home.broker.bodies(f"{BASE}/event")]
        assert "request_refused" in {event["type"] for event in events}

    live(([EV], {}, story))


def test_a_reason_is_news_only_where_it_means_something_else() -> None:
    async def story(home: Home) -> None:
        await plug_in(home)
        before = len(home.broker.bodies(f"{BASE}/ha/device/ev"))
        texts = len(home.broker.bodies(f"{BASE}/ha/device/ev/plan"))
        await home.clock.sleep(50 * 60)
        later = home.bodies("ha/device/ev")[before:]
        # Meanwhile it was planned again and again, and what waiting saves has become less.
        assert len(later) > 40
        assert len({body["reason"] for body in later}) == 1
        assert later[0]["reason"].startswith("Waits until Fri ")
        assert not re.search(r"\d\d:\d\d:\d\d", later[0]["reason"])
        assert len(home.broker.bodies(f"{BASE}/ha/device/ev/plan")) == texts
        said_to(home, f"{BASE}/device/ev/request", {"mode": "boost"})
        await home.clock.sleep(20)
        assert shown(home, "ev")["reason"] == "A person asked for a boost."
        said_to(home, f"{BASE}/device/ev/state", {"plugged": False})
        await home.clock.sleep(20)
        assert shown(home, "ev")["reason"] == "It is not plugged in."

    live(([EV], {}, story))


def test_a_car_that_is_away_has_no_state_of_charge() -> None:
    async def story(home: Home) -> None:
        state = f"{BASE}/device/ev/state"
        await plug_in(home)
        assert shown(home, "ev")["soc_percent"] == 50
        said_to(home, state, {"plugged": False})
        await home.clock.sleep(1200)
        assert shown(home, "ev")["soc_percent"] is None
        assert shown(home, "ev")["settings"]["soc_percent"] is None
        # Back, and it tells none: what is assumed, with what it has taken since.
        said_to(home, state, {"plugged": True, "power_w": 0, "energy_total_kwh": 10})
        await home.clock.sleep(60)
        assert shown(home, "ev")["soc_percent"] == 40
        said_to(home, f"{BASE}/device/ev/request", {"mode": "boost"})
        said_to(home, state, {"power_w": 11_000})
        await home.clock.sleep(1200)
        assert 43 < shown(home, "ev")["soc_percent"] < 47

    live(([EV], {}, story))


def test_skip_tonight_pauses_to_the_ready_by_and_moves_it_a_day_on() -> None:
    async def story(home: Home) -> None:
        await plug_in(home)
        said_to(home, f"{BASE}/ha/device/ev/skip/set", b"PRESS")
        await home.clock.sleep(5)
        wish = home.body("device/ev/wish")
        assert (wish["mode"], wish["until"]) == ("pause", "2026-01-16T06:00:00Z")
        assert wish["ready_by"] == "2026-01-17T06:00:00Z"
        assert shown(home, "ev")["state"] == "paused"
        # Pressed again it is the same night.
        await home.clock.sleep(30)
        said_to(home, f"{BASE}/ha/device/ev/skip/set", b"PRESS")
        await home.clock.sleep(5)
        again = home.body("device/ev/wish")
        assert {**again, "at": wish["at"]} == wish

    live(([EV], {}, story))


@pytest.mark.parametrize(
    ("ready_by", "until", "next_ready"),
    [
        ({"every_day": "07:00"}, "2026-01-16T06:00:00Z", "2026-01-17T06:00:00Z"),
        # On Monday only, and this is Thursday: nothing has to be ready any sooner.
        ({"mon": "07:00"}, "2026-01-16T06:00:00Z", None),
        ({}, "2026-01-16T06:00:00Z", None),
    ],
)
def test_skip_tonight_means_the_night_before_a_car_that_is_not_here_yet(
    ready_by: Mapping[str, str], until: str, next_ready: str | None
) -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        said_to(home, f"{BASE}/ha/device/ev/skip/set", b"PRESS")
        await home.clock.sleep(5)
        said_to(home, f"{BASE}/ha/device/ev/skip/set", b"PRESS")
        await home.clock.sleep(5)
        wish = home.body("device/ev/wish")
        assert (wish["accepted"], wish["mode"], wish["until"]) == (True, "pause", until)
        assert wish["ready_by"] == next_ready
        await plug_in(home)
        slots: Any = home.body("device/ev/schedule")["slots"]
        assert all(slot["start"] >= until for slot in slots)

    live(([EV | {"ready_by": ready_by}], {}, story))


def test_a_batterys_target_brings_a_time_along() -> None:
    battery = {"id": "one", "type": "battery", **SECTIONS["battery"]}

    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        said_to(home, f"{BASE}/ha/device/one/target/set", b"90")
        await home.clock.sleep(5)
        settings = shown(home, "one")["settings"]
        assert (settings["target_soc_percent"], settings["ready_by"]) == (90, "07:00")

    live(([battery], {}, story))


@pytest.mark.parametrize("said", [b"nan", b"-inf", b"warm", b"", b"\xff", b"1e308", b"9" * 9000])
def test_a_target_that_cannot_be_is_answered_on_every_kind_of_device(said: bytes) -> None:
    kinds = ("battery", "ev_charger", "pv_inverter", "hot_water_tank", "program")
    devices = [{"id": f"{kind}_1", "type": kind, **SECTIONS[kind]} for kind in kinds]

    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        for kind in kinds:
            said_to(home, f"{BASE}/ha/device/{kind}_1/target/set", said)
        await home.clock.sleep(5)
        for kind in kinds:
            wish = home.body(f"device/{kind}_1/wish")
            assert wish["accepted"] is False
            assert wish["reason"]
        counts = home.body("health")["counts"]
        assert isinstance(counts, dict)
        assert not {"failed_messages", "unreadable_messages"} & counts.keys()

    live((devices, {}, story))


def test_away_until_takes_local_time_an_instant_or_nothing() -> None:
    async def story(home: Home) -> None:
        topic = f"{BASE}/ha/hub/away/set"
        await home.clock.sleep(60)
        for said, text in (
            (b"2026-01-20 18:00", "2026-01-20 18:00"),
            (b"2026-01-21T18:00:00+00:00", "2026-01-21 19:00"),
            (b"2026-02-31 18:00", "2026-01-21 19:00"),
            (b"9999-12-31T23:59:59-14:00", "2026-01-21 19:00"),
            (b"", ""),
        ):
            said_to(home, topic, said)
            await home.clock.sleep(2)
            assert home.body("ha/hub")["away_text"] == text
            refused = str(home.body("ha/hub")["request"]).startswith("refused")
            assert refused == said.startswith((b"2026-02-31", b"9999"))

    live(([TANK], {}, story))


def problems(home: Home, device: str) -> set[str]:
    return {key for key, value in shown(home, device)["problems"].items() if value}


def test_a_problem_is_one_entity_and_gone_within_a_minute_of_its_cure() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        assert problems(home, "ev") == {"silent"}
        said_to(home, f"{BASE}/device/ev/state", {"plugged": True, "power_w": 0})
        await home.clock.sleep(60)
        assert problems(home, "ev") == {"assumed_value"}
        said_to(home, f"{BASE}/device/ev/info", {"max_power_w": 3700})
        await home.clock.sleep(60)
        assert problems(home, "ev") == {"assumed_value", "fault"}
        fault = shown(home, "ev")["problems"]["fault"]
        assert fault["text"] == "says it can take 3700 W, the config 11000 W"
        assert fault["what_to_do"] == "Correct the config, or what is set in the device."
        said_to(home, f"{BASE}/device/ev/info", {"max_power_w": 11_000})
        said_to(home, f"{BASE}/device/ev/request", {"soc_percent": 10})
        await home.clock.sleep(60)
        assert problems(home, "ev") == set()
        soon = {"target_soc_percent": 100, "ready_by": "17:00"}
        said_to(home, f"{BASE}/device/ev/request", soon)
        await home.clock.sleep(60)
        assert problems(home, "ev") == {"deadline_at_risk"}
        found = shown(home, "ev")["problems"]["deadline_at_risk"]
        assert "17:00" in found["text"]
        assert found["what_to_do"]
        said_to(home, f"{BASE}/device/ev/request", {"reset": True})
        await home.clock.sleep(60)
        assert problems(home, "ev") == set()
        said_to(home, f"{BASE}/site/limit", {"import_w": 9000, "until": "2026-01-15T15:20:00Z"})
        await home.clock.sleep(10)
        hub: Any = home.body("ha/hub")["problems"]
        assert "9 kW until 16:20" in hub["limit_in_force"]["text"]
        said_to(home, f"{BASE}/site/limit", {"windows": []})
        await home.clock.sleep(60)
        hub = home.body("ha/hub")["problems"]
        assert hub == {"limit_in_force": None, "prices_stale": None}

    live(([EV], {}, story))


def test_states_come_anew_so_that_what_expires_was_lost() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        before = len(home.broker.bodies(f"{BASE}/ha/device/ev"))
        await home.clock.sleep(600)
        times = [json.loads(body)["at"] for body in home.broker.bodies(f"{BASE}/ha/device/ev")]
        assert 9 <= len(times) - before <= 14
        assert len(set(times)) == len(times)

    live(([EV], {}, story))


def test_what_a_person_deleted_while_the_agent_was_away_stays_away() -> None:
    async def deleting(home: Home) -> None:
        await home.clock.sleep(3600 + 60)
        # Home Assistant's way of saying so.
        home.broker.publish(config_of("ev"), b"", retain=True)

    home = live(([EV, TANK], {}, deleting), ([EV, TANK], {}, nothing))
    assert config_of("ev") not in home.broker.retained
    assert config_of("tank") in home.broker.retained


def test_a_broker_that_lost_everything_is_no_deletion() -> None:
    async def losing(home: Home) -> None:
        await home.clock.sleep(3600 + 60)
        for topic in announced(home):
            home.broker.publish(topic, b"", retain=True)

    home = live(([EV, TANK], {}, losing), ([EV, TANK], {}, nothing))
    assert {config_of("ev"), config_of("tank"), HUB} <= announced(home)


def test_the_commands_that_are_described_are_those_that_are_heard_and_examples_are_taken() -> None:
    described = {f"{BASE}/{topic.name.replace('{device}', '+')}": topic for topic in TOPICS}
    away = described[f"{BASE}/ha/hub/away/set"]
    assert isinstance(away.payload, Text)
    examples = away.payload.examples

    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        patterns = {pattern for item in home.broker.subscribers for pattern in item.patterns}
        assert {pattern for pattern in patterns if f"{BASE}/ha/" in pattern} == described.keys()
        until = "2026-12-24T17:00:00Z"
        for example, wanted in zip(examples, (until, until, None), strict=True):
            said_to(home, f"{BASE}/ha/hub/away/set", example.encode())
            await home.clock.sleep(5)
            wish = home.body("site/wish")
            assert (wish["accepted"], wish["away_until"]) == (True, wanted)

    live(([EV], {}, story))
