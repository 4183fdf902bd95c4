"""A store of heat with an SG-Ready appliance: the house with its heat pump, or a water tank."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.followers import Command


@dataclass(frozen=True, slots=True)
class ThermalModel:
    """Heat capacity, losses, heat made per W drawn, and the appliance's own thermostat (°C)."""

    capacity_kwh_per_c: float
    loss_w_per_c: float
    surroundings_c: float
    heat_per_w: float
    normal_c: float
    max_c: float


HOUSE = ThermalModel(9.0, 105.0, 6.0, 3.2, 17.5, 24.0)
TANK = ThermalModel(0.35, 1.6, 18.0, 1.0, 38.0, 75.0)


@dataclass(frozen=True, slots=True)
class HeatDraw:
    """Heat taken from a tank between two local hours, in W."""

    from_hour: int
    to_hour: int
    power_w: float


HOT_WATER_DRAWS = (HeatDraw(6, 8, 1150.0), HeatDraw(19, 21, 550.0))


class Heater(Appliance):
    """In `normal` its own thermostat keeps `normal_c`; `boost` heats on to `max_c`.

    `modulates`: with the power that it is told, else on or off.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        model: ThermalModel,
        rated_w: float,
        temperature_c: float,
        draws: Sequence[HeatDraw] = (),
        modulates: bool = False,
    ) -> None:
        super().__init__(setup)
        self.max_power_w = rated_w
        self._model = model
        self._draws = draws
        self._modulates = modulates
        self.temperature_c = temperature_c

    def advance(self, seconds: float) -> None:
        model = self._model
        self._heat(seconds, self.power_w * model.heat_per_w - self._drawn_w(), model.surroundings_c)

    def _drawn_w(self) -> float:
        hour = self._advanced_to.astimezone(self.zone).hour
        return sum(d.power_w for d in self._draws if d.from_hour <= hour < d.to_hour)

    def _heat(self, seconds: float, gained_w: float, surroundings_c: float) -> None:
        model = self._model
        settles_at = surroundings_c + gained_w / model.loss_w_per_c
        decay = math.exp(-seconds * model.loss_w_per_c / (model.capacity_kwh_per_c * 3_600_000))
        self.temperature_c = settles_at + (self.temperature_c - settles_at) * decay

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        mode = "normal" if command.mode == "own" else command.mode
        if mode == "block":
            return mode, 0.0
        if mode in ("boost", "force"):
            power_w = self.max_power_w
            if self._modulates and command.power_w:
                power_w = min(power_w, float(command.power_w))
            return mode, power_w if self.temperature_c < self._model.max_c else 0.0
        running = self.power_w > 0 and self.mode == "normal"
        below = self._model.normal_c + (0.5 if running else 0.0)
        return mode, self.max_power_w if self.temperature_c < below else 0.0

    def next_event(self, now: datetime) -> datetime | None:
        return now + timedelta(minutes=2) if self.power_w > 0 and self.mode == "normal" else None

    def state(self) -> dict[str, object]:
        return {"temperature_c": round(self.temperature_c, 1)}
