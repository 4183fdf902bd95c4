"""What every simulated appliance does: follow, acknowledge, tell its state."""

import asyncio
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.clock import Clock, wait_for
from agent.energy.instants import format_instant, to_unix_floor
from integrations.sandbox.appliances.followers import Command, DeviceFollower
from integrations.sandbox.appliances.link import Link

STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Setup:
    """What an appliance is built on; it is the device `<base>/device/<name>`."""

    name: str
    base: str
    clock: Clock
    zone: ZoneInfo
    link: Link
    follower: DeviceFollower


class Appliance(ABC):
    """Subclasses give the physics and what is told of it.

    `advance` moves their state over a span at a power, `apply_command` turns a command into the
    power that is drawn now. `energy_kwh` is what it took in its whole life.
    """

    # The most it draws, told on `info`.
    max_power_w: float

    def __init__(self, setup: Setup) -> None:
        self.name = setup.name
        self.clock = setup.clock
        self.zone = setup.zone
        self.follower = setup.follower
        self.power_w = 0.0
        self.energy_kwh = 0.0
        self.mode = ""
        self._topic = f"{setup.base}/device/{setup.name}"
        self._agent_status = f"{setup.base}/status"
        self._link = setup.link
        self._wake = asyncio.Event()
        self._acks: list[tuple[int, str]] = []
        self._booted = self._advanced_to = setup.clock.now()
        self._published: dict[str, object] = {}
        self._published_at = self._booted
        # Also where nothing changed: when it connects and when the agent comes.
        self._publish_due = True

    @abstractmethod
    def advance(self, seconds: float) -> None:
        """Move the physics on by that long at the present power."""

    @abstractmethod
    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        """The mode that is shown and the power that is drawn under this command."""

    @abstractmethod
    def state(self) -> dict[str, object]:
        """What is told besides the power."""

    def next_event(self, now: datetime) -> datetime | None:
        """When something happens by itself next (a car comes, a tank is full)."""
        return None

    def handle_event(self, now: datetime) -> None:  # noqa: B027  # most appliances have none
        """What happens by itself now."""

    def reading(self) -> dict[str, object]:
        """All that is told, but for the time."""
        return {**self.state(), "power_w": round(self.power_w), "mode": self.mode}

    def repeats_state(self) -> bool:
        """Is its state told every few minutes now, though it does not change?"""
        return self.power_w > 0

    def timestamp(self, now: datetime) -> str:
        """The `at` of a reading."""
        return format_instant(now)

    def info(self) -> dict[str, object]:
        """What it is, told once when it connects."""
        return {
            "maker": "sandbox",
            "model": type(self).__name__,
            "firmware": "1",
            "serial": self.name,
            "follows": self.follower.topic_suffix.removeprefix("schedule/"),
            "max_power_w": round(self.max_power_w),
        }

    async def run(self) -> None:
        topics = [f"{self._topic}/{self.follower.topic_suffix}", self._agent_status]
        await self._link.subscribe(topics, self._on_message)
        introduced = False
        while True:
            self._wake.clear()
            now = self.clock.now()
            self._advance_to(now)
            self.handle_event(now)
            self.mode, self.power_w = self.apply_command(self.follower.command(*self._times()), now)
            await self._publish_state(now)
            if not introduced:
                # What it does now is what the agent waits for; what it is can come after.
                introduced = True
                await self._publish("info", self.info())
            if not self._wake.is_set():
                await wait_for(self._wake, self.clock, self._next(now))

    def _times(self) -> tuple[int, int]:
        """Unix time and uptime, in seconds."""
        now = self.clock.now()
        uptime = now - self._booted
        return to_unix_floor(now), max(0, int(uptime.total_seconds()))

    def _next(self, now: datetime) -> datetime:
        moments = [now + STEP]
        if (seconds := self.follower.next_change(*self._times())) is not None:
            moments.append(now.replace(microsecond=0) + timedelta(seconds=seconds))
        if (event := self.next_event(now)) is not None and event > now:
            moments.append(event)
        return min(moments)

    def _advance_to(self, now: datetime) -> None:
        seconds = (now - self._advanced_to).total_seconds()
        if seconds > 0:
            self._advanced_to = now
            self.energy_kwh += self.power_w * seconds / 3_600_000
            self.advance(seconds)

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic == self._agent_status:
            self._publish_due = self._publish_due or payload == b"online"
        elif (word := self.follower.accept(payload, *self._times())) is not None:
            self._acks.append((self.follower.revision, word))
        self._wake.set()

    async def _publish_state(self, now: datetime) -> None:
        acks, self._acks = self._acks, []
        for revision, word in acks:
            await self.acknowledge(revision, word)
        state = self.reading()
        repeated = self.repeats_state() and now - self._published_at >= STEP
        if state == self._published and not self._publish_due and not repeated:
            return
        self._published_at = now
        self._published, self._publish_due = state, False
        await self._publish("state", {**state, "at": self.timestamp(now)})

    async def acknowledge(self, revision: int, word: str, diagnostic: str = "") -> None:
        body = {"revision": revision, "status_type": word, "diagnostic": diagnostic}
        await self._publish("ack", body)

    async def request(self, body: dict[str, object]) -> None:
        """A button on the appliance: the owner's wish, never retained."""
        await self._publish("request", body, retain=False)

    async def _publish(self, name: str, body: dict[str, object], *, retain: bool = True) -> None:
        text = json.dumps(body, separators=(",", ":"))
        await self._link.publish(f"{self._topic}/{name}", text, retain=retain)
