"""A store of heat with an SG-Ready appliance: the house with its heat pump, or a water tank."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.clock import Clock
from integrations.sandbox.appliances.appliance import Appliance
from integrations.sandbox.appliances.link import Link
from integrations.sandbox.appliances.minds import Mind, Order


@dataclass(frozen=True, slots=True)
class Body:
    """The physics: heat capacity, losses, heat made per W drawn, and its own thermostat (°C)."""

    capacity_kwh_per_c: float
    loss_w_per_c: float
    surroundings_c: float
    heat_per_w: float
    normal_c: float
    most_c: float


HOUSE = Body(9.0, 105.0, 6.0, 3.2, 17.5, 24.0)
TANK = Body(0.35, 1.6, 18.0, 1.0, 38.0, 75.0)


@dataclass(frozen=True, slots=True)
class Draw:
    """Heat taken from a tank between two local hours, in W."""

    from_hour: int
    to_hour: int
    power_w: float


SHOWERS = (Draw(6, 8, 1150.0), Draw(19, 21, 550.0))


class Heater(Appliance):
    """In `normal` its own thermostat keeps `normal_c`; `boost` heats on to `most_c`."""

    def __init__(
        self,
        name: str,
        base: str,
        clock: Clock,
        link: Link,
        mind: Mind,
        *,
        zone: ZoneInfo,
        body: Body,
        rated_w: float,
        temperature_c: float,
        draws: Sequence[Draw] = (),
    ) -> None:
        super().__init__(name, base, clock, link, mind)
        self._zone = zone
        self._body = body
        self._rated_w = rated_w
        self._draws = draws
        self.temperature_c = temperature_c

    def live(self, seconds: float) -> None:
        body = self._body
        hour = self._lived_to.astimezone(self._zone).hour
        drawn = sum(d.power_w for d in self._draws if d.from_hour <= hour < d.to_hour)
        gained = self.power_w * body.heat_per_w - drawn
        settles_at = body.surroundings_c + gained / body.loss_w_per_c
        decay = math.exp(-seconds * body.loss_w_per_c / (body.capacity_kwh_per_c * 3_600_000))
        self.temperature_c = settles_at + (self.temperature_c - settles_at) * decay

    def obey(self, order: Order, now: datetime) -> tuple[str, float]:
        mode = "normal" if order.mode == "own" else order.mode
        if mode == "block":
            return mode, 0.0
        if mode in ("boost", "force"):
            return mode, self._rated_w if self.temperature_c < self._body.most_c else 0.0
        running = self.power_w > 0 and self.mode == "normal"
        below = self._body.normal_c + (0.5 if running else 0.0)
        return mode, self._rated_w if self.temperature_c < below else 0.0

    def next_event(self, now: datetime) -> datetime | None:
        return now + timedelta(minutes=2) if self.power_w > 0 and self.mode == "normal" else None

    def state(self) -> dict[str, object]:
        return {"temperature_c": round(self.temperature_c, 1)}
