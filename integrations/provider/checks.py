"""What `provider check` tries: the database, FlatPeak's credentials, tariffs for the next day."""

import errno
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from agent.errors import AgentError, Malformed, Refused
from agent.serving.server import listening_sockets
from integrations.provider.customers import DYNAMIC
from integrations.provider.database import Database
from integrations.provider.flatpeak_client import FlatPeakClient
from integrations.provider.schema import CONTRACT, CUSTOMER, PRICE, TARIFF
from integrations.provider.serving import customer_system, open_database, tls
from integrations.provider.settings import ProviderConfig, placeholders

# A token that nobody has: an answer to it shows that the credentials were taken.
NO_SESSION = "cot_000000000000000000000000"


@dataclass(frozen=True, slots=True)
class Result:
    what: str
    good: bool
    found: str


async def check(config: ProviderConfig, now: datetime) -> list[Result]:
    """One result for each thing tried; none of them raises."""
    out = [await _http(config), *_secrets(config), await _flatpeak(config)]
    database = open_database(config)
    try:
        version = await database.version()
        if version is None:
            found = f"nothing is laid out at {database.address} yet; load or run does that"
            return [*out, Result("database", False, found)]
        customer_system(config, database)
        if config.customers:
            out.append(Result("customers", True, f"{config.customers} is there"))
        else:
            out += await _tables(database, now)
    except AgentError as error:
        out.append(Result("database", False, f"{error}; database.url is {database.address}"))
    finally:
        await database.close()
    return out


def _secrets(config: ProviderConfig) -> list[Result]:
    keys = placeholders(config)
    found = f"{', '.join(keys)}: still as in the example, where everybody reads it; choose your own"
    return [Result("secrets", False, found)] if keys else []


async def _http(config: ProviderConfig) -> Result:
    """Certificate and key, and whether the port is to be had."""
    host, port = config.http.host, config.http.port
    try:
        tls(config)
        for item in await listening_sockets(host, port):
            item.close()
    except AgentError as error:
        return Result("http", False, str(error))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            found = f"{host} port {port}: somebody listens there: this provider, if it runs"
            return Result("http", True, found)
        return Result("http", False, f"http.host, http.port: {host} port {port}: {error.strerror}")
    return Result("http", True, f"{host} port {port} is free, for {config.public_url}")


async def _flatpeak(config: ProviderConfig) -> Result:
    client = FlatPeakClient(config.flatpeak, config.public_url + config.http.authentication_path)
    try:
        await client.context(NO_SESSION)
    except Refused as error:
        good = error.code != "credentials"
        return Result("FlatPeak", good, "credentials are taken" if good else str(error))
    except Malformed:
        pass
    except AgentError as error:
        return Result("FlatPeak", False, f"{error}; flatpeak.url is {config.flatpeak.url}")
    finally:
        await client.close()
    return Result("FlatPeak", True, "answers")


async def _tables(database: Database, now: datetime) -> list[Result]:
    async with database.reading() as connection:
        counts = [
            (table.name, await connection.scalar(select(func.count()).select_from(table)))
            for table in (CUSTOMER, CONTRACT, TARIFF)
        ]
        query = (
            select(TARIFF.c.id, func.max(PRICE.c.end_at))
            .select_from(TARIFF.outerjoin(PRICE))
            .where(TARIFF.c.structure == DYNAMIC)
            .group_by(TARIFF.c.id)
        )
        ends = (await connection.execute(query)).all()
    wanted = (now + timedelta(hours=24)).timestamp()
    short = sorted(name for name, end in ends if end is None or end < wanted)
    return [
        Result("database", True, ", ".join(f"{name}: {count}" for name, count in counts)),
        Result(
            "dynamic tariffs",
            not short,
            f"no prices for the next 24 h: {', '.join(short)}"
            if short
            else f"{len(ends)}, all whole",
        ),
    ]
