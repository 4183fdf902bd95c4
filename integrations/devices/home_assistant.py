"""A device that only Home Assistant can reach: read from its entities, switched by its automation.

The automation (integrations/homeassistant/blueprints/automation/follow_setpoint.yaml) does what
stands on `setpoint`, and nothing else of the contract: it never acknowledges, and a switch keeps no
run.
"""

from typing import ClassVar, Literal

from agent.config.devices import DeviceSection
from integrations.devices.entities import EntitiesSection
from integrations.devices.native import NativeDevice


class HomeAssistantSection(EntitiesSection):
    without_agent: ClassVar[str] = "does what the automation in Home Assistant says"

    family: Literal["home_assistant"] = "home_assistant"

    def tells(self, kind: str) -> bool:
        return self.tells_by_entity(kind)


class HomeAssistantDevice(NativeDevice):
    acknowledges = False
    keeps_run = False


def build(section: DeviceSection, base_topic: str) -> HomeAssistantDevice:
    return HomeAssistantDevice(base_topic, section.id)
