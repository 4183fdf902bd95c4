"""Which tariff sources, device families and kinds of devices there are: one line each.

The hall asks here, so no other room knows a vendor.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.config import Config, config_model
from agent.config import load_config as load
from agent.config.devices import AdapterSection, DeviceSection
from agent.config.tariff import TariffSection
from agent.home.kinds import KINDS, READ_ONLY
from agent.ports import Companion, DeviceAdapter, OutgoingMessage, TariffSource
from integrations.devices import native, template
from integrations.devices.profile import load_profiles
from integrations.tariffs import fixed_settings, flatpeak_settings

Snapshot = Callable[[], Mapping[str, OutgoingMessage]]


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


TARIFFS: Mapping[str, TariffKind] = {
    "flatpeak": TariffKind(flatpeak_settings.FlatPeakConfig, flatpeak_settings.build),
    "fixed": TariffKind(fixed_settings.FixedConfig, fixed_settings.build),
}
# How devices are spoken to: a file of code a family, or a profile as data.
ADAPTERS: Mapping[str, AdapterKind] = {
    "native": AdapterKind(native.NativeSection, native.build),
} | {
    profile.family: AdapterKind(profile.section(), partial(template.TemplateDevice, profile))
    for profile in load_profiles()
}

# What reads everything that is published and may be spoken to: given the config and a snapshot.
COMPANIONS: Sequence[Callable[[Config, Snapshot], Companion]] = ()

AgentConfig = config_model(
    (kind.section for kind in TARIFFS.values()),
    (*(kind.section for kind in KINDS.values()), *READ_ONLY),
    (kind.section for kind in ADAPTERS.values()),
)


def load_config(path: Path) -> Config:
    """The config at `path` with everything that is registered. Raises ConfigError."""
    return load(path, AgentConfig)


def device_adapter(section: DeviceSection, base_topic: str) -> DeviceAdapter:
    return ADAPTERS[section.adapter.family].build(section, base_topic)


def tariff_source(config: TariffSection, clock: Clock) -> TariffSource:
    """The source that the config's `tariff.source` names."""
    return TARIFFS[config.source].build(config, clock)


def companions(config: Config, snapshot: Snapshot) -> list[Companion]:
    """All that read what is published; `snapshot` gives every retained message by topic."""
    return [make(config, snapshot) for make in COMPANIONS]
