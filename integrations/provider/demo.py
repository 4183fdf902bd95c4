"""Demo Energy: the provider in this process, with its own database and a few customers."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from aiohttp import web
from sqlalchemy import delete, insert

from agent.clock import Clock
from integrations.provider.application import make_application
from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.database import Database
from integrations.provider.loader import load_files
from integrations.provider.schema import PRICE
from integrations.provider.settings import ProviderConfig

NAME = "Demo Energy"
HOST = "127.0.0.1"
FOLDER = Path(__file__).parent / "example"
FILES = tuple(FOLDER / f"{name}.csv" for name in ("customers", "tariffs", "contracts"))
# Of the example's customers.csv: several contracts; nothing but a password.
LOGIN, PASSWORD = "anna@example.org", "sunny-meadow-42"
CLIENT_SECRET = "demo-client-secret-of-flatpeak"
DYNAMIC_TARIFF = "half-hourly"
DYNAMIC_DAYS, DYNAMIC_DAYS_BACK = 60, 31
HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class DemoProvider:
    """While it runs. `authentication_url` is where FlatPeak sends browsers."""

    url: str
    authentication_url: str
    login: str
    password: str
    config: ProviderConfig
    database: Database


@asynccontextmanager
async def demo_provider(
    database_file: Path,
    clock: Clock,
    *,
    flatpeak_url: str,
    username: str,
    password: str,
    port: int = 0,
    min_interval_s: int = 900,
) -> AsyncIterator[DemoProvider]:
    """Demo Energy on loopback. `username` and `password` are its credentials at FlatPeak.

    Its half-hourly prices run from 31 days before the clock's present to 60 days after it.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        url = f"http://{HOST}:{listening.getsockname()[1]}"
        config = ProviderConfig.model_validate(
            {
                "public_url": url,
                "brand": {"name": NAME},
                "database": {"url": f"sqlite:///{database_file}"},
                "flatpeak": {"url": flatpeak_url, "username": username, "password": password},
                "oauth": {"client_secret": CLIENT_SECRET},
                "polling": {"min_interval_s": min_interval_s},
            }
        )
        database = Database(config.database.url.get_secret_value())
        try:
            await database.migrate()
            await load_files(database, FILES)
            await _load_prices(database, clock.now())
            app = make_application(config, database, DatabaseCustomers(database), clock)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            try:
                await web.SockSite(runner, listening).start()
                path = config.http.authentication_path
                yield DemoProvider(url, url + path, LOGIN, PASSWORD, config, database)
            finally:
                await runner.cleanup()
        finally:
            await database.close()


async def _load_prices(database: Database, now: datetime) -> None:
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start -= timedelta(days=DYNAMIC_DAYS_BACK)
    rows = []
    for number in range((DYNAMIC_DAYS + DYNAMIC_DAYS_BACK) * 48):
        at = start + number * HALF_HOUR
        rows.append(
            {
                "tariff_id": DYNAMIC_TARIFF,
                "start_at": int(at.timestamp()),
                "end_at": int((at + HALF_HOUR).timestamp()),
                "value": str(_price(at)),
            }
        )
    async with database.writing() as connection:
        await connection.execute(delete(PRICE).where(PRICE.c.tariff_id == DYNAMIC_TARIFF))
        await connection.execute(insert(PRICE), rows)


def _price(at: datetime) -> Decimal:
    """A day with a cheap night, a cheap noon and a dear evening, no two days alike."""
    half_hour = at.hour * 2 + at.minute // 30
    shape = (
        14,
        13,
        12,
        11,
        11,
        12,
        18,
        24,
        22,
        17,
        12,
        9,
        8,
        9,
        13,
        20,
        31,
        36,
        33,
        27,
        22,
        19,
        17,
        15,
    )
    wobble = (at.toordinal() * 7 + half_hour * 3) % 11 - 5
    return Decimal(shape[half_hour // 2] * 10 + wobble) / 1000
