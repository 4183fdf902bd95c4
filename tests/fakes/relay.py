"""A relay with Tasmota and no meter, on a MemoryBroker: pulse time, last will, failing WiFi."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from agent.clock import SteppedClock
from agent.ports import Message
from tests.fakes.memory_broker import MemoryBroker

TOPIC = "boiler"


@dataclass
class Relay:
    """`runs` are its times on; `reachable` is cleared while it hears and says nothing.

    `jammed`: its contact stays open, whatever it is told. `deaf`: it speaks, but hears no command.
    """

    broker: MemoryBroker
    clock: SteppedClock
    runs: list[tuple[datetime, datetime]] = field(default_factory=list)
    reachable: bool = True
    jammed: bool = False
    deaf: bool = False
    _pulse_s: int = 0
    _on_since: datetime | None = None
    _timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.broker.publish(f"tele/{TOPIC}/LWT", "Online", retain=True)
        self.broker.subscribe([f"cmnd/{TOPIC}/+"], self._receive)

    def lose(self, *, power: bool = False) -> None:
        """Its WiFi, or all of its power; the broker publishes its last will."""
        self.reachable = False
        if power:
            self._switch(on=False)
        self.broker.publish(f"tele/{TOPIC}/LWT", "Offline", retain=True)

    def come_back(self) -> None:
        self.reachable = True
        self.broker.publish(f"tele/{TOPIC}/LWT", "Online", retain=True)
        self._tell()

    def switch_by_hand(self, *, on: bool) -> None:
        """By the button at it."""
        self._switch(on=on)
        self._tell()

    def hours_on(self) -> float:
        return sum((end - start).total_seconds() / 3600 for start, end in self.runs)

    def _receive(self, message: Message) -> None:
        if not self.reachable:
            return
        command, payload = message.topic.rsplit("/", 1)[1], message.payload.decode()
        if command == "PulseTime1":
            self._pulse_s = max(0, int(payload) - 100)
        elif command == "POWER1":
            if payload and not self.deaf:
                self._switch(on=payload == "ON")
            self._tell()

    def _switch(self, *, on: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if on and self._pulse_s:
            self._timer = asyncio.get_running_loop().call_later(self._pulse_s, self._time_is_over)
        if on and not self.jammed:
            self._on_since = self._on_since or self.clock.now()
        elif not on and self._on_since is not None:
            self.runs.append((self._on_since, self.clock.now()))
            self._on_since = None

    def _time_is_over(self) -> None:
        self._switch(on=False)
        self._tell()

    def _tell(self) -> None:
        if self.reachable:
            word = "OFF" if self._on_since is None else "ON"
            self.broker.publish(f"stat/{TOPIC}/RESULT", f'{{"POWER":"{word}"}}', retain=False)
