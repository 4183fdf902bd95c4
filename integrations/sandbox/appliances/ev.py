"""A charger and a car that comes home in the evening and leaves in the morning."""

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.clock import Clock
from agent.energy.localtime import local_instant
from integrations.sandbox.appliances.appliance import Appliance
from integrations.sandbox.appliances.link import Link
from integrations.sandbox.appliances.minds import Mind, Order


@dataclass(slots=True)
class Stay:
    """One stay at home: when the car comes and goes, and with how much it comes."""

    comes: datetime
    leaves: datetime
    soc_percent: float


class Ev(Appliance):
    """`stays` are drawn from `seed`, one a night; `departures` notes the SoC at each leaving."""

    def __init__(
        self,
        name: str,
        base: str,
        clock: Clock,
        link: Link,
        mind: Mind,
        *,
        zone: ZoneInfo,
        battery_kwh: float = 58.0,
        max_power_w: float = 11_000.0,
        efficiency: float = 0.9,
        seed: int = 1,
    ) -> None:
        super().__init__(name, base, clock, link, mind)
        self._zone = zone
        self._battery_kwh = battery_kwh
        self._max_power_w = max_power_w
        self._efficiency = efficiency
        self._random = random.Random(seed)
        self.plugged = False
        self.soc_percent = 50.0
        self.departures: list[tuple[datetime, float]] = []
        self._stay = self._draw(clock.now().astimezone(zone).date() - timedelta(days=1))
        while self._stay.leaves <= clock.now():
            self._stay = self._draw(self._stay.leaves.astimezone(zone).date())

    def _draw(self, day: date) -> Stay:
        comes = local_instant(day, time(17, 15), self._zone)
        comes += timedelta(seconds=self._random.randint(0, 9000))
        leaves = local_instant(day + timedelta(days=1), time(7, 0), self._zone)
        leaves += timedelta(seconds=self._random.randint(60, 1800))
        return Stay(comes, leaves, self._random.uniform(22, 60))

    def next_event(self, now: datetime) -> datetime | None:
        moments = [self._stay.leaves if self.plugged else self._stay.comes]
        if self.power_w > 0:
            kwh = (100 - self.soc_percent) / 100 * self._battery_kwh
            seconds = kwh / self._efficiency / self.power_w * 3_600_000
            moments.append(now + timedelta(seconds=seconds + 1))
        return min(moments)

    def happen(self, now: datetime) -> None:
        if not self.plugged and self._stay.comes <= now < self._stay.leaves:
            self.plugged, self.soc_percent = True, self._stay.soc_percent
            self._tell = True
        elif self.plugged and now >= self._stay.leaves:
            self.plugged = False
            self.departures.append((now, self.soc_percent))
            self._stay = self._draw(self._stay.leaves.astimezone(self._zone).date())
            self._tell = True

    def live(self, seconds: float) -> None:
        kwh = self.power_w * seconds / 3_600_000 * self._efficiency
        self.soc_percent = min(100.0, self.soc_percent + kwh / self._battery_kwh * 100)

    def obey(self, order: Order, now: datetime) -> tuple[str, float]:
        if not self.plugged or self.soc_percent >= 100:
            return "idle", 0.0
        if order.mode in ("own", "release"):
            return "charge", self._max_power_w
        power = min(order.power_w, self._max_power_w) if order.mode == "charge" else 0.0
        return ("charge" if power else "idle"), power

    def state(self) -> dict[str, object]:
        out: dict[str, object] = {"plugged": self.plugged}
        if self.plugged:
            out["soc_percent"] = round(self.soc_percent, 2)
        return out
