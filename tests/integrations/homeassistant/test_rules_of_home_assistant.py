"""Everything that is announced and shown, judged by Home Assistant's own schemas and templates."""

import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.contracts.wire import SiteRequest
from agent.home.kinds import KINDS
from agent.home.requests import read_request
from integrations.sandbox.household import HOUSEHOLDS
from tests.contracts.test_registry import SECTIONS
from tests.fakes.home import BASE, Home
from tests.integrations.homeassistant.lives import HUB, TANK, a_day, live, nothing, said_to

SCRIPT = Path(__file__).parents[2] / "fakes" / "home_assistant_rules.py"
PATIENCE_S = 120
OWN_COMMANDS = ("skip", "target", "announce", "away")
# What else a section may hold that people see: of each kind, beside the plain one.
VARIANTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "ev_charger": (
        {"max_power_w": 3700, "energy_kwh": 10, "price_cap": -0.05},
        {
            "max_power_w": 11000,
            "phases": "switched",
            "battery_kwh": 58,
            "floor_soc_percent": 100,
            "target_soc_percent": 100,
            "price_cap": 0.3,
        },
    ),
    "heat_pump": ({"power_w": 1500, "needs": [{"energy_kwh": 6}], "price_cap": 0.25},),
    "water_heater": ({"power_w": 1500, "needs": [{"hours": 2}]},),
    "program": (
        {"profile": [{"duration_s": 600, "power_w": 2000}], "ready_by": {"every_day": "06:45"}},
    ),
    "battery": (
        {
            "capacity_kwh": 5,
            "max_charge_w": 3000,
            "max_discharge_w": 3000,
            "reserve_soc_percent": 30,
            "grid_charge": False,
        },
    ),
    "house_heat_pump": (
        {
            "power_w": 3000,
            "comfort": [{"start": "06:00", "end": "22:00", "min_c": 20, "max_c": 23}],
        },
    ),
    # As cold and as hot as a section may ask for, which is more than a person may.
    "hot_water_tank": ({"power_w": 2000, "litres": 300, "setback": {"min_c": 5, "max_c": 95}},),
}
STATES: Sequence[Mapping[str, Any]] = (
    {"plugged": False},
    {"plugged": True, "soc_percent": 54.5, "power_w": 1234.5, "temperature_c": 43.2},
    {"power_w": -500, "energy_total_kwh": 1234.5678, "error": "it " * 60, "following": "manual"},
    {"plugged": True, "soc_percent": 100, "power_w": 0, "temperature_c": -12.5},
)
REQUESTS: Sequence[Mapping[str, Any]] = (
    {"mode": "boost"},
    {"mode": "boost", "for_s": 86_400},
    {"mode": "pause", "until": "06:00"},
    {"mode": "auto"},
    {"target_soc_percent": 99.5, "ready_by": "05:30", "keep": True},
    {"floor_soc_percent": 100, "keep": True},
    {"energy_kwh": 12.345, "price_cap": -1000},
    {"soc_percent": 0},
    {"comfort_min_c": 19.5, "comfort_max_c": 22.25},
    {"hours": 1.5},
    {"start": True},
    {"ready_by": "2026-01-17T05:00:00+01:00"},
    {"ready_by": "25:00"},
    {"turbo": "<b>{{ 1 / 0 }}</b>" * 20},
    {"reset": True},
)


async def everything_happens(home: Home) -> None:
    """Whatever changes what is shown: readings, wishes, limits, absence, each for some time."""
    await home.clock.sleep(60)
    devices = [name for name in home.broker.retained if name.startswith(f"{BASE}/ha/device/")]
    names = {name.removeprefix(f"{BASE}/ha/device/").partition("/")[0] for name in devices}
    for name in sorted(names):
        said_to(home, f"{BASE}/device/{name}/info", {"maker": "Acme", "model": "A", "serial": "1"})
    for body in STATES:
        for name in sorted(names):
            said_to(home, f"{BASE}/device/{name}/state", body)
        await home.clock.sleep(30)
    for request in REQUESTS:
        for name in sorted(names):
            said_to(home, f"{BASE}/device/{name}/request", request)
        await home.clock.sleep(30)
    said_to(home, f"{BASE}/site/limit", {"import_w": 900, "until": "2026-01-15T20:00:00Z"})
    said_to(home, f"{BASE}/site/request", {"away_until": "2026-01-20T18:00:00Z"})
    await home.clock.sleep(60)


