"""One appliance: its entities from what it is and can, and the state that they show. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix, parse_instant
from agent.energy.view import DeviceView
from agent.ports import OutgoingMessage
from integrations.homeassistant.controls import LONGEST_BOOST_MIN, NUMBERS, controls
from integrations.homeassistant.entities import (
    DIAGNOSTIC,
    Entity,
    binary,
    choice,
    energy,
    event,
    money,
    problem,
    sensor,
    timestamp,
)
from integrations.homeassistant.message import Announcement, linked_availability
from integrations.homeassistant.names import Names
from integrations.homeassistant.plan import (
    active_slot,
    coming_slots,
    cost_of,
    energy_of,
    runs,
    sentence,
)

DEADLINE_AT_RISK = "deadline_at_risk"
PROBLEMS = {
    DEADLINE_AT_RISK: "Deadline at risk",
    "not_following": "Does not follow",
    "silent": "Silent",
    "assumed_value": "Assumed value",
    "fault": "Fault",
}
EVENTS = (
    "plan_changed",
    "window_started",
    "window_ended",
    DEADLINE_AT_RISK,
    "device_silent",
    "device_refuses",
    "not_following",
    "user_opt_out",
    "request_refused",
    "unknown_keys",
)
# By the mode of the slot it is in.
DOING = {
    "charge": "charging",
    "discharge": "discharging",
    "hold": "holding",
    "block": "blocked",
    "boost": "running",
    "force": "running",
    "run": "running",
    "limit": "limited",
}
STATES = (
    "unplugged",
    "overridden",
    "paused",
    "boosting",
    "charging",
    "discharging",
    "holding",
    "running",
    "blocked",
    "limited",
    "waiting",
    "idle",
)
# What the contract calls a key, people know by the name of its control.
NAMES = {key: control.name for key, control in NUMBERS.items()} | {
    "ready_by": "Ready by",
    "away_until": "Away until",
}
KEYS = re.compile(rf"\b({'|'.join(NAMES)})\b")
SHORT_WORDS = ("ev", "pv")
MOST_STATE = 250
KWH_DIGITS, MONEY_DIGITS = 3, 4


def announcement(view: DeviceView, names: Names, currency: str) -> Announcement:
    entities = [
        *_readings(view, names),
        *_plan(view, names, currency),
        *_problems(view, names),
        *controls(view, names, currency),
        sensor("request", "Last request", "request", entity_category=DIAGNOSTIC),
        event(names.topics.event, EVENTS, view.id),
    ]
    site = f" ({names.told_apart})" if names.told_apart else ""
    return Announcement(view.id, f"{words(view.id)}{site}", words(view.kind), view.info, entities)


def words(name: str) -> str:
    """`heat_pump` as people write it, `ev2` too."""
    parts = re.findall(r"[a-z]+|\d+", name)
    parts = [part.upper() if part in SHORT_WORDS else part for part in parts]
    text = " ".join(parts)
    return f"{text[:1].upper()}{text[1:]}"


def _readings(view: DeviceView, names: Names) -> Iterator[Entity]:
    link = linked_availability(view.id, names)
    yield sensor(
        "power",
        "Power",
        "power_w",
        device_class="power",
        unit_of_measurement="W",
        state_class="measurement",
        suggested_display_precision=0,
        **link,
    )
    if not view.profile.produces:
        yield energy("session_energy", "Energy of this session", "session_kwh")
        yield energy("energy", "Energy", "energy_kwh")
    if view.battery_kwh is not None:
        yield sensor(
            "soc",
            "State of charge",
            "soc_percent",
            device_class="battery",
            unit_of_measurement="%",
            state_class="measurement",
            suggested_display_precision=0,
        )
    if view.temperature_c is not None or (view.profile.is_heat and view.tells_temperature):
        yield sensor(
            "temperature",
            "Temperature",
            "temperature_c",
            device_class="temperature",
            unit_of_measurement="°C",
            state_class="measurement",
            **link,
        )
    if view.has_stays:
        yield binary("plugged", "Plugged in", "plugged", device_class="plug", **link)


def _plan(view: DeviceView, names: Names, currency: str) -> Iterator[Entity]:
    yield choice("state", "State", "state", STATES)
    yield sensor("plan", "Plan", "plan", json_attributes_topic=names.attributes(view.id, "plan"))
    yield sensor("reason", "Reason", "reason")
    yield timestamp("next_start", "Next start", "next_start")
    yield timestamp("next_end", "Next end", "next_end")
    if view.profile.produces:
        # Nobody pays for what it gives, and only limits of it are planned.
        return
    yield sensor(
        "planned_energy",
        "Planned energy",
        "planned_kwh",
        unit_of_measurement="kWh",
        suggested_display_precision=2,
    )
    if not currency:
        return
    yield money("planned_cost", "Planned cost", "planned_cost", currency)
    for span, name in (("session", "this session"), ("month", "this month")):
        yield money(f"{span}_cost", f"Cost {name}", f"{span}_cost", currency)
        yield money(f"{span}_saved", f"Saved {name}", f"{span}_saved", currency)


def _problems(view: DeviceView, names: Names) -> Iterator[Entity]:
    for key, name in PROBLEMS.items():
        if key == DEADLINE_AT_RISK and view.profile.produces:
            # Nothing has to be ready by a time.
            continue
        yield problem(key, name, names.state(view.id))


def state(
    view: DeviceView,
    names: Names,
    said: Mapping[str, OutgoingMessage],
    ledger: Mapping[str, Any],
    reason: str,
    zone: ZoneInfo,
    now: datetime,
    *,
    clock_trusted: bool = True,
) -> dict[str, object]:
    """What the entities show. `said` is everything that is true on retained topics.

    While the clock is not trusted a boost or pause waits.
    """
    wish = document(said, names.topics.wish(view.id))
    mode = wish.get("mode") or "auto"
    slots = coming_slots(view, now)
    spans = runs(slots)
    account = ledger.get("devices", {}).get(view.id, {})
    second = now.timestamp()
    following = next((span for span in spans if span.start > second), None)
    current = next((span for span in spans if span.start <= second), None)
    ending = current or following
    settings = {key: _rounded(item.value) for key, item in view.settings.items()}
    return {
        "at": now,
        "linked": view.linked,
        "plugged": view.plugged,
        "state": _state(
            view,
            mode if clock_trusted else "auto",
            now,
            waits=following is not None or (not clock_trusted and mode != "auto"),
        ),
        "power_w": round(view.power_w),
        "session_kwh": round(view.session_kwh, KWH_DIGITS),
        "energy_kwh": _of(account, "ever", "energy_kwh"),
        "soc_percent": None if view.soc_percent is None else round(view.soc_percent, 1),
        "temperature_c": view.temperature_c,
        "plan": sentence(view, now, zone),
        "reason": reason,
        "next_start": None if following is None else from_unix(following.start),
        "next_end": None if ending is None else from_unix(ending.end),
        "planned_kwh": round(energy_of(slots), KWH_DIGITS),
        "planned_cost": round(cost_of(slots), MONEY_DIGITS),
        "session_cost": _of(account, "session", "cost"),
        "session_saved": _of(account, "session", "saved"),
        "month_cost": _of(account, "month", "cost"),
        "month_saved": _of(account, "month", "saved"),
        "mode": mode,
        "boost_min": _boost_min(wish, now),
        "loaded": bool(wish.get("loaded")),
        "settings": settings,
        "request": answer(wish),
        "problems": {key: _problem(view, key) for key in PROBLEMS},
    }


def _problem(view: DeviceView, key: str) -> dict[str, str] | None:
    found = view.problems.get(key)
    return None if found is None else {"text": found.text, "what_to_do": found.what_to_do}


def _state(view: DeviceView, mode: str, now: datetime, *, waits: bool) -> str:
    if not view.plugged:
        return "unplugged"
    if view.opted_out:
        return "overridden"
    if mode == "pause":
        return "paused"
    if mode == "boost":
        return "boosting"
    slot = active_slot(view, now)
    if slot is not None and slot.mode in DOING:
        return DOING[slot.mode]
    return "waiting" if waits else "idle"


def _boost_min(wish: Mapping[str, Any], now: datetime) -> int:
    """Minutes that a boost still lasts; 0 where there is none, never more than may be asked for."""
    if wish.get("mode") != "boost" or not wish.get("until"):
        return 0
    left_s = (parse_instant(str(wish["until"])) - now).total_seconds()
    return min(LONGEST_BOOST_MIN, max(0, -int(-left_s // 60)))


def answer(wish: Mapping[str, Any]) -> str:
    """What became of the last request."""
    reason = KEYS.sub(lambda found: NAMES[found[0]], str(wish.get("reason") or ""))
    if not wish.get("accepted", True):
        return f"refused: {reason}"[:MOST_STATE]
    return reason[:MOST_STATE] or "accepted"


def _rounded(value: float | str | None) -> float | str | None:
    return round(value, MONEY_DIGITS) if isinstance(value, float) else value


def document(said: Mapping[str, OutgoingMessage], topic: str) -> dict[str, Any]:
    """A JSON object of ours; empty where nothing stands there."""
    message = said.get(topic)
    found = json.loads(message.payload) if message is not None and message.payload else {}
    return found if isinstance(found, dict) else {}


def _of(account: Mapping[str, Any], span: str, key: str) -> object:
    value = (account.get(span) or {}).get(key)
    return None if value is None else round(Decimal(repr(value)), MONEY_DIGITS)
