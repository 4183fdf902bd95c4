"""A battery with its inverter: on its own it takes surplus and gives what the house lacks."""

from datetime import datetime, timedelta

from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.followers import Command
from integrations.sandbox.appliances.premises import Premises

# An inverter follows the house all the time; here so often.
FOLLOWS_HOUSE = timedelta(minutes=2)
SELF_USE = ("auto", "own")


class HomeBattery(Appliance):
    """Never emptier than `min_percent`; it gives at most what the house lacks: no export."""

    def __init__(
        self,
        setup: Setup,
        premises: Premises,
        *,
        capacity_kwh: float,
        max_power_w: float,
        efficiency: float = 0.95,
        soc_percent: float = 50.0,
        min_percent: float = 5.0,
    ) -> None:
        super().__init__(setup)
        self.max_power_w = max_power_w
        self.soc_percent = soc_percent
        self._premises = premises
        self._capacity_kwh = capacity_kwh
        self._efficiency = efficiency
        self._min_percent = min_percent
        premises.add_battery(lambda: self.power_w)

    def advance(self, seconds: float) -> None:
        kwh = self.power_w * seconds / 3_600_000
        stored = kwh * self._efficiency if kwh > 0 else kwh / self._efficiency
        self.soc_percent = min(100.0, self.soc_percent + stored / self._capacity_kwh * 100)

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        rest_w = self._premises.rest_w(now)
        if command.mode in SELF_USE:
            return "auto", self._possible(-rest_w)
        if command.mode == "charge":
            return "charge", self._possible(max(0, command.power_w))
        if command.mode == "discharge":
            return "discharge", self._possible(max(command.power_w, -max(0.0, rest_w)))
        return "hold", 0.0

    def _possible(self, power_w: float) -> float:
        power_w = max(-self.max_power_w, min(self.max_power_w, power_w))
        if power_w > 0 and self.soc_percent >= 100:
            return 0.0
        if power_w < 0 and self.soc_percent <= self._min_percent:
            return 0.0
        return float(round(power_w))

    def next_event(self, now: datetime) -> datetime | None:
        moments = [now + FOLLOWS_HOUSE]
        if self.power_w:
            edge = 100.0 if self.power_w > 0 else self._min_percent
            kwh = abs(edge - self.soc_percent) / 100 * self._capacity_kwh
            through = 1 / self._efficiency if self.power_w > 0 else self._efficiency
            seconds = kwh * through / abs(self.power_w) * 3_600_000
            moments.append(now + timedelta(seconds=seconds + 1))
        return min(moments)

    def repeats_state(self) -> bool:
        return self.power_w != 0

    def state(self) -> dict[str, object]:
        return {"soc_percent": round(self.soc_percent, 1)}
