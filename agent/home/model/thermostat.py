"""What keeps the lowest comfort and plans nothing: the baseline of planned heat. Pure.

A store of its own, with the same loss, draws and weather, that is heated just as much as it takes
not to fall below what is asked. When that would have taken its power is what the ledger compares
with; how much of it, it only compares by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.energy.instants import from_unix, to_unix_floor
from agent.home.estimates.heat_loss import HeatStore
from agent.home.model.meter import MeteredInterval
from agent.home.model.surroundings import Surroundings

STEP = timedelta(minutes=15)
STEP_S = int(STEP.total_seconds())
# Of an agent that was away for longer it begins anew.
CARRIED_ON_FOR = timedelta(hours=2)


@dataclass(slots=True)
class Thermostat:
    """`at` is a whole quarter of an hour up to which it is worked out."""

    max_power_w: float
    temperature_c: float = 0.0
    at: datetime | None = None
    _taken: list[MeteredInterval] = field(default_factory=list, init=False)

    def advance(self, now: datetime, store: HeatStore, around: Surroundings, min_c: float) -> None:
        """`min_c` is what is asked at present."""
        if self.at is None or not timedelta(0) <= now - self.at <= CARRIED_ON_FOR:
            self.at = from_unix(to_unix_floor(now) // STEP_S * STEP_S)
            self.temperature_c = min_c
        hours = STEP_S / 3600
        while self.at + STEP <= now:
            outdoor_c, drawn_w = around.outdoor_c(self.at), around.drawn_w(self.at)
            idle_c = store.after(self.temperature_c, outdoor_c, -drawn_w, hours)
            full_w = self.max_power_w * around.heat_per_w(outdoor_c)
            full_c = store.after(self.temperature_c, outdoor_c, full_w - drawn_w, hours)
            share = 0.0
            if idle_c < min_c < full_c:
                share = (min_c - idle_c) / (full_c - idle_c)
            elif full_c <= min_c:
                share = 1.0
            # To first order in the heat, so the share of the power is that of the rise.
            self.temperature_c = idle_c + share * (full_c - idle_c)
            if share:
                energy_kwh = share * self.max_power_w * hours / 1000
                self._taken.append(MeteredInterval(self.at, self.at + STEP, energy_kwh))
            self.at += STEP

    def pop(self) -> Sequence[MeteredInterval]:
        """What it would have taken since the last call."""
        taken, self._taken = self._taken, []
        return taken
