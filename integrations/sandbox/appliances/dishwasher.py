"""A dishwasher: a person loads it in the evening, presses its button, and it waits to be run."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from agent.energy.localtime import local_instant
from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.followers import Command

LOADED_AT = time(20, 10)


class Dishwasher(Appliance):
    """`profile` is (seconds, W); once started it runs through, whatever the schedule says."""

    def __init__(self, setup: Setup, *, profile: Sequence[tuple[int, int]]) -> None:
        super().__init__(setup)
        self.max_power_w = max(power for _, power in profile)
        self._profile = profile
        self._length = timedelta(seconds=sum(seconds for seconds, _ in profile))
        self.loaded = False
        self.started_at: datetime | None = None
        self.finished: list[datetime] = []
        self._pressed = False
        self._ended = False
        self._started = False
        self._loads_at = self._next_loading(self.clock.now())

    def _next_loading(self, now: datetime) -> datetime:
        day = now.astimezone(self.zone).date()
        when = local_instant(day, LOADED_AT, self.zone)
        return when if when > now else local_instant(day + timedelta(days=1), LOADED_AT, self.zone)

    def handle_event(self, now: datetime) -> None:
        if self.started_at is not None and now >= self.started_at + self._length:
            self.started_at, self.loaded, self._ended = None, False, True
            self.finished.append(now)
        if now >= self._loads_at:
            self._loads_at = self._next_loading(now)
            if not self.loaded:
                self.loaded = self._pressed = True

    def advance(self, seconds: float) -> None:
        """A dishwasher has no state but its program."""

    def apply_command(self, command: Command, now: datetime) -> tuple[str, float]:
        if self.started_at is None and self.loaded and command.mode == "run":
            self.started_at, self._started = now, True
        if self.started_at is None:
            return "idle", 0.0
        return "run", float(self._power(now))

    def _power(self, now: datetime) -> int:
        if self.started_at is None:
            return 0
        ran = (now - self.started_at).total_seconds()
        for seconds, power in self._profile:
            if ran < seconds:
                return power
            ran -= seconds
        return 0

    def next_event(self, now: datetime) -> datetime | None:
        moments = [self._loads_at]
        if self.started_at is not None:
            edge = self.started_at
            for seconds, _ in self._profile:
                edge += timedelta(seconds=seconds)
                moments.append(edge)
        return min(moment for moment in moments if moment > now)

    def state(self) -> dict[str, object]:
        return {}

    async def _publish_state(self, now: datetime) -> None:
        if self._pressed:
            self._pressed = False
            await self.request({"start": True})
        if self._started:
            self._started = False
            await self.acknowledge(self.follower.revision, "STARTED")
        if self._ended:
            self._ended = False
            await self.acknowledge(self.follower.revision, "SUCCEEDED")
        await super()._publish_state(now)
