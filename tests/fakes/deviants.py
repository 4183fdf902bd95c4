"""Appliances that do not do what the contract expects, as found in real houses."""

from datetime import datetime, timedelta

from agent.energy.instants import format_instant
from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.ev import Ev
from integrations.sandbox.appliances.followers import Command, ScheduleFollower
from integrations.sandbox.appliances.inverter import Inverter


class SilentCharger(Ev):
    """Knows that a car is plugged in; no meter, no SoC."""

    def reading(self) -> dict[str, object]:
        return {"plugged": self.plugged}


class SlowCar(Ev):
    """Its on-board charger takes 7.2 kW, whatever the wallbox offers."""

    takes_w = 7200.0

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        mode, power_w = super().apply_command(command, now)
        return mode, min(power_w, self.takes_w)


class CarOnOnePhase(SlowCar):
    """Takes less than a charger can offer on three phases."""

    takes_w = 3600.0


class CarWithItsOwnLimit(Ev):
    """Ends at 80 % by its own setting and takes nothing more; its wallbox goes on telling 0 W."""

    limit_percent = 80.0

    def repeats_state(self) -> bool:
        return self.mode == "charge"

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        mode, power_w = super().apply_command(command, now)
        return mode, power_w if self.soc_percent < self.limit_percent else 0.0

    def next_event(self, now: datetime) -> datetime | None:
        # Within a minute of its limit, as the battery management of a car would end it.
        event = super().next_event(now)
        soon = now + timedelta(minutes=1)
        return soon if event is None or self.power_w > 0 else event


class CarThatTapers(Ev):
    """From 85 % on it takes less and less, down to a kilowatt at the end, as batteries do."""

    tapers_from = 85.0

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        mode, power_w = super().apply_command(command, now)
        full = max(0.0, min(1.0, (100.0 - self.soc_percent) / (100.0 - self.tapers_from)))
        return mode, min(power_w, 1000.0 + 10_000.0 * full)

    def next_event(self, now: datetime) -> datetime | None:
        event = super().next_event(now)
        soon = now + timedelta(minutes=1)
        tapers = self.power_w > 0 and self.soc_percent >= self.tapers_from - 2
        return min(soon, event or soon) if tapers else event


class CarThatTellsOnlyChanges(CarWithItsOwnLimit):
    """Ends by its own limit, says 0 W once, and then nothing more."""

    def repeats_state(self) -> bool:
        return False


class CarThatChargesAtOnce(Ev):
    """Acknowledges its schedule and charges as soon as it is plugged in."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        return super().apply_command(Command("own", 0), now)


class ChargerThatNeverZeroesItsCounter(Ev):
    """Goes on from the few kWh of its first days; no SoC, no power."""

    counter_kwh = 6.0

    def reading(self) -> dict[str, object]:
        kwh = self.counter_kwh + self.energy_kwh
        return {"plugged": self.plugged, "energy_kwh": round(kwh, 3), "mode": self.mode}


class ChargerWithALifetimeCounter(ChargerThatNeverZeroesItsCounter):
    """Tells as session energy what its meter shows since it was made."""

    counter_kwh = 4321.0


class _ChargerWithASessionCounter(Ev):
    """Knows what its meter showed at the plug-in."""

    _plugged_in_at_kwh = 0.0

    def handle_event(self, now: datetime) -> None:
        before = self.plugged
        super().handle_event(now)
        if self.plugged and not before:
            self._plugged_in_at_kwh = self.energy_kwh


class ChargerWhoseCounterResets(_ChargerWithASessionCounter):
    """Its session counter starts again in mid-session, as after a short loss of its power."""

    resets_every_kwh = 7.0

    def reading(self) -> dict[str, object]:
        kwh = (self.energy_kwh - self._plugged_in_at_kwh) % self.resets_every_kwh
        power_w = round(self.power_w)
        return {"plugged": self.plugged, "energy_kwh": round(kwh, 3), "power_w": power_w}


class ChargerThatKeepsItsLastSession(_ChargerWithASessionCounter):
    """Its session counter shows the last session until the next one begins to charge."""

    _last_began_at_kwh = 0.0

    def reading(self) -> dict[str, object]:
        if self.power_w > 0:
            self._last_began_at_kwh = self._plugged_in_at_kwh
        kwh = self.energy_kwh - self._last_began_at_kwh
        power_w = round(self.power_w)
        return {"plugged": self.plugged, "energy_kwh": round(kwh, 3), "power_w": power_w}


class _TellsEachMinute(_ChargerWithASessionCounter):
    """A charger without a SoC."""

    def next_event(self, now: datetime) -> datetime:
        minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        event = super().next_event(now)
        return minute if event is None else min(event, minute)

    def repeats_state(self) -> bool:
        return True

    @property
    def session_kwh(self) -> float:
        return self.energy_kwh - self._plugged_in_at_kwh


class ChargerThatCountsWholeKwh(_TellsEachMinute):
    """As the displays of many chargers do; no power."""

    def reading(self) -> dict[str, object]:
        return {"plugged": self.plugged, "energy_kwh": int(self.session_kwh)}


class ChargerWhoseCounterFlickers(_TellsEachMinute):
    """The last digits of its meter go up and down, also while it takes nothing; no power."""

    def reading(self) -> dict[str, object]:
        flicker = (-0.02, 0.0, 0.02)[self.clock.now().minute * 7 % 3]
        return {
            "plugged": self.plugged,
            "energy_kwh": round(max(0.0, self.session_kwh + flicker), 3),
        }


class ChargerWhoseMeterFroze(_TellsEachMinute):
    """Its meter shows the same for ever; its power is right."""

    def reading(self) -> dict[str, object]:
        power_w = round(self.power_w)
        return {"plugged": self.plugged, "energy_total_kwh": 777.7, "power_w": power_w}


class ChargerWithAFrozenMeterAndASession(_TellsEachMinute):
    """Its meter shows the same for ever; its session's counter is right; no power."""

    def reading(self) -> dict[str, object]:
        kwh = round(self.session_kwh, 3)
        return {"plugged": self.plugged, "energy_total_kwh": 777.7, "energy_kwh": kwh}


