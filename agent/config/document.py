"""The whole configuration as one model. Defaults make a file of a few lines enough."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from agent.config.base import Section
from agent.config.devices import DeviceSection
from agent.config.mqtt import MqttSection
from agent.config.site import PlannerSection, SiteSection
from agent.config.tariff import TariffConfig


class StateSection(Section):
    """Where the database lies; left out, systemd's or the system's usual place."""

    directory: Path | None = None


class LogSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section):
    site: SiteSection = SiteSection()
    tariff: TariffConfig
    mqtt: MqttSection = MqttSection()
    planner: PlannerSection = PlannerSection()
    devices: tuple[DeviceSection, ...] = ()
    state: StateSection = StateSection()
    log: LogSection = LogSection()

    @property
    def base_topic(self) -> str:
        return f"{self.mqtt.base}/{self.site.id}"

    @model_validator(mode="after")
    def _whole(self) -> "Config":
        ids = [device.id for device in self.devices]
        repeated = sorted({name for name in ids if ids.count(name) > 1})
        if repeated:
            raise ValueError(f"devices: the id {repeated[0]!r} is used twice")
        if len(self.base_topic) > 64:
            raise ValueError("mqtt.base and site.id are at most 64 bytes together")
        if self._uses_sun() and (self.site.latitude is None or self.site.longitude is None):
            raise ValueError("site.latitude and site.longitude are needed for sunrise and sunset")
        return self

    def _uses_sun(self) -> bool:
        edges = [
            edge
            for device in self.devices
            for need in getattr(device, "needs", ())
            for edge in (need.window.start, need.window.end)
        ]
        return any(edge.startswith("sun") for edge in edges)
