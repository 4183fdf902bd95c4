"""Answers that are hardly HTTP: whatever comes over the wire is one of our errors."""

import asyncio
import gzip
from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from agent.energy.rates import Direction
from agent.errors import Malformed, Unavailable
from integrations.tariffs.flatpeak import FlatPeakTariff, NoAuth
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def body(content: bytes, more: bytes = b"") -> bytes:
    return OK + more + b"Content-Length: %d\r\n\r\n" % len(content) + content


ANSWERS = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a status line": b"HTTP/1.1 2",
    "a status that is none": b"HTTP/1.1 9999 What\r\n\r\n",
    "headers without end": OK + b"X-A: " + b"a" * 100_000,
    "a body cut short": OK + b"Content-Length: 500\r\n\r\n{",
    "a length that is none": OK + b"Content-Length: many\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "chunks that are none": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "not gzip": body(b"{}", b"Content-Encoding: gzip\r\n"),
    "gzip cut short": body(gzip.compress(b"{}" * 999)[:20], b"Content-Encoding: gzip\r\n"),
    "a bomb": body(gzip.compress(b" " * 50_000_000), b"Content-Encoding: gzip\r\n"),
    "an encoding of its own": body(b"{}{", b"Content-Encoding: x-secret\r\n"),
    "not text": body(bytes(range(256))),
    "a charset of its own": body(b"\xff\xfe", b"Content-Type: text/html; charset=klingon\r\n"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a header with a null": OK + b"X-\x00: \x00\r\n\r\n",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_hardly_http(name: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWERS[name])
            writer.close()
            await asyncio.wait({asyncio.ensure_future(writer.wait_closed())})

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = FlatPeakTariff("loc_1", NoAuth(), clock, base_url=url)
        with pytest.raises((Unavailable, Malformed)):
            await client.fetch(Direction.IMPORT, START, START + timedelta(hours=1))
        await client.close()
        server.close()
        await server.wait_closed()

    run_virtual(story, START)


def test_a_peer_that_says_nothing_costs_the_timeout_and_no_more() -> None:
    async def story(clock: SteppedClock) -> None:
        released = asyncio.Event()

        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(OK + b"Content-Length: 1000\r\n\r\n")
            while not released.is_set() and not writer.is_closing():
                writer.write(b" ")
                await clock.sleep(1)
            writer.close()

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = FlatPeakTariff("loc_1", NoAuth(), clock, base_url=url, timeout_s=7)
        with pytest.raises(Unavailable, match="no answer within 7 s"):
            await client.fetch(Direction.IMPORT, START, START + timedelta(hours=1))
        assert clock.now() - START <= timedelta(seconds=8)
        released.set()
        await client.close()
        server.close()
        await server.wait_closed()
        await clock.sleep(2)

    run_virtual(story, START)
