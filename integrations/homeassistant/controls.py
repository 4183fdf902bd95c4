"""What an owner may ask of a device, from the keys of a request that it knows. Pure.

Each control says a request of the agent's contract, so what is refused, kept and stored is decided
there; it shows the value in force, so a refused one shows the old value again.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.instants import format_instant, from_unix, to_unix_floor
from agent.energy.localtime import local_instant
from agent.energy.schedule import DeviceType
from agent.energy.view import DeviceView
from integrations.homeassistant.entities import (
    CONFIG,
    Entity,
    button,
    number,
    select,
    text,
)
from integrations.homeassistant.names import Names

MODES = ("auto", "boost", "pause")
LONGEST_BOOST_MIN = 1440
DAY_S = 86_400
USUAL_READY_BY = "07:00"
CLOCK = r"\d\d:\d\d"
# Entities on topics of their own: key and platform.
LATER = {"ready_by_time": "time"}
READY_BY = '{"ready_by":%s,"keep":true}'
BOOST = (
    '{% if value | int > 0 %}{"mode":"boost","for_s":{{ value | int * 60 }}}'
    '{% else %}{"mode":"auto"}{% endif %}'
)


@dataclass(frozen=True, slots=True)
class NumberControl:
    """A number of a request. `kept` stands until it is changed, others end with the session."""

    name: str
    step: float
    unit: str = ""
    device_class: str = ""
    kept: bool = True

    def command(self, key: str) -> str:
        return f'{{"{key}":{{{{ value }}}}' + (',"keep":true}' if self.kept else "}")


NUMBERS: Mapping[str, NumberControl] = {
    "target_soc_percent": NumberControl("Target charge", 1, "%", "battery"),
    "floor_soc_percent": NumberControl("Always charged to", 1, "%", "battery"),
    "soc_percent": NumberControl("State of charge by hand", 1, "%", "battery", kept=False),
    "energy_kwh": NumberControl("Energy to charge", 0.1, "kWh", "energy", kept=False),
    "price_cap": NumberControl("Highest price", 0.001),
    "comfort_min_c": NumberControl("Lowest comfort", 0.5, "°C", "temperature"),
    "comfort_max_c": NumberControl("Highest comfort", 0.5, "°C", "temperature"),
}
ONCE = {
    DeviceType.WATER_HEATING: "More hot water once",
    DeviceType.SPACE_HEATING: "More heat once",
}


def controls(view: DeviceView, names: Names, currency: str) -> Iterator[Entity]:
    keys, device = view.wish_keys, view.id
    if "mode" in keys:
        yield select("mode", "Mode", "mode", '{"mode":{{ value | tojson }}}', MODES)
    if "for_s" in keys:
        yield number(
            "boost_min",
            "Boost for",
            "boost_min",
            BOOST,
            min=0,
            max=LONGEST_BOOST_MIN,
            step=1,
            unit_of_measurement="min",
            device_class="duration",
        )
    for key, control in NUMBERS.items():
        # Of heat it is asked for once, besides: there it is no value in force.
        if key in keys and not (key == "energy_kwh" and "hours" in keys):
            yield _number(view, names, key, control, currency)
    # Of heat it only bounds what is asked for once.
    if "ready_by" in keys and "hours" not in keys:
        given = READY_BY % "{{ value | tojson }}"
        none = '{"ready_by":null}'
        either = f"{{% if value %}}{given}{{% else %}}{none}{{% endif %}}"
        yield text("ready_by", "Ready by", "settings.ready_by", CLOCK, command_template=either)
        yield Entity(
            "time",
            "ready_by_time",
            "Ready by (clock)",
            {
                "value_template": "{{ value_json.settings.ready_by }}",
                "command_template": READY_BY % "{{ (value | string)[:5] | tojson }}",
                "entity_category": CONFIG,
            },
        )
    if "start" in keys:
        yield Entity(
            "switch",
            "loaded",
            "Loaded",
            {
                "value_template": "{{ 'ON' if value_json.loaded else 'OFF' }}",
                "payload_on": '{"start":true}',
                "payload_off": '{"start":false}',
                "state_on": "ON",
                "state_off": "OFF",
            },
        )
    if "mode" in keys and "ready_by" in keys and view.has_stays:
        yield button(
            "skip_tonight", "Skip tonight", "PRESS", command_topic=names.command(device, "skip")
        )
    if "hours" in keys:
        yield button("once", ONCE.get(view.profile.type, "More once"), '{"hours":1}')
    if keys:
        yield button("reset", "Back to the configuration", '{"reset":true}', entity_category=CONFIG)


def _number(
    view: DeviceView, names: Names, key: str, control: NumberControl, currency: str
) -> Entity:
    setting = view.settings[key]
    options: dict[str, Any] = {
        "min": setting.least if setting.least is not None else 0,
        "max": setting.most if setting.most is not None else 1000,
        "step": control.step,
        "entity_category": CONFIG,
    }
    if control.unit:
        options["unit_of_measurement"] = control.unit
    if control.device_class:
        options["device_class"] = control.device_class
    if key == "price_cap" and currency:
        options["unit_of_measurement"] = f"{currency}/kWh"
    command = control.command(key)
    if key == "target_soc_percent" and not view.has_stays:
        # Of a battery it goes with a time, which is added where none stands yet.
        options["command_topic"] = names.command(view.id, "target")
        command = "{{ value }}"
    return number(key, control.name, f"settings.{key}", command, **options)


def skip_request(view: DeviceView, now: datetime, zone: ZoneInfo) -> Mapping[str, object]:
    """Nothing until the coming ready-by; what is missing then has until the same time next day.

    Where that is a later day's already, as after a first press, it stays so. Where nothing has to
    be ready, nothing until the morning.
    """
    schedule, second = view.planned.schedule, to_unix_floor(now)
    goal = None if schedule is None else schedule.goal.ready_by
    if (goal is None or goal <= second) and view.ready_at is not None:
        goal = to_unix_floor(view.ready_at)
    if goal is None or goal <= second:
        return {"mode": "pause", "until": format_instant(_next_morning(now, zone))}
    # The last time of the clock at which it has to be ready within a day.
    until = goal - (goal - second - 1) // DAY_S * DAY_S
    request = {"mode": "pause", "until": format_instant(from_unix(until))}
    if goal <= until + DAY_S:
        request["ready_by"] = format_instant(from_unix(until + DAY_S))
    return request


def _next_morning(now: datetime, zone: ZoneInfo) -> datetime:
    today, clock = now.astimezone(zone).date(), time.fromisoformat(USUAL_READY_BY)
    mornings = (local_instant(today + timedelta(days=days), clock, zone) for days in (0, 1))
    return next(when for when in mornings if when > now)


def target_request(view: DeviceView, value: str) -> Mapping[str, object]:
    """What it shall hold, with the time that stands or else a usual one.

    What is no number, or is asked of a device that knows no target, is handed on as it is, so that
    the answer names it.
    """
    standing = view.settings.get("ready_by")
    ready_by = (standing.value if standing is not None else None) or USUAL_READY_BY
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    target: object = number if math.isfinite(number) else value
    return {"target_soc_percent": target, "ready_by": ready_by, "keep": True}
