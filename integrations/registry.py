"""Which tariff sources, device families and kinds of devices there are: one line each.

The hall asks here, so no other room knows a vendor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.config import Config, config_model
from agent.config import load_config as load
from agent.config.base import Section
from agent.config.devices import AdapterSection, DeviceSection
from agent.config.tariff import TariffSection
from agent.home.kinds import KINDS, READ_ONLY
from agent.ports import Companion, CompanionServices, DeviceAdapter, TariffSource
from agent.web import settings as web
from integrations.devices import home_assistant, native, template
from integrations.devices.entities import EntitiesSection, EntityReader
from integrations.devices.profile import load_profiles
from integrations.devices.supplemented import SupplementedDevice
from integrations.homeassistant import settings as homeassistant
from integrations.tariffs import fixed_settings, flatpeak_settings


@dataclass(frozen=True, slots=True)
class AdapterKind:
    """A device family: its settings model, and how a device of it is spoken to.

    `build` is given the device's section and the base topic.
    """

    section: type[AdapterSection]
    build: Callable[[DeviceSection, str], DeviceAdapter]


@dataclass(frozen=True, slots=True)
class TariffKind:
    """A tariff source: its settings model, and how it is built from them."""

    section: type[TariffSection]
    build: Callable[[Any, Clock], TariffSource]


@dataclass(frozen=True, slots=True)
class CompanionKind:
    """A companion: its section of the config, which has `enabled`, and how it is built."""

    section: type[Section]
    build: Callable[[Any, Config, CompanionServices, Clock], Companion]


TARIFFS: Mapping[str, TariffKind] = {
    "flatpeak": TariffKind(flatpeak_settings.FlatPeakConfig, flatpeak_settings.build),
    "fixed": TariffKind(fixed_settings.FixedConfig, fixed_settings.build),
}
# How devices are spoken to: a file of code a family, or a profile as data.
ADAPTERS: Mapping[str, AdapterKind] = {
    "native": AdapterKind(native.NativeSection, native.build),
    "home_assistant": AdapterKind(home_assistant.HomeAssistantSection, home_assistant.build),
} | {
    profile.family: AdapterKind(profile.section(), partial(template.TemplateDevice, profile))
    for profile in load_profiles()
}

# What reads everything that is published and may be spoken to, by its section of the config.
COMPANIONS: Mapping[str, CompanionKind] = {
    "homeassistant": CompanionKind(homeassistant.HomeAssistantSection, homeassistant.build),
    "web": CompanionKind(web.WebSection, web.build),
}

AgentConfig = config_model(
    (kind.section for kind in TARIFFS.values()),
    (*(kind.section for kind in KINDS.values()), *READ_ONLY),
    (kind.section for kind in ADAPTERS.values()),
    {name: kind.section for name, kind in COMPANIONS.items()},
)


def load_config(path: Path) -> Config:
    """The config at `path` with everything that is registered. Raises ConfigError."""
    return load(path, AgentConfig)


def device_adapter(section: DeviceSection, base_topic: str) -> DeviceAdapter:
    """How the device is spoken to, and all that is read of it, whoever tells it."""
    adapter = ADAPTERS[section.adapter.family].build(section, base_topic)
    spoken_to = section.adapter
    if not isinstance(spoken_to, EntitiesSection):
        return adapter
    state_topic = f"{base_topic}/device/{section.id}/state"
    return SupplementedDevice(adapter, EntityReader(spoken_to), state_topic)


def tariff_source(config: TariffSection, clock: Clock) -> TariffSource:
    """The source that the config's `tariff.source` names."""
    return TARIFFS[config.source].build(config, clock)


def companions(
    config: Config, clock: Clock, services_for: Callable[[str], CompanionServices]
) -> list[Companion]:
    """All that the config asks for; `services_for` gives each what the agent offers it."""
    out = []
    for name, kind in COMPANIONS.items():
        services, section = services_for(name), getattr(config, name)
        if section.enabled:
            out.append(kind.build(section, config, services, clock))
        elif services.recall():
            # Switched on again it begins anew: nothing stays deleted by then.
            services.remember("")
    return out
