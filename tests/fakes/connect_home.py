"""A home with nothing connected yet: agent with pages on a broker, and Connect to click through."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from pathlib import Path

from agent.clock import SteppedClock
from agent.store import Store
from integrations.sandbox.broker import free_port, open_broker
from tests.fakes.connect_sandbox import ConnectSandbox
from tests.fakes.real_home import RealHome, listening
from tests.fakes.web_home import MORNING, WebHome


class ConnectHome(WebHome):
    """`disk` opens the state folder's database, for one life of the agent."""

    sandbox: ConnectSandbox

    @contextlib.contextmanager
    def disk(self) -> Iterator[Store]:
        store = Store.open(self.folder / "agent.sqlite", self.home.clock.now())
        try:
            yield store
        finally:
            store.close()


@contextlib.asynccontextmanager
async def connect_home(folder: Path, **tariff: object) -> AsyncIterator[ConnectHome]:
    async with open_broker("embedded") as broker, listening(broker, "watcher") as watcher:
        clock = SteppedClock(MORNING.replace(tzinfo=UTC))
        async with ConnectSandbox(clock) as sandbox:
            assert isinstance(sandbox, ConnectSandbox)
            zone = sandbox.place.zone
            home = RealHome(broker, clock, sandbox, watcher, zone)
            sections = {"tariff": sandbox.tariff(**tariff)}
            house = ConnectHome(home, folder, free_port(), sections=sections)
            house.sandbox = sandbox
            yield house
