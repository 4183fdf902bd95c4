"""A provider in this process, on SQLite or a real PostgreSQL."""

import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from agent.serving.server import Port, serving
from integrations.provider.application import make_application
from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.database import Database
from integrations.provider.demo import FILES
from integrations.provider.loader import load_files
from integrations.provider.serving import KEEPALIVE_S, limits
from integrations.provider.settings import ProviderConfig
from tests.fakes.flatpeak_for_providers import flatpeak_for_providers
from tests.fakes.postgres import new_database, postgres
from tests.fakes.provider import Browser, HandClock, MakeProvider, NewBrowser, Provider, settings


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/provider.sqlite"
    server = request.getfixturevalue("postgres_server")
    return new_database(server, f"t{uuid.uuid4().hex}")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/provider.sqlite"


@pytest.fixture
async def make_provider() -> AsyncIterator[MakeProvider]:
    async with AsyncExitStack() as stack:

        async def make(
            url: str, flatpeak: dict[str, Any] | None = None, load: bool = True, **sections: Any
        ) -> Provider:
            fake = await stack.enter_async_context(flatpeak_for_providers(**(flatpeak or {})))
            listening = stack.enter_context(socket.socket())
            listening.bind(("127.0.0.1", 0))
            own = f"http://127.0.0.1:{listening.getsockname()[1]}"
            changed = {key.removesuffix("_section"): value for key, value in sections.items()}
            config = ProviderConfig.model_validate(settings(own, url, fake.url) | changed)
            database = Database(url)
            stack.push_async_callback(database.close)
            await database.migrate()
            if load:
                await load_files(database, FILES)
            clock = HandClock()
            app = make_application(config, database, DatabaseCustomers(database), clock)
            port = Port(open_sockets=[listening])
            await stack.enter_async_context(
                serving(app, port, limits(config), keepalive_s=KEEPALIVE_S, shutdown_s=1.0)
            )
            return Provider(own, config, database, fake, clock)

        yield make


@pytest.fixture
async def new_browser() -> AsyncIterator[NewBrowser]:
    opened: list[Browser] = []

    def new(provider: Provider) -> Browser:
        opened.append(Browser(provider.url))
        return opened[-1]

    yield new
    for browser in opened:
        await browser.close()
