"""Every topic with its payload, once: JSON Schemas and the AsyncAPI document are made from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from agent import __version__
from agent.contracts import schedule_models, wire
from agent.contracts.plan import PlanDocument

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
COMPONENTS = "#/components/schemas/{model}"
DESCRIPTION = (
    "Topics below the base <prefix>/<site>, from the agent's side. What the agent publishes below "
    "<base>/ha is what Home Assistant's entities show, by the discovery messages that name it: its "
    "shape may change, programs read the other topics. What Home Assistant sends there must not be "
    "retained."
)


@dataclass(frozen=True, slots=True)
class Text:
    """A payload that is no JSON: one of the `words`, or what the description says."""

    description: str = ""
    words: Sequence[str] = ()
    examples: Sequence[str] = ()

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the text as it stands, without quotes."""
        said = {
            "description": self.description,
            "enum": list(self.words),
            "examples": list(self.examples),
        }
        return {"type": "string", **{key: value for key, value in said.items() if value}}


PRESENCE = Text(words=("online", "offline"))


@dataclass(frozen=True, slots=True)
class Topic:
    """`name` below the base, with `{device}` for an id.

    `may_be_empty`: an empty payload takes back what stood there.
    """

    key: str
    name: str
    outgoing: bool
    retained: bool
    summary: str
    payload: type[BaseModel] | Text
    qos: int = 1
    may_be_empty: bool = False


TOPICS = (
    Topic(
        "status",
        "status",
        True,
        True,
        "Is the agent there (last will)",
        PRESENCE,
    ),
    Topic("time", "time", True, False, "For devices without a clock", wire.Time, qos=0),
    Topic("tariffImport", "tariff/import", True, True, "Prices of import", wire.Tariff),
    Topic("tariffExport", "tariff/export", True, True, "Prices of export", wire.Tariff),
    Topic(
        "tariffImportList", "tariff/import/list", True, True, "As evcc reads it", wire.TariffList
    ),
    Topic(
        "tariffExportList", "tariff/export/list", True, True, "As evcc reads it", wire.TariffList
    ),
    Topic("tariffNow", "tariff/now", True, True, "The prices that hold now", wire.TariffNow),
    Topic("plan", "plan", True, True, "The plan with its proof and reasons", PlanDocument),
    Topic("health", "health", True, True, "What works and what does not", wire.HealthDocument),
    Topic("ledger", "ledger", True, True, "Energy, cost and savings", wire.LedgerDocument),
    Topic("event", "event", True, False, "What has just happened", wire.Event),
    Topic(
        "schedule",
        "device/{device}/schedule",
        True,
        True,
        "What to do when",
        schedule_models.Schedule,
        may_be_empty=True,
    ),
    Topic(
        "compact",
        "device/{device}/schedule/compact",
        True,
        True,
        "The same for small firmware",
        schedule_models.CompactSchedule,
        may_be_empty=True,
    ),
    Topic(
        "setpoint",
        "device/{device}/setpoint",
        True,
        True,
        "What to do now",
        schedule_models.Setpoint,
        may_be_empty=True,
    ),
    Topic("wish", "device/{device}/wish", True, True, "The owner's wishes that hold", wire.Wish),
    Topic("state", "device/{device}/state", False, True, "A reading", wire.DeviceState),
    Topic("ack", "device/{device}/ack", False, True, "What became of a schedule", wire.Ack),
    Topic("request", "device/{device}/request", False, False, "An owner's wish", wire.Request),
    Topic("info", "device/{device}/info", False, True, "What a device is", wire.DeviceInfo),
    Topic(
        "presence",
        "device/{device}/status",
        False,
        True,
        "Is the device there (its own last will)",
        PRESENCE,
    ),
    Topic("siteRequest", "site/request", False, False, "A wish for the site", wire.SiteRequest),
    Topic("siteWish", "site/wish", True, True, "The wishes for the site", wire.SiteWish),
    Topic(
        "siteLimit",
        "site/limit",
        False,
        True,
        "What the grid allows",
        wire.SiteLimit,
        may_be_empty=True,
    ),
    *(
        Topic(
            f"forecast{name.capitalize()}",
            f"site/forecast/{name}",
            False,
            True,
            f"A forecast of {what}",
            wire.Forecast,
            may_be_empty=True,
        )
        for name, what in (
            ("load", "what the house draws besides the devices, W"),
            ("pv", "what the roof gives, W"),
            ("outdoor", "the temperature outdoors, °C"),
            ("import", "prices beyond what is known, per kWh"),
            ("export", "what is paid for export beyond what is known, per kWh"),
        )
    ),
)


def json_schema(topic: Topic) -> dict[str, Any]:
    """The JSON Schema of a topic's payload."""
    if isinstance(topic.payload, Text):
        return {"$schema": JSON_SCHEMA, "title": topic.key, **topic.payload.schema()}
    return {"$schema": JSON_SCHEMA, **TypeAdapter(topic.payload).json_schema()}


def asyncapi(topics: Sequence[Topic] = TOPICS) -> dict[str, Any]:
    """The AsyncAPI 3 document of these topics."""
    models = [
        (topic.payload, "validation") for topic in topics if not isinstance(topic.payload, Text)
    ]
    unique = list(dict.fromkeys(models))
    _, definitions = models_json_schema(unique, ref_template=COMPONENTS)  # type: ignore[arg-type]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "FlatPeak edge agent on MQTT",
            "version": __version__,
            "description": DESCRIPTION,
        },
        "channels": {topic.key: _channel(topic) for topic in topics},
        "operations": {
            topic.key: {
                "action": "send" if topic.outgoing else "receive",
                "channel": {"$ref": f"#/channels/{topic.key}"},
                "bindings": {"mqtt": {"qos": topic.qos, "retain": topic.retained}},
            }
            for topic in topics
        },
        "components": {"schemas": _of_draft_7(definitions["$defs"])},
    }


def _of_draft_7(value: Any) -> Any:
    """AsyncAPI 3 reads schemas as JSON Schema draft 7, which has pairs by another name."""
    if isinstance(value, list):
        return [_of_draft_7(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        "items" if key == "prefixItems" else key: _of_draft_7(item) for key, item in value.items()
    }


def _channel(topic: Topic) -> dict[str, Any]:
    if isinstance(topic.payload, Text):
        # A bare word is no JSON text: JSON would stand in quotes.
        content, payload = "text/plain", topic.payload.schema()
    else:
        content = "application/json"
        payload = {"$ref": COMPONENTS.format(model=topic.payload.__name__)}
    messages: dict[str, Any] = {topic.key: {"contentType": content, "payload": payload}}
    if topic.may_be_empty:
        messages["empty"] = {
            "summary": "An empty payload: taken back",
            "contentType": "text/plain",
            "payload": {"type": "string", "maxLength": 0},
        }
    channel: dict[str, Any] = {
        "address": f"{{base}}/{topic.name}",
        "summary": topic.summary,
        "parameters": {"base": {"description": "mqtt.base and site.id, such as flatpeak/home"}},
        "messages": messages,
    }
    if "{device}" in topic.name:
        channel["parameters"]["device"] = {"description": "the id of a device in the config"}
    return channel
