"""An application on a port, with everything that stands before its pages."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from agent.serving.border import bordered
from agent.serving.connections import Connections, Limits
from agent.serving.failures import failure_logger

BACKLOG = 64
MOST_HEADER_BYTES = 8190


@dataclass(frozen=True, slots=True)
class Port:
    """Where to listen. `open_sockets` are bound already; then `host` and `port` say nothing."""

    host: str | None = None
    port: int = 0
    tls: ssl.SSLContext | None = None
    open_sockets: Sequence[socket.socket] = ()
    accepts: Callable[[str, str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """An open port: at which addresses (host and port first), and who is connected."""

    addresses: Sequence[tuple[Any, ...]]
    connections: Connections


@asynccontextmanager
async def serving(
    application: web.Application,
    port: Port,
    limits: Limits,
    *,
    keepalive_s: float,
    shutdown_s: float,
) -> AsyncIterator[Served]:
    """Raises OSError where the port is not to be had."""
    runner = web.AppRunner(
        application,
        access_log=None,
        logger=failure_logger,
        keepalive_timeout=keepalive_s,
        shutdown_timeout=shutdown_s,
        max_line_size=MOST_HEADER_BYTES,
        max_field_size=MOST_HEADER_BYTES,
    )
    await runner.setup()
    assert runner.server is not None
    runner.server.request_handler = bordered(runner.server.request_handler)
    connections = Connections(
        cast("Callable[[], asyncio.Protocol]", runner.server), limits, port.accepts, port.tls
    )
    servers: list[asyncio.Server] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(before or _without_a_flood)
    try:
        where: list[dict[str, Any]] = [{"sock": item} for item in port.open_sockets]
        for place in where or [{"host": port.host, "port": port.port}]:
            server = await loop.create_server(connections, backlog=BACKLOG, **place)
            servers.append(server)
        found = [item.getsockname() for server in servers for item in server.sockets]
        yield Served(found, connections)
    finally:
        for server in servers:
            server.close()
        # Whoever waits for an answer is given it within that time, and nobody else is waited for.
        await runner.cleanup()
        connections.close()
        loop.set_exception_handler(before)


async def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """One for each address of `host`, to be handed to several processes.

    Nobody else gets the port as long as one of them has it open, as with SO_REUSEPORT anybody of
    the same user would. Raises OSError where the port is not to be had.
    """
    server = await asyncio.get_running_loop().create_server(
        asyncio.Protocol, host, port, start_serving=False
    )
    with contextlib.closing(server):
        out = [socket.socket(fileno=os.dup(item.fileno())) for item in server.sockets]
    try:
        for item in out:
            # Bound alone, others may bind it as well.
            item.listen(BACKLOG)
    except OSError:
        for item in out:
            item.close()
        raise
    return out


def _without_a_flood(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio says for each connection that it cannot take that files have run out."""
    if "accept" in str(context.get("message", "")):
        failure_logger.error("no connection can be taken: %s", context.get("exception"))
        return
    loop.default_exception_handler(context)
