"""One process that serves, and the one that starts several and ends with the first that ends."""

import asyncio
import logging
import os
import resource
import socket
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Self

from agent.clock import Clock
from agent.serving.connections import Limits
from agent.serving.server import Port, serving
from agent.systemd import notify
from integrations.provider.application import make_application
from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.database import Database
from integrations.provider.settings import ProviderConfig

log = logging.getLogger("provider")
STOP_WITHIN_S = 10.0
# Longer than load balancers keep an idle connection (60 s is usual), so that they close it first.
KEEPALIVE_S = 75.0
# The database's file, logs, calls to FlatPeak, listening sockets.
OTHER_FILES = 100
FEWEST = 16
# New connections of one network: many households may share an address, FlatPeak's pollers do.
OPENED_PER_S = 200.0
UNBOUNDED = 10**6


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
        http = config.http
        port = Port(http.host, http.port, _tls(config), is_shared=is_worker)
        async with serving(
            app, port, limits(config), keepalive_s=KEEPALIVE_S, shutdown_s=STOP_WITHIN_S
        ) as served:
            if not is_worker:
                log.info("serving at %s for %s", served.addresses, config.public_url)
            notify("READY=1")
            await stop.wait()
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
    with Ready() as ready:
        workers = [
            await asyncio.create_subprocess_exec(*command, env=dict(os.environ) | ready.environment)
            for _ in range(config.http.workers)
        ]
        ends = [asyncio.ensure_future(worker.wait()) for worker in workers]
        stopping = asyncio.ensure_future(stop.wait())
        listening = asyncio.ensure_future(ready.wait_for(len(workers)))
        await asyncio.wait([*ends, stopping, listening], return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            log.info("%d workers serve for %s", len(workers), config.public_url)
            notify("READY=1")
        listening.cancel()
    await asyncio.wait([*ends, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    ended = [worker.returncode for worker in workers if worker.returncode is not None]
    for worker in workers:
        if worker.returncode is None:
            worker.terminate()
    await asyncio.gather(*ends)
    return 0 if stop.is_set() else (ended[0] or 70)


class Ready:
    """Hears of each worker that it listens, as systemd would be told."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "ready"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        self.environment = {"NOTIFY_SOCKET": str(path)}
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._folder.cleanup()

    async def wait_for(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        while count:
            said = await loop.sock_recv(self._socket, 4096)
            count -= b"READY=1" in said.splitlines()


def limits(config: ProviderConfig) -> Limits:
    """What one process takes at once, below what the system lets it open.

    Behind load balancers all come from their few addresses: whose connections they are is theirs
    to say.
    """
    http = config.http
    room = _most_files() - OTHER_FILES - config.database.connections
    most = max(min(http.connections, room), FEWEST)
    is_direct = http.proxies == 0
    return Limits(
        most=most,
        most_of_one=most // 2 if is_direct else most,
        opened_at_once=float(most),
        opened_per_s=OPENED_PER_S if is_direct else UNBOUNDED,
        request_timeout_s=max(KEEPALIVE_S, config.flatpeak.outcome_within_s) + 15,
    )


def _most_files() -> int:
    """How many this process may have open."""
    try:
        found, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError:
        # A sandbox that forbids even to ask.
        return UNBOUNDED
    return UNBOUNDED if found == resource.RLIM_INFINITY else found


def _tls(config: ProviderConfig) -> ssl.SSLContext | None:
    if config.http.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.http.certificate, config.http.key)
    return context
