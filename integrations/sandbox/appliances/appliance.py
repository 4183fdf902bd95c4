"""What every simulated appliance does: obey, acknowledge, tell its state."""

import asyncio
import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta

from agent.clock import Clock, wait_for
from agent.energy.instants import format_instant, to_unix_floor
from integrations.sandbox.appliances.link import Link
from integrations.sandbox.appliances.minds import Mind, Order

STEP = timedelta(minutes=5)


class Appliance(ABC):
    """One appliance at `<base>/device/<id>`.

    Subclasses give the physics: `live` moves their state over a span at a power, `obey` turns an
    order into the power that is drawn now.
    """

    def __init__(self, name: str, base: str, clock: Clock, link: Link, mind: Mind) -> None:
        self.name = name
        self.clock = clock
        self.mind = mind
        self.power_w = 0.0
        self.session_energy_kwh = 0.0
        self.mode = ""
        self._topic = f"{base}/device/{name}"
        self._status = f"{base}/status"
        self._link = link
        self._wake = asyncio.Event()
        self._acks: list[tuple[int, str]] = []
        self._lived_to = clock.now()
        self._told: dict[str, object] = {}
        self._told_at = self._lived_to
        self._tell = True

    @abstractmethod
    def live(self, seconds: float) -> None:
        """Move the physics on by that long at the present power."""

    @abstractmethod
    def obey(self, order: Order, now: datetime) -> tuple[str, float]:
        """The mode that is shown and the power that is drawn under this order."""

    @abstractmethod
    def state(self) -> dict[str, object]:
        """What is told besides the power."""

    def next_event(self, now: datetime) -> datetime | None:
        """When something happens by itself next (a car comes, a tank is full)."""
        return None

    def happen(self, now: datetime) -> None:  # noqa: B027  # most appliances wait for orders
        """What happens by itself now."""

    async def run(self) -> None:
        await self._link.subscribe([f"{self._topic}/{self.mind.form}", self._status], self._hear)
        while True:
            self._wake.clear()
            now = self.clock.now()
            self._live_until(now)
            self.happen(now)
            self.mode, self.power_w = self.obey(self.mind.order(to_unix_floor(now)), now)
            await self._speak(now)
            if not self._wake.is_set():
                await wait_for(self._wake, self.clock, self._next(now))

    def _next(self, now: datetime) -> datetime:
        moments = [now + STEP]
        if (edge := self.mind.next_edge(to_unix_floor(now))) is not None:
            moments.append(datetime.fromtimestamp(edge, UTC))
        if (event := self.next_event(now)) is not None and event > now:
            moments.append(event)
        return min(moments)

    def _live_until(self, now: datetime) -> None:
        seconds = (now - self._lived_to).total_seconds()
        if seconds > 0:
            self._lived_to = now
            self.session_energy_kwh += self.power_w * seconds / 3_600_000
            self.live(seconds)

    def _hear(self, topic: str, payload: bytes) -> None:
        now = to_unix_floor(self.clock.now())
        if topic == self._status:
            self._tell = self._tell or payload == b"online"
        elif (word := self.mind.take(payload, now)) is not None:
            self._acks.append((self.mind.revision, word))
        self._wake.set()

    async def _speak(self, now: datetime) -> None:
        acks, self._acks = self._acks, []
        for revision, word in acks:
            await self.acknowledge(revision, word)
        told = {**self.state(), "power_w": round(self.power_w), "mode": self.mode}
        due = self.power_w > 0 and now - self._told_at >= STEP
        if told == self._told and not self._tell and not due:
            return
        self._told_at = now
        self._told, self._tell = told, False
        body = json.dumps({**told, "at": format_instant(now)}, separators=(",", ":"))
        await self._link.publish(f"{self._topic}/state", body, retain=True)

    async def acknowledge(self, revision: int, word: str, diagnostic: str = "") -> None:
        body = {"revision": revision, "status_type": word, "diagnostic": diagnostic}
        text = json.dumps(body, separators=(",", ":"))
        await self._link.publish(f"{self._topic}/ack", text, retain=True)

    async def request(self, body: dict[str, object]) -> None:
        """A button on the appliance: the owner's wish, never retained."""
        await self._link.publish(f"{self._topic}/request", json.dumps(body), retain=False)
