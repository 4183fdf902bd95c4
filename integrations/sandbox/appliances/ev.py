"""A charger and a car that comes home in the evening and leaves in the morning."""

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from agent.energy.localtime import local_instant
from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.followers import Command


@dataclass(slots=True)
class PlugInSession:
    """One stay at home: from when to when, and the SoC with which the car comes."""

    start: datetime
    end: datetime
    soc_percent: float


# One phase below it, three from there on: 6 A on three.
THREE_PHASES_FROM_W = 4140


class Ev(Appliance):
    """Sessions are drawn from `seed`, one a night from `comes` on to a little after `leaves`.

    `departures` notes the SoC at each leaving. `phases` is told on `info`; one that is `switched`
    charges on one or on three, by the power that it is told, and notes that in `switchings`.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        battery_kwh: float = 58.0,
        max_power_w: float = 11_000.0,
        efficiency: float = 0.9,
        phases: int | str | None = None,
        comes: time = time(17, 15),
        leaves: time = time(7, 0),
        seed: int = 1,
    ) -> None:
        super().__init__(setup)
        self._phases, self._comes, self._leaves = phases, comes, leaves
        self.switchings: list[tuple[datetime, int]] = []
        self.max_power_w = max_power_w
        self._battery_kwh = battery_kwh
        self._efficiency = efficiency
        self._random = random.Random(seed)
        self.plugged = False
        self.soc_percent = 50.0
        self.departures: list[tuple[datetime, float]] = []
        now = self.clock.now()
        self._session = self._draw(now.astimezone(self.zone).date() - timedelta(days=1))
        while self._session.end <= now:
            self._session = self._draw(self._session.end.astimezone(self.zone).date())

    def _draw(self, day: date) -> PlugInSession:
        start = local_instant(day, self._comes, self.zone)
        start += timedelta(seconds=self._random.randint(0, 9000))
        end = local_instant(day + timedelta(days=1), self._leaves, self.zone)
        end += timedelta(seconds=self._random.randint(60, 1800))
        return PlugInSession(start, end, self._random.uniform(22, 60))

    def next_event(self, now: datetime) -> datetime | None:
        moments = [self._session.end if self.plugged else self._session.start]
        if self.power_w > 0:
            kwh = (100 - self.soc_percent) / 100 * self._battery_kwh
            seconds = kwh / self._efficiency / self.power_w * 3_600_000
            moments.append(now + timedelta(seconds=seconds + 1))
        return min(moments)

    def handle_event(self, now: datetime) -> None:
        if not self.plugged and self._session.start <= now < self._session.end:
            self.plugged, self.soc_percent = True, self._session.soc_percent
            self._publish_due = True
        elif self.plugged and now >= self._session.end:
            self.plugged = False
            self.departures.append((now, self.soc_percent))
            self._session = self._draw(self._session.end.astimezone(self.zone).date())
            self._publish_due = True

    def advance(self, seconds: float) -> None:
        kwh = self.power_w * seconds / 3_600_000 * self._efficiency
        self.soc_percent = min(100.0, self.soc_percent + kwh / self._battery_kwh * 100)

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        if not self.plugged or self.soc_percent >= 100:
            return "idle", 0.0
        if command.mode in ("own", "release"):
            return "charge", self.max_power_w
        power = min(command.power_w, self.max_power_w) if command.mode == "charge" else 0.0
        if power and self._phases == "switched":
            count = 3 if power >= THREE_PHASES_FROM_W else 1
            if not self.switchings or self.switchings[-1][1] != count:
                self.switchings.append((now, count))
        return ("charge" if power else "idle"), power

    def info(self) -> dict[str, object]:
        return super().info() | ({"phases": self._phases} if self._phases else {})

    def state(self) -> dict[str, object]:
        out: dict[str, object] = {"plugged": self.plugged}
        if self.plugged:
            out["soc_percent"] = round(self.soc_percent, 2)
        return out
