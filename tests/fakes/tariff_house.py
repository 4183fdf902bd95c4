"""A home's rate cache with a real client and the sandbox, for `async with` on a virtual loop."""

import asyncio
from datetime import datetime
from random import Random

from agent.clock import SteppedClock
from agent.energy.rates import Direction
from agent.health import Health
from agent.store import Store
from agent.tariff.rate_cache import RateCache
from integrations.sandbox.server import ACCOUNT_ID, API_KEY, FlatPeakSandbox
from integrations.tariffs.flatpeak import BasicLogin, FlatPeakTariff

GERMANY = "loc_659200800000000000000001"
SWEDEN = "loc_659200800000000000000002"
SYDNEY = "loc_659200800000000000000006"
BOTH = (Direction.IMPORT, Direction.EXPORT)


class TariffHouse:
    """`start_rate_cache` again is a restart of the agent on the same disk."""

    def __init__(
        self,
        clock: SteppedClock,
        location: str = GERMANY,
        directions: tuple[Direction, ...] = BOTH,
        contract_start: datetime | None = None,
        predictions: bool = False,
    ) -> None:
        self.clock = clock
        self.sandbox = FlatPeakSandbox(clock, predictions=predictions)
        self.seed = 7
        self.events: list[tuple[str, str]] = []
        self.store = Store.in_memory()
        self.health = Health(clock)
        self.server_times: list[datetime] = []
        self._location = location
        self._directions = directions
        self._contract_start = contract_start
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "TariffHouse":
        await self.sandbox.start()
        self.source = FlatPeakTariff(
            self._location,
            BasicLogin(ACCOUNT_ID, API_KEY),
            self.clock,
            directions=self._directions,
            base_url=self.sandbox.url,
        )
        self.start_rate_cache()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop_rate_cache()
        await self.source.close()
        await self.sandbox.stop()
        self.store.close()

    def start_rate_cache(self) -> None:
        self.health = Health(self.clock)
        self.rate_cache = RateCache(
            self.source,
            self.store,
            self.clock,
            self.health,
            contract_start=self._contract_start,
            on_server_time=self.server_times.append,
            on_event=lambda kind, text: self.events.append((kind, text)),
            random=Random(self.seed),
        )
        self._task = asyncio.create_task(self.rate_cache.run())

    async def stop_rate_cache(self) -> None:
        assert self._task is not None
        assert not self._task.done(), "the rate cache's task ended by itself"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    def asked(self, direction: Direction = Direction.IMPORT) -> list[datetime]:
        """When rates were asked for; a second call right after a new login counts as one."""
        times: list[datetime] = []
        for call in self.sandbox.calls:
            if call.query.get("direction") == direction.name and (
                not times or (call.at - times[-1]).total_seconds() > 30
            ):
                times.append(call.at)
        return times
