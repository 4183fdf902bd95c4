"""A heat pump's compressor that remembers when it was switched."""

from datetime import datetime, timedelta
from itertools import pairwise

from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.followers import Command


class Compressor(Appliance):
    """`switched`: by its own clock."""

    max_power_w = 2000.0

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.switched: list[datetime] = []

    def advance(self, seconds: float) -> None:
        """It has no state but its switch."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        power_w = self.max_power_w if command.mode in ("boost", "force") else 0.0
        if power_w != self.power_w:
            self.switched.append(now)
        return command.mode, power_w

    def state(self) -> dict[str, object]:
        return {}

    def stretches(self) -> list[timedelta]:
        """How long each run and each rest between two of them lasted."""
        return [after - before for before, after in pairwise(self.switched)]


class CompressorWithoutTimes(Compressor):
    """Does not say when what it tells was so."""

    async def _publish(self, name: str, body: dict[str, object], *, retain: bool = True) -> None:
        body = {key: value for key, value in body.items() if key != "at"}
        await super()._publish(name, body, retain=retain)
