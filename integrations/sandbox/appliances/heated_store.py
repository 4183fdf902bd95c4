"""A house with its heat pump and a tank of hot water, in weather and with people of their own.

They differ a little from what the household's config says of them, as real ones do.
"""

import random
from collections.abc import Callable, Sequence
from datetime import datetime

from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.heat import HeatDraw, Heater, ThermalModel

HOUSE_140_M2 = ThermalModel(9.6, 262.0, 5.0, 3.5, 18.0, 24.0)
TANK_200_L = ThermalModel(0.24, 2.1, 19.0, 1.0, 42.0, 72.0)
# Heat per W falls with the outdoor temperature; `heat_per_w` is meant at this one.
RATED_AT_C, FALLS_PER_C, LEAST_COP = 7.0, 0.075, 1.5
PEOPLE_W = (250.0, 600.0)
# Three persons: showers in the morning, dishes at noon, baths in the evening.
THREE_PERSONS = (HeatDraw(6, 8, 1000.0), HeatDraw(12, 13, 400.0), HeatDraw(18, 21, 650.0))
SENSOR_NOISE_C = 0.1
STEP_S = 300.0


class HeatedHouse(Heater):
    """`outdoor_c` is the weather; people and sun warm it a little, by the hour."""

    def __init__(
        self,
        setup: Setup,
        *,
        outdoor_c: Callable[[datetime], float],
        rated_w: float,
        model: ThermalModel = HOUSE_140_M2,
        temperature_c: float = 20.5,
        noise_c: float = SENSOR_NOISE_C,
        modulates: bool = False,
        seed: int = 1,
    ) -> None:
        super().__init__(
            setup, model=model, rated_w=rated_w, temperature_c=temperature_c, modulates=modulates
        )
        self._outdoor_c = outdoor_c
        self._noise_c = noise_c
        self._seed = seed

    def advance(self, seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, STEP_S)
            outdoor = self._outdoor_c(self._advanced_to)
            cop = max(LEAST_COP, self._model.heat_per_w + FALLS_PER_C * (outdoor - RATED_AT_C))
            hour = int(self._advanced_to.timestamp()) // 3600
            gains = random.Random(f"{self._seed}/gains/{hour}").uniform(*PEOPLE_W)
            self._heat(step, self.power_w * cop + gains, outdoor)
            seconds -= step

    def state(self) -> dict[str, object]:
        second = int(self.clock.now().timestamp()) // int(STEP_S)
        noise = random.Random(f"{self._seed}/sensor/{second}").gauss(0.0, self._noise_c)
        return {"temperature_c": round(self.temperature_c + noise, 1)}


class HotWaterTank(Heater):
    """Nobody showers equally long every day."""

    def __init__(
        self,
        setup: Setup,
        *,
        rated_w: float,
        model: ThermalModel = TANK_200_L,
        temperature_c: float = 50.0,
        draws: Sequence[HeatDraw] = THREE_PERSONS,
        modulates: bool = False,
        seed: int = 1,
    ) -> None:
        super().__init__(
            setup,
            model=model,
            rated_w=rated_w,
            temperature_c=temperature_c,
            draws=draws,
            modulates=modulates,
        )
        self._seed = seed

    def _drawn_w(self) -> float:
        day = self._advanced_to.astimezone(self.zone).date()
        return super()._drawn_w() * random.Random(f"{self._seed}/draw/{day}").uniform(0.7, 1.25)
