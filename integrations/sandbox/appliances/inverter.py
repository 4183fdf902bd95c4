"""An inverter: it gives what the sun does, and no more than it is told."""

from datetime import datetime

from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.followers import Command
from integrations.sandbox.appliances.premises import Premises

OWN_LOGIC = ("auto", "own")


class Inverter(Appliance):
    """Its `power_w` is what it gives."""

    def __init__(self, setup: Setup, premises: Premises, *, max_power_w: float) -> None:
        super().__init__(setup)
        self.max_power_w = max_power_w
        self.limit_w = max_power_w
        self._premises = premises
        premises.limit_roof(lambda: self.limit_w)

    def advance(self, seconds: float) -> None:
        """The roof has no memory."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        free = command.mode in OWN_LOGIC
        self.limit_w = self.max_power_w if free else min(command.power_w, self.max_power_w)
        return "auto" if free else "limit", float(round(self._premises.pv_w(now)))

    def state(self) -> dict[str, object]:
        return {}