class ChargerThatCountsWattHours(_TellsEachMinute):
    """Its unit is not the contract's; no power."""

    def reading(self) -> dict[str, object]:
        return {"plugged": self.plugged, "energy_kwh": round(1000 * self.session_kwh)}


class ChargerThatTellsKilowatts(_TellsEachMinute):
    """Its power is in another unit than the contract's; its counter is right."""

    def reading(self) -> dict[str, object]:
        kwh = round(self.session_kwh, 3)
        return {"plugged": self.plugged, "energy_kwh": kwh, "power_w": self.power_w / 1000}


class ChargerWithASlowClock(_TellsEachMinute):
    """Gives its local time as if it were UTC."""

    def reading(self) -> dict[str, object]:
        return {"plugged": self.plugged, "power_w": round(self.power_w)}

    def timestamp(self, now: datetime) -> str:
        return format_instant(now - timedelta(hours=5))


class CarWithItsSocStuck(Ev):
    """Tells 0 % for ever."""

    def state(self) -> dict[str, object]:
        return {"plugged": self.plugged, "soc_percent": 0}


class CarWithACoarseGauge(Ev):
    """Tells its SoC in steps of ten."""

    def state(self) -> dict[str, object]:
        out: dict[str, object] = {"plugged": self.plugged}
        if self.plugged:
            out["soc_percent"] = int(self.soc_percent // 10 * 10)
        return out


class CarThatTellsItsSocOnce(Ev):
    """Tells the SoC with which it came, for as long as it is there."""

    _came_with: float | None = None

    def state(self) -> dict[str, object]:
        if not self.plugged:
            self._came_with = None
            return {"plugged": False}
        if self._came_with is None:
            self._came_with = round(self.soc_percent, 1)
        return {"plugged": True, "soc_percent": self._came_with}


class ChargerWithALoosePlug(Ev):
    """For one minute in ten it says that nothing is plugged in; no SoC."""

    def next_event(self, now: datetime) -> datetime:
        minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        event = super().next_event(now)
        return minute if event is None else min(event, minute)

    def reading(self) -> dict[str, object]:
        plugged = self.plugged and self.clock.now().minute % 10 != 0
        return {"plugged": plugged, "power_w": round(self.power_w)}


class ChargerWithItsMeterTurned(Ev):
    """Tells what it takes as if it gave it; no SoC."""

    def reading(self) -> dict[str, object]:
        return {"plugged": self.plugged, "power_w": -round(self.power_w)}


class ChargerWithAGlitch(Ev):
    """Every ten minutes its meter shows a megawatt for a minute; no SoC."""

    def next_event(self, now: datetime) -> datetime:
        minute = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        event = super().next_event(now)
        return minute if event is None else min(event, minute)

    def reading(self) -> dict[str, object]:
        glitch = self.clock.now().minute % 10 == 0
        return {"plugged": self.plugged, "power_w": 1_000_000 if glitch else round(self.power_w)}


class ChargerThatTellsDeciwatts(Ev):
    """Its unit is not the contract's; no SoC."""

    def reading(self) -> dict[str, object]:
        return {"plugged": self.plugged, "power_w": round(self.power_w * 10)}


class NeverAcknowledges(Ev):
    """Follows its schedule and does not say so."""

    async def acknowledge(self, revision: int, word: str, diagnostic: str = "") -> None:
        """Nothing is said."""


class RejectingFollower(ScheduleFollower):
    """Takes no schedule: the device stays on its own logic."""

    __slots__ = ()

    def accept(self, payload: bytes, now: int, uptime: int) -> str | None:
        return "REJECTED" if payload else super().accept(payload, now, uptime)


class TalksNonsense(Ev):
    """Numbers as text, values out of range, texts for numbers, clocks far off."""

    def reading(self) -> dict[str, object]:
        return {
            "plugged": "on" if self.plugged else "off",
            "soc_percent": 140,
            "power_w": str(round(self.power_w)),
            "temperature_c": "warm",
            "mode": self.mode,
            "error": None,
        }

    def timestamp(self, now: datetime) -> str:
        if int(now.timestamp()) // 300 % 2:
            return "0001-01-01T00:00:00Z"
        return format_instant(now + timedelta(hours=1))


class SilentRelay(Appliance):
    """Switches a load of `rated_w`; acknowledges, and never tells a thing."""

    def __init__(self, setup: Setup, *, rated_w: float) -> None:
        super().__init__(setup)
        self.max_power_w = rated_w

    def advance(self, seconds: float) -> None:
        """A relay has no state but its contact."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        closed = command.mode == "charge"
        return ("charge" if closed else "idle"), self.max_power_w if closed else 0.0

    def state(self) -> dict[str, object]:
        return {}

    async def _publish_state(self, now: datetime) -> None:
        acks, self._acks = self._acks, []
        for revision, word in acks:
            await self.acknowledge(revision, word)


class InverterThatIgnoresItsLimit(Inverter):
    """Acknowledges its schedule and gives whatever the sun does."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        return super().apply_command(Command("own", 0), now)
