"""One process that serves, and the one that starts several and ends with the first that ends."""

import asyncio
import logging
import os
import ssl
import sys
from pathlib import Path

from aiohttp import web

from agent.clock import Clock
from agent.systemd import notify
from integrations.provider.application import make_application
from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.database import Database
from integrations.provider.settings import ProviderConfig

log = logging.getLogger("provider")
STOP_WITHIN_S = 10.0


def open_database(config: ProviderConfig) -> Database:
    return Database(config.database.url.get_secret_value(), config.database.connections)


async def serve(
    config: ProviderConfig, clock: Clock, stop: asyncio.Event, *, is_worker: bool
) -> None:
    """Until `stop`. Raises OSError where the port is taken, Unavailable without the database."""
    database = open_database(config)
    try:
        await database.migrate()
        app = make_application(config, database, DatabaseCustomers(database), clock)
        # No access log: addresses of pages hold the connect token as it arrives.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_WITHIN_S)
        await runner.setup()
        try:
            site = web.TCPSite(
                runner,
                config.http.host,
                config.http.port,
                ssl_context=_tls(config),
                reuse_port=is_worker or None,
            )
            await site.start()
            if not is_worker:
                log.info("serving at %s for %s", runner.addresses, config.public_url)
                notify("READY=1")
            await stop.wait()
        finally:
            await runner.cleanup()
    finally:
        await database.close()


async def supervise(config: ProviderConfig, path: Path, stop: asyncio.Event) -> int:
    """Start the workers and stop them; 0, or the exit code of one that ended by itself."""
    database = open_database(config)
    try:
        await database.migrate()
    finally:
        await database.close()
    command = (sys.executable, "-m", "agent", "provider", "run", "--worker", "--config", str(path))
    workers = [
        await asyncio.create_subprocess_exec(*command, env=dict(os.environ) | {"NOTIFY_SOCKET": ""})
        for _ in range(config.http.workers)
    ]
    log.info("%d workers serve for %s", len(workers), config.public_url)
    notify("READY=1")
    ends = [asyncio.ensure_future(worker.wait()) for worker in workers]
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([*ends, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    ended = [worker.returncode for worker in workers if worker.returncode is not None]
    for worker in workers:
        if worker.returncode is None:
            worker.terminate()
    await asyncio.gather(*ends)
    return 0 if stop.is_set() else (ended[0] or 70)


def _tls(config: ProviderConfig) -> ssl.SSLContext | None:
    if config.http.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.http.certificate, config.http.key)
    return context
