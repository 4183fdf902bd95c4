"""A dashboard view from cards that come with Home Assistant, for the entities of a config. Pure."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from integrations.homeassistant.appliance import PROBLEMS
from integrations.homeassistant.controls import NUMBERS
from integrations.homeassistant.entities import Entity
from integrations.homeassistant.message import Announcement
from integrations.homeassistant.names import HUB, LATER_PLATFORMS, Names

Card = dict[str, Any]
WHOLE_ROW = {"columns": "full"}
HALF_ROW = {"columns": 6}
PLAIN = re.compile(r"[A-Za-z][\w ./:-]*")
# Words that YAML 1.1 takes for something else.
SPECIAL = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
HUB_TILES = ("price", "export_price", "cheaper_from", "month_saved", "carbon")
HUB_CONTROLS = ("away_until", "refresh", "health", "next_refresh", "request")
DEVICE_TILES = ("state", "power", "soc", "temperature", "next_start", "month_saved")
DEVICE_CONTROLS = (
    "mode",
    "boost_min",
    "ready_by",
    *NUMBERS,
    "loaded",
    "once",
    "skip_tonight",
    "reset",
    "request",
)
ICONS = {
    "ev_charger": "mdi:ev-station",
    "heat_pump": "mdi:heat-pump",
    "house_heat_pump": "mdi:heat-pump",
    "water_heater": "mdi:water-boiler",
    "hot_water_tank": "mdi:water-boiler",
    "program": "mdi:dishwasher",
    "battery": "mdi:home-battery",
    "pv_inverter": "mdi:solar-power",
    "load": "mdi:power-plug",
}


class EntityIds:
    """How Home Assistant calls an entity that it sees for the first time.

    From 2025.10 on as we ask it to; before that by the names of device and entity (`by_name`).
    """

    def __init__(self, names: Names, *, by_name: bool) -> None:
        self._names, self._by_name = names, by_name

    def of(self, item: Announcement, entity: Entity) -> str:
        if self._by_name:
            return f"{entity.platform}.{_slug(f'{item.name} {entity.name}')}"
        return self._names.entity_id(entity.platform, item.device, entity.key)


def dashboard(items: Sequence[Announcement], ids: EntityIds) -> Card:
    """The whole configuration of a dashboard: one view, a section for the house and each device."""
    sections = [_house(item, ids) if item.device == HUB else _device(item, ids) for item in items]
    sections.append(_past(items, ids))
    title = next((item.name for item in items if item.device == HUB), "FlatPeak")
    view = {
        "title": title,
        "path": "flatpeak",
        "icon": "mdi:flash-outline",
        "type": "sections",
        "max_columns": 4,
        "sections": sections,
    }
    return {"title": title, "views": [view]}


def _house(item: Announcement, ids: EntityIds) -> Card:
    found, called = _ids(item, ids), _called(item)
    cards = [_heading("Prices and plan", "mdi:chart-bar")]
    if "chart" in found:
        cards.append(
            {
                "type": "picture-entity",
                "entity": found["chart"],
                "show_state": False,
                "show_name": False,
                "grid_options": {**WHOLE_ROW, "rows": "auto"},
            }
        )
    cards += [_tile(found[key], called[key]) for key in HUB_TILES if key in found]
    cards += _problems([found[key] for key in ("prices_stale", "limit_in_force")])
    cards.append(_entities(found, called, HUB_CONTROLS))
    return {"type": "grid", "column_span": 2, "cards": cards}


def _device(item: Announcement, ids: EntityIds) -> Card:
    found, called = _ids(item, ids), _called(item)
    cards = [_heading(item.name, ICONS.get(item.model.lower().replace(" ", "_"), "mdi:power-plug"))]
    cards += [_tile(found[key], called[key]) for key in DEVICE_TILES if key in found]
    plan, reason = found["plan"], found["reason"]
    text = f"**{{{{ states('{plan}') }}}}**\n\n{{{{ states('{reason}') }}}}"
    cards.append(_markdown(text))
    cards += _problems([found[key] for key in PROBLEMS if key in found])
    cards.append(_entities(found, called, DEVICE_CONTROLS))
    return {"type": "grid", "cards": cards}


def _past(items: Sequence[Announcement], ids: EntityIds) -> Card:
    """What was: powers of the last day, energy of the last days."""
    devices = [_ids(item, ids) for item in items if item.device != HUB]
    cards = [_heading("What was", "mdi:history")]
    if devices:
        powers = [found["power"] for found in devices]
        cards.append({"type": "history-graph", "entities": powers, "hours_to_show": 24})
    if energies := [found["energy"] for found in devices if "energy" in found]:
        cards.append(
            {
                "type": "statistics-graph",
                "entities": energies,
                "stat_types": ["change"],
                "chart_type": "bar",
                "period": "day",
                "days_to_show": 14,
            }
        )
    return {"type": "grid", "cards": [{**card, "grid_options": WHOLE_ROW} for card in cards]}


def _ids(item: Announcement, ids: EntityIds) -> dict[str, str]:
    """Entity ids by key, without those that only a newer Home Assistant has."""
    shown = [entity for entity in item.entities if entity.platform not in LATER_PLATFORMS]
    return {entity.key: ids.of(item, entity) for entity in shown}


def _called(item: Announcement) -> dict[str, str]:
    """Names by key, without that of the device, which stands above."""
    return {entity.key: entity.name for entity in item.entities}


def _heading(text: str, icon: str) -> Card:
    return {"type": "heading", "heading": text, "icon": icon}


def _tile(entity: str, name: str) -> Card:
    return {"type": "tile", "entity": entity, "name": name, "grid_options": HALF_ROW}


def _markdown(text: str, **more: object) -> Card:
    return {"type": "markdown", "content": text, "grid_options": WHOLE_ROW, **more}


def _problems(entities: Iterable[str]) -> list[Card]:
    """Each only while it stands, with what to do about it."""
    return [
        _markdown(
            f'<ha-alert alert-type="warning" title="{{{{ state_attr(\'{entity}\', '
            f"'friendly_name') }}}}\">{{{{ state_attr('{entity}', 'text') }}}}. "
            f"{{{{ state_attr('{entity}', 'what_to_do') }}}}</ha-alert>",
            visibility=[{"condition": "state", "entity": entity, "state": "on"}],
        )
        for entity in entities
    ]


def _entities(found: dict[str, str], called: dict[str, str], keys: Iterable[str]) -> Card:
    rows = [{"entity": found[key], "name": called[key]} for key in keys if key in found]
    return {
        "type": "entities",
        "entities": rows,
        "grid_options": WHOLE_ROW,
    }


def _slug(text: str) -> str:
    """As Home Assistant makes it of plain letters."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


# --- as text ------------------------------------------------------------------------------------


def to_yaml(value: object, indent: int = 0) -> str:
    """YAML that 1.1 and 1.2 read alike: Home Assistant reads both."""
    space = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"{space}{key}:{_under(inner, indent)}" for key, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{space}-{_item(inner, indent)}" for inner in value)
    return f"{space}{_scalar(value)}\n"


def _under(value: object, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return f"\n{to_yaml(value, indent + 1)}"
    return f" {_scalar(value)}\n"


def _item(value: object, indent: int) -> str:
    if isinstance(value, dict | list) and value:
        return f" {to_yaml(value, indent + 1).lstrip(' ')}"
    return f" {_scalar(value)}\n"


def _scalar(value: object) -> str:
    if isinstance(value, str) and PLAIN.fullmatch(value) and not _is_special(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _is_special(text: str) -> bool:
    return text.lower() in SPECIAL or ": " in text or text.endswith((":", " "))
