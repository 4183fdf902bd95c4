"""What an appliance's entities show of its account and its last request."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.energy.profile import DeviceProfile
from agent.energy.readings import DeviceInfo
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule
from agent.energy.view import DeviceView, Planned, SiteView
from agent.ports import OutgoingMessage
from integrations.homeassistant.appliance import announcement, state, words
from integrations.homeassistant.hub import Prices, away_request
from integrations.homeassistant.hub import state as hub_state
from integrations.homeassistant.names import Names
from integrations.homeassistant.plan import why

NOW = datetime(2026, 1, 15, 18, tzinfo=UTC)
NAMES = Names("flatpeak", "home", "homeassistant", "homeassistant/status")
BERLIN = ZoneInfo("Europe/Berlin")
LEDGER = {
    "currency": "EUR",
    "total": {"month": {"saved": 4.5, "cost": 9}, "ever": {"saved": 12.25, "energy_kwh": 812.5}},
    "devices": {
        "pump": {
            "month": {"cost": 3.2, "saved": 1.1},
            "ever": {"energy_kwh": 101.25},
            "session": {"open": True, "cost": 0.4, "saved": 0.123456},
        }
    },
}
VIEW = DeviceView(
    id="pump",
    kind="load",
    profile=DeviceProfile(
        id="pump",
        type=DeviceType.FLEXIBLE,
        on_mode="charge",
        pause_mode="idle",
        max_power_w=800,
        min_power_w=800,
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(900, "release", 0),
    ),
    info=DeviceInfo(),
    wish_keys=frozenset({"mode", "until", "for_s"}),
    settings={},
    linked=True,
    opted_out=False,
    has_stays=False,
    plugged=True,
    power_w=0.0,
    session_kwh=0.0,
    soc_percent=None,
    battery_kwh=None,
    charge_efficiency=1.0,
    discharge_efficiency=1.0,
    temperature_c=None,
    planned=Planned(),
    problems={},
)


def wish(**keys: object) -> dict[str, OutgoingMessage]:
    topic = NAMES.topics.wish("pump")
    return {topic: OutgoingMessage(topic, json.dumps({"accepted": True, "reason": "", **keys}))}


def test_cost_and_saving_of_the_session_and_the_month() -> None:
    found = state(VIEW, NAMES, {}, LEDGER, "It waits.", BERLIN, NOW)
    shown = {k: float(str(found[k])) for k in ("session_cost", "session_saved", "month_cost")}
    assert shown == {"session_cost": 0.4, "session_saved": 0.1235, "month_cost": 3.2}
    assert float(str(found["energy_kwh"])) == 101.25
    hub: dict[str, Any] = hub_state(SiteView({}), Prices((), ()), NAMES, {}, LEDGER, BERLIN, NOW)
    assert [float(hub[key]) for key in ("saved", "month_saved", "energy_kwh")] == [
        12.25,
        4.5,
        812.5,
    ]
    assert hub["cost"] is None


def test_without_an_account_nothing_is_made_up() -> None:
    found = state(VIEW, NAMES, {}, {}, "It waits.", BERLIN, NOW)
    assert found["session_cost"] is found["month_saved"] is found["energy_kwh"] is None


def test_a_boost_shows_the_minutes_that_are_left_and_a_refusal_its_reason() -> None:
    said = wish(mode="boost", until="2026-01-15T18:29:30Z")
    assert state(VIEW, NAMES, said, {}, "It waits.", BERLIN, NOW)["boost_min"] == 30
    over = wish(mode="boost", until="2026-01-15T17:00:00Z")
    assert state(VIEW, NAMES, over, {}, "It waits.", BERLIN, NOW)["boost_min"] == 0
    refused = wish(accepted=False, reason="too much " * 60)
    text = str(state(VIEW, NAMES, refused, {}, "It waits.", BERLIN, NOW)["request"])
    assert text.startswith("refused: too much")
    assert len(text) <= 255


def test_a_boost_that_waits_for_the_clock_is_not_said_to_run() -> None:
    said = wish(mode="boost", until="2026-01-15T18:29:30Z")
    assert state(VIEW, NAMES, said, {}, "", BERLIN, NOW)["state"] == "boosting"
    waits = state(VIEW, NAMES, said, {}, "", BERLIN, NOW, clock_trusted=False)
    assert waits["state"] == "waiting"
    assert "time of day" in why(VIEW, NOW, None, clock_trusted=False).text
    away = replace(VIEW, plugged=False)
    assert why(away, NOW, None, clock_trusted=False).text == "It is not plugged in."


def test_a_person_at_the_device_is_the_reason() -> None:
    assert "overridden" in why(replace(VIEW, opted_out=True), NOW, None).text


def test_names_are_words_for_people() -> None:
    assert [words(name) for name in ("ev", "heat_pump", "pv-meter", "ev2")] == [
        "EV",
        "Heat pump",
        "PV meter",
        "EV 2",
    ]


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        ("2026-03-29 01:59", "2026-03-29T00:59:00Z"),
        ("2026-03-29 02:30", "2026-03-29T01:00:00Z"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
    ],
)
def test_away_until_by_a_clock_that_changes(local: str, instant: str) -> None:
    """A local time that is skipped means the end of the gap, one that comes twice the first."""
    assert away_request(local, BERLIN) == {"away_until": instant}


@pytest.mark.parametrize(
    ("told", "tells", "announced"), [(None, True, True), (None, False, False), (41.0, False, True)]
)
def test_heat_has_a_temperature_where_one_can_be_expected(
    told: float | None, tells: bool, announced: bool
) -> None:
    heat = replace(VIEW.profile, type=DeviceType.SPACE_HEATING)
    view = replace(VIEW, profile=heat, temperature_c=told, tells_temperature=tells)
    entities = announcement(view, NAMES, "EUR").entities
    assert ("temperature" in [entity.key for entity in entities]) is announced
