"""evcc as its documents describe it on MQTT: one loadpoint with a car, one home battery.

Its state is retained and told anew twice a minute; a battery mode from outside lapses after 60 s.
"""

from dataclasses import dataclass, field

from agent.clock import SteppedClock
from agent.ports import Message
from tests.fakes.memory_broker import MemoryBroker

TOPIC = "evcc/loadpoints/1"
CYCLE_S = 30.0
LAPSES_AFTER_S = 60.0
CHARGES_W, CAPACITY_KWH = 11_040, 58.0


@dataclass
class Evcc:
    """`modes`: what the loadpoint was told; `soc` of the car in percent.

    `misses`: the first command of each of these modes never reaches it.
    """

    broker: MemoryBroker
    clock: SteppedClock
    soc: float = 30.0
    mode: str = "pv"
    battery_mode: str = "normal"
    lapses: int = 0
    misses: set[str] = field(default_factory=set)
    modes: list[str] = field(default_factory=list)
    session_kwh: float = 0.0
    _told_at: float | None = None

    def begin(self) -> None:
        self.broker.subscribe(["evcc/+/+/set", f"{TOPIC}/+/set"], self._receive)
        self._tell()

    def _receive(self, message: Message) -> None:
        if not message.payload:
            return
        assert not message.retain
        word = message.payload.decode()
        if message.topic == f"{TOPIC}/mode/set":
            assert word in ("off", "now", "pv", "minpv")
            if word in self.misses and (word == "now" or self.mode == "now"):
                self.misses.remove(word)
                return
            self.mode = word
            self.modes.append(word)
        elif message.topic == "evcc/site/batteryMode/set":
            assert word in ("normal", "hold", "charge")
            self.battery_mode = word
            self._told_at = self.clock.now().timestamp()
        self.broker.publish(message.topic, "", retain=True)
        self._tell()

    @property
    def charging(self) -> bool:
        return self.mode == "now" and self.soc < 100

    async def run(self) -> None:
        while True:
            await self.clock.sleep(CYCLE_S)
            if self.charging:
                taken = CHARGES_W * CYCLE_S / 3_600_000
                self.session_kwh += taken
                self.soc = min(100.0, self.soc + taken * 0.9 / CAPACITY_KWH * 100)
            told_at = self._told_at
            if told_at is not None and self.clock.now().timestamp() - told_at > LAPSES_AFTER_S:
                self.lapses += self.battery_mode != "normal"
                self.battery_mode, self._told_at = "normal", None
            self._tell()

    def _tell(self) -> None:
        for name, value in {
            "status": "online",
            "loadpoints/1/connected": "true",
            "loadpoints/1/mode": self.mode,
            "loadpoints/1/chargePower": str(CHARGES_W if self.charging else 0),
            "loadpoints/1/chargedEnergy": f"{self.session_kwh * 1000:.3f}",
            "loadpoints/1/vehicleSoc": f"{self.soc:.3f}",
            "loadpoints/1/maxCurrent": "16",
            "site/battery/soc": "40",
            "site/battery/power": "-2000" if self.battery_mode == "charge" else "0",
            "site/batteryMode": self.battery_mode,
        }.items():
            self.broker.publish(f"evcc/{name}", value, retain=True)
