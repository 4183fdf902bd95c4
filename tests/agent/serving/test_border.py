"""What strangers send that no page is asked about, and pages that fail."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from agent.serving.connections import Limits
from agent.serving.failures import BoundedFailures, failure_logger
from agent.serving.rates import RequestRates
from agent.serving.server import Port, serving
from integrations.sandbox.broker import HOST
from tests.fakes.brokers import PATIENCE_S

LIMITS = Limits(most=64, most_of_one=64, opened_at_once=1000.0, opened_per_s=1000.0)


@contextlib.asynccontextmanager
async def failing() -> AsyncIterator[int]:
    """The port of a server of which the only page fails."""

    async def fails(_request: web.Request) -> web.Response:
        raise ValueError("a fault of ours " + "x" * 10_000)

    application = web.Application()
    application.router.add_get("/", fails)
    application.router.add_get("/%C3%A9", fails)
    async with serving(application, Port(HOST), LIMITS, keepalive_s=15, shutdown_s=1) as served:
        yield served.addresses[0][1]


async def status(port: int, *lines: bytes) -> int:
    """What a GET with these header lines is answered."""
    reader, writer = await asyncio.open_connection(HOST, port)
    head = [b"GET / HTTP/1.1", b"Host: localhost", b"Connection: close", *lines]
    writer.write(b"\r\n".join(head) + b"\r\n\r\n")
    async with asyncio.timeout(PATIENCE_S):
        said = await reader.readline()
    writer.close()
    return int(said.split()[1])


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own share of lines."""
    monkeypatch.setattr(failure_logger, "filters", [BoundedFailures(RequestRates(3, 0.0))])


@pytest.mark.parametrize("name", [b"Expect", b"Origin", b"Cookie", b"Content-Type", b"X-\x80"])
async def test_a_header_that_is_no_text_is_the_senders_fault(
    name: bytes, patient: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with failing() as port:
        for value in (b"\x80", b"a\xff\xfe", b"\xed\xa0\x80"):
            assert await status(port, name + b": " + value) == 400
        assert await status(port, "Expect: übel".encode()) == 417
    assert not caplog.messages


async def test_pages_that_fail_fill_no_log(patient: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with failing() as port:
        for _ in range(20):
            assert await status(port, b"X: " + b"y" * 4000) == 500
    lines = [item for item in caplog.records if item.name == failure_logger.name]
    assert len(lines) == 3
    for line in lines:
        text = logging.Formatter().format(line)
        assert "GET /: ValueError: a fault of ours" in text
        assert "test_border.py" in text
        assert "\n" not in text
        assert len(text) < 800


async def test_files_that_run_out_fill_no_log(
    patient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio says so for each connection that waits, many times a second."""
    async with failing():
        loop = asyncio.get_running_loop()
        error = OSError(24, "Too many open files")
        for _ in range(50):
            loop.call_exception_handler(
                {"message": "socket.accept() out of system resource", "exception": error}
            )
    assert len(caplog.records) == 3
    assert "Too many open files" in caplog.messages[0]


def test_what_was_left_out_is_said_with_the_next() -> None:
    now = [0.0]
    log = logging.Logger("x")
    log.addFilter(BoundedFailures(RequestRates(1, 1.0, lambda: now[0])))
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]  # as a listener
    log.addHandler(handler)
    for at in (0.0, 0.1, 0.2, 5.0):
        now[0] = at
        log.error("files have run out")
    assert heard == [
        "files have run out",
        "files have run out; 2 more failures before it were not written down",
    ]
