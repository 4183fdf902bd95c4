"""Devices that are told apart by a hyphen alone, and topics that are already somebody's."""

from typing import Any

from agent.cli.checks.names import check_names
from integrations.registry import AgentConfig

FIXED = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}


def said(*devices: dict[str, Any]) -> list[str]:
    loads = [{"type": "load", "power_w": 800, "needs": [{"hours": 2}], **one} for one in devices]
    config = AgentConfig.model_validate({"tariff": FIXED, "devices": loads})
    return [item.text for item in check_names(config)]


def test_two_ids_that_home_assistant_writes_alike_are_named() -> None:
    [found] = said({"id": "heat-pump"}, {"id": "heat_pump"})
    assert found.startswith("heat-pump and heat_pump are one name in Home Assistant")
    assert said({"id": "pump"}, {"id": "heat_pump"}) == []


def test_a_topic_among_the_agents_own_is_named() -> None:
    def plug(topic: str) -> dict[str, Any]:
        return {"id": "plug", "adapter": {"family": "tasmota", "topic": topic}}

    [found] = said(plug("flatpeak/home/device/a"))
    assert "devices[0].adapter.topic flatpeak/home/device/a" in found
    assert said(plug("flatpeak/homely"), {"id": "pump"}) == []
