"""One process that serves, and the one that starts several and ends with the first that ends."""

import asyncio
import contextlib
import importlib
import logging
import os
import resource
import socket
import ssl
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from agent.clock import Clock
from agent.errors import Refused
from agent.serving.connections import Limits
from agent.serving.server import Port, listening_sockets, serving
from agent.systemd import notify
from integrations.provider.application import make_application
from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.customers import CustomerSystem
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
    config: ProviderConfig,
    clock: Clock,
    stop: asyncio.Event,
    sockets: Sequence[socket.socket] = (),
) -> None:
    """Until `stop`. Raises OSError where the port is taken, Unavailable without the database.

    `sockets` are those of a supervisor, whose worker this is.
    """
    database = open_database(config)
    try:
        await database.migrate()
        app = make_application(config, database, customer_system(config, database), clock)
        http = config.http
        port = Port(http.host, http.port, tls(config), sockets)
        async with serving(
            app, port, limits(config), keepalive_s=KEEPALIVE_S, shutdown_s=STOP_WITHIN_S
        ) as served:
            if not sockets:
                log.info("serving at %s for %s", served.addresses, config.public_url)
            notify("READY=1")
            await stop.wait()
    finally:
        await database.close()


async def supervise(config: ProviderConfig, path: Path, stop: asyncio.Event) -> int:
    """Start the workers and stop them; 0, or the exit code of one that ended by itself.

    Raises OSError where the port is taken.
    """
    sockets = await listening_sockets(config.http.host, config.http.port)
    with contextlib.ExitStack() as ours, Ready() as ready:
        for item in sockets:
            ours.enter_context(item)
        database = open_database(config)
        try:
            await database.migrate()
        finally:
            await database.close()
        workers = [await _start_worker(path, sockets, ready) for _ in range(config.http.workers)]
        # Who connects while the last worker ends is refused at once.
        ours.close()
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


async def _start_worker(path: Path, sockets: Sequence[socket.socket], ready: "Ready") -> Process:
    """All have the same sockets: a new connection is whose who takes it first.

    Its standard input ends when the supervisor does, however that ends.
    """
    numbers = [item.fileno() for item in sockets]
    command = ("-m", "agent", "provider", "run", "--config", str(path))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        *("--worker", ",".join(str(number) for number in numbers)),
        stdin=asyncio.subprocess.PIPE,
        pass_fds=numbers,
        env=dict(os.environ) | ready.environment,
    )


def stop_with_supervisor(stop: asyncio.Event) -> None:
    """In a worker: nobody else would ever stop it, and it would serve with an old config."""
    loop = asyncio.get_running_loop()

    def ended() -> None:
        loop.remove_reader(sys.stdin)
        if not stop.is_set():
            log.warning("the process that started this one is gone: no more is served")
        stop.set()

    loop.add_reader(sys.stdin, ended)


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


def tls(config: ProviderConfig) -> ssl.SSLContext | None:
    """None: plain HTTP. Raises Refused with the file that is the reason."""
    certificate, key = config.http.certificate, config.http.key
    if certificate is None or key is None:
        return None
    for name, file in (("certificate", certificate), ("key", key)):
        try:
            file.open("rb").close()
        except OSError as error:
            raise Refused(f"http.{name}: {file}: {error.strerror}") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        why = error.reason or "not in PEM"
        said = f"{certificate} and {key} are no certificate and its key in PEM ({why})"
        raise Refused(f"http.certificate, http.key: {said}") from error
    return context


def customer_system(config: ProviderConfig, database: Database) -> CustomerSystem:
    """Our tables, or what `customers` names: called with the config and our database.

    Raises Refused where that is not to be had.
    """
    if not config.customers:
        return DatabaseCustomers(database)
    module, _, name = config.customers.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        where = "it is looked for where Python does: installed, or in a folder of PYTHONPATH"
        raise Refused(f"customers: {config.customers}: {error}; {where}") from error
    made: CustomerSystem = make(config, database)
    return made