def judged(program: Path, said: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """What Home Assistant makes of these messages."""
    done = subprocess.run(
        [program.parent / "python", SCRIPT],
        input=json.dumps({"prefix": "homeassistant", "said": list(said)}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def said_by(home: Home) -> list[tuple[str, str]]:
    """Everything that was said, in order; states that differ in nothing but their time once."""
    out: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()
    for item in home.broker.log:
        payload = item.payload.decode()
        shown = item.topic, re.sub(r'"at":"[^"]*"', "", payload)
        if "/ha/" not in item.topic or shown not in seen:
            out.append((item.topic, payload))
        seen.add(shown)
    return out


def entities_of(home: Home) -> set[str]:
    """Every entity that was ever announced in a device's message."""
    bodies = [
        json.loads(item.payload)
        for item in home.broker.log
        if item.topic.startswith("homeassistant/device/") and item.payload
    ]
    parts = [part for body in bodies for part in body["components"].values()]
    return {part["unique_id"] for part in parts if "unique_id" in part}


def test_every_kind_with_every_option_is_taken_as_it_is(program: Path) -> None:
    plain = [{"id": kind, "type": kind, **SECTIONS[kind]} for kind in KINDS]
    others = [
        {"id": f"{kind}-{index}", "type": kind, **section}
        for kind, sections in VARIANTS.items()
        for index, section in enumerate(sections)
    ]
    carbon = {"tariff": {"include_carbon": True}}
    home = live(
        (plain, carbon, everything_happens),
        (others, carbon, everything_happens),
        ([TANK], {"site": {"id": "old-mill"}}, nothing),
    )
    found = judged(program, said_by(home))
    assert found["faults"] == []
    assert found["judged"] >= len(entities_of(home))
    commands_are_requests(found["commands"])


@pytest.mark.full
@pytest.mark.parametrize("house", HOUSEHOLDS)
def test_a_whole_day_is_shown_without_a_complaint(program: Path, house: str) -> None:
    found = judged(program, said_by(a_day(HOUSEHOLDS[house])))
    assert found["faults"] == []


def commands_are_requests(commands: Sequence[tuple[str, str]]) -> None:
    """What Home Assistant sends is what the contract calls a request, or a command of our own."""
    assert commands
    for topic, payload in commands:
        if topic.endswith("/site/request"):
            SiteRequest.model_validate_json(payload)
        elif topic.endswith("/request"):
            read_request(payload.encode())
        else:
            assert topic.removesuffix("/set").rpartition("/")[2] in OWN_COMMANDS


# A fault, and what is said of it: of the whole device, of an entity, of what is shown.
FAULTS: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "origin": (lambda body: body.pop("origin"), "the device is refused"),
    "id": (lambda body: body["components"]["price"].pop("unique_id"), "the device is refused"),
    "platform": (
        lambda body: body["components"]["price"].update(platform="clock"),
        "the device is refused",
    ),
    "class": (
        lambda body: body["components"]["price"].update(state_class="sum"),
        "price: the sensor is refused",
    ),
    "sum": (
        lambda body: body["components"]["energy"].update(state_class="measurement"),
        "state class measurement with energy",
    ),
    "unit": (
        lambda body: body["components"]["energy"].update(unit_of_measurement="EUR"),
        "energy",
    ),
    "template": (
        lambda body: body["components"]["price"].update(value_template="{{ value_json.gone }}"),
        "has no attribute 'gone'",
    ),
    "value": (
        lambda body: body["components"]["price"].update(value_template="{{ value_json.health }}"),
        "no number: ",
    ),
    "list": (
        lambda body: body["components"]["health"].update(options=["fine"]),
        "option '",
    ),
}


def test_each_fault_would_be_found(program: Path) -> None:
    home = live(([TANK], {}, nothing))
    hub = json.loads(home.broker.retained[HUB])
    said = []
    for name, (spoil, _) in FAULTS.items():
        spoiled = copy.deepcopy(hub)
        spoil(spoiled)
        for key, part in spoiled["components"].items():
            if "unique_id" in part:
                part["unique_id"] = f"{name}/{key}"
        said.append((HUB.replace("_hub", name), json.dumps(spoiled)))
    said += [item for item in said_by(home) if item[0] == f"{BASE}/ha/hub"]
    found = judged(program, said)["faults"]
    for name, (_, word) in FAULTS.items():
        mine = [text for text in found if f"/{name}/config" in text or f" {name}/" in text]
        assert any(word in text for text in mine), (name, mine)
