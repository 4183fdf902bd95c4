"""The section `homeassistant` of the config."""

from typing import Annotated

from pydantic import Field

from agent.clock import Clock
from agent.config import Config
from agent.config.base import Section, matching
from agent.ports import Companion, CompanionServices
from integrations.homeassistant.names import Names

LEVELS = r"[^+#/\s]+(/[^+#/\s]+)*"
EXPECTED = "as it stands in Home Assistant's MQTT settings: no +, # or spaces, no / around it"
Prefix = Annotated[str, Field(max_length=64), matching(LEVELS, EXPECTED)]
BirthTopic = Annotated[str, Field(max_length=128), matching(LEVELS, EXPECTED)]


class HomeAssistantSection(Section):
    """`prefix` and `birth_topic` are those of Home Assistant's own MQTT settings."""

    enabled: bool = True
    prefix: Prefix = "homeassistant"
    birth_topic: BirthTopic = "homeassistant/status"


def names_of(section: HomeAssistantSection, config: Config) -> Names:
    return Names(config.mqtt.base, config.site.id, section.prefix, section.birth_topic)


def build(
    section: HomeAssistantSection, config: Config, services: CompanionServices, clock: Clock
) -> Companion:
    # Imported here, so that who only reads the config does not pay for it.
    from integrations.homeassistant.companion import HomeAssistant

    names = names_of(section, config)
    devices = [device.id for device in config.appliances]
    return HomeAssistant(names, devices, services, clock)
