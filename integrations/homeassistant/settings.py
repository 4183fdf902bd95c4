"""The section `homeassistant` of the config."""

from pydantic import Field

from agent.clock import Clock
from agent.config import Config
from agent.config.base import Section
from agent.ports import Companion, CompanionServices

TOPIC = r"^[^+#/\s]+(/[^+#/\s]+)*$"


class HomeAssistantSection(Section):
    """`prefix` and `birth_topic` are those of Home Assistant's own MQTT settings."""

    enabled: bool = True
    prefix: str = Field(default="homeassistant", pattern=TOPIC, max_length=64)
    birth_topic: str = Field(default="homeassistant/status", pattern=TOPIC, max_length=128)


def build(
    section: HomeAssistantSection, config: Config, services: CompanionServices, clock: Clock
) -> Companion:
    # Imported here, so that who only reads the config does not pay for it.
    from integrations.homeassistant.companion import HomeAssistant
    from integrations.homeassistant.names import Names

    names = Names(config.mqtt.base, config.site.id, section.prefix, section.birth_topic)
    devices = [device.id for device in config.appliances]
    return HomeAssistant(names, devices, services, clock)
