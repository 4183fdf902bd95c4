"""Who holds a connection, and for how long, while others want one."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent.serving.connections import Connections, Limits
from agent.serving.server import Port, serving
from integrations.sandbox.broker import HOST
from tests.fakes.brokers import PATIENCE_S, Authority

LIMITS = Limits(most=64, most_of_one=20, opened_at_once=150.0, opened_per_s=15.0)


@contextlib.asynccontextmanager
async def guarded(
    tls: ssl.SSLContext | None = None, **limits: Any
) -> AsyncIterator[tuple[int, Connections]]:
    """A server of a long page, and one that never ends, behind these limits; its port."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="x" * 20_000_000)

    async def endless(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    application = web.Application()
    application.router.add_get("/", page)
    application.router.add_get("/endless", endless)
    port = Port(HOST, tls=tls)
    async with serving(
        application, port, replace(LIMITS, **limits), keepalive_s=15, shutdown_s=0.05
    ) as served:
        yield served.addresses[0][1], served.connections


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int, number: int = 1, said: bytes = b"") -> Pair:
    """From the machine of that number."""
    pair = await asyncio.open_connection(HOST, port, local_addr=(f"127.0.0.{number}", 0))
    pair[1].write(said)
    return pair


async def close(*pairs: Pair) -> None:
    for _, writer in pairs:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in pairs), return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def ended(reader: asyncio.StreamReader) -> bool:
    """The other side has closed, in whatever way."""
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            while await reader.read(65_536):
                pass
    return True


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_who_never_finishes_a_request_is_cut_off(said: bytes) -> None:
    async with guarded(head_timeout_s=0.05) as (port, connections):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(said)
        assert await ended(reader)
        await close((reader, writer))
        assert not connections.of_one


async def test_who_does_not_read_the_answer_is_cut_off() -> None:
    async with guarded(request_timeout_s=0.5) as (port, connections):
        _, writer = await asyncio.open_connection(HOST, port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: bool(connections.open))
        # What nobody reads fills the buffers; only the guard ends it.
        await until(lambda: not connections.open)
        writer.close()


ASKED = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
ENDLESS = b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_one_machine_has_not_all_connections() -> None:
    async with guarded(most_of_one=3) as (port, connections):
        pairs = [await connected(port, said=ENDLESS) for _ in range(3)]
        await until(lambda: sum(not item.is_headless for item in connections.open) == 3)
        pairs.append(await connected(port))
        assert await ended(pairs[-1][0])
        assert len(connections.open) == 3
        # Another machine has its own.
        pairs.append(await connected(port, 2, ASKED))
        assert (await pairs[-1][0].readline()).startswith(b"HTTP/1.1 200")
        await close(*pairs)


async def test_half_sent_requests_hold_nobodys_place() -> None:
    """However many machines keep them, and open them anew: who asks is answered."""
    async with guarded(most=8, most_of_one=4) as (port, connections):
        half = b"GET / HTTP/1.1\r\nX-Slow: "
        pairs = [await connected(port, number, half) for number in (2, 3) for _ in range(4)]
        await until(lambda: len(connections.open) == 8)
        for again in range(12):
            reader, writer = await connected(port, 9, ASKED)
            async with asyncio.timeout(PATIENCE_S):
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await close((reader, writer))
            pairs.append(await connected(port, 2 + again % 2, half))
        # Of one machine's own the oldest makes room, too.
        reader, writer = await connected(port, 2, ASKED)
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await close(*pairs, (reader, writer))


async def test_who_holds_most_makes_room_for_who_holds_less() -> None:
    async with guarded(most=6, most_of_one=4) as (port, connections):
        pairs = [await connected(port, number, ENDLESS) for number in (2, 2, 2, 2, 3, 4)]
        await until(lambda: sum(not item.is_headless for item in connections.open) == 6)
        reader, writer = await connected(port, 9, ASKED)
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert await ended(pairs[0][0])
        await close(*pairs, (reader, writer))


async def test_one_machine_opens_no_more_than_its_share() -> None:
    async with guarded(opened_at_once=3, opened_per_s=0.001) as (port, _):
        answers = []
        for _ in range(6):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"NONSENSE\r\n\r\n")
            answered = b""
            async with asyncio.timeout(PATIENCE_S):
                with contextlib.suppress(ConnectionError):
                    answered = await reader.read(4)
            answers.append(answered)
            await close((reader, writer))
        assert answers == [b"HTTP"] * 3 + [b""] * 3


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a gateway, and of who trusts it."""
    authority = Authority(folder / "authority")
    certificate, key = authority.issue("gateway", names="IP:127.0.0.1")
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate, key)
    return ours, ssl.create_default_context(cafile=str(authority.file))


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_handshake_that_never_ends_is_cut_off_and_counted(
    tmp_path: Path, said: bytes
) -> None:
    tls, _ = certified(tmp_path)
    async with guarded(tls, head_timeout_s=0.3) as (port, connections):
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(said)
        assert await ended(reader)
        await close((reader, writer))
        await until(lambda: not connections.open)
        assert not connections.of_one


async def test_who_has_opened_enough_connections_is_given_no_handshake(tmp_path: Path) -> None:
    tls, trust = certified(tmp_path)
    async with guarded(tls, opened_at_once=2, opened_per_s=0.001) as (port, connections):
        silent = [await asyncio.open_connection(HOST, port) for _ in range(2)]
        await until(lambda: len(connections.open) == 2)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await asyncio.open_connection(HOST, port, ssl=trust)
        await close(*silent)


async def test_who_asks_takes_the_place_of_a_handshake_that_does_not_end(tmp_path: Path) -> None:
    tls, trust = certified(tmp_path)
    async with guarded(tls, most_of_one=2) as (port, connections):
        silent = [await asyncio.open_connection(HOST, port) for _ in range(2)]
        await until(lambda: len(connections.open) == 2)
        # The first request may come in one piece with the end of the handshake.
        reader, writer = await asyncio.open_connection(HOST, port, ssl=trust)
        writer.write(ASKED)
        async with asyncio.timeout(PATIENCE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert await ended(silent[0][0])
        await close(*silent, (reader, writer))
