"""Whatever FlatPeak answers, to whichever request: the cache lives on, and so do good prices.

A good answer first, then poisoned ones to login, rates and events, over a real connection.
"""

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.clock import SteppedClock
from agent.energy.rates import Direction
from agent.health import Health
from agent.store import Store
from agent.tariff.normalise import gaps
from agent.tariff.rate_cache import RateCache
from integrations.tariffs.flatpeak import BasicLogin, FlatPeakTariff
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
IMPORT = Direction.IMPORT
TEXTS = st.sampled_from(
    [
        "", "EUR", "USD", "eur", "E\ud83d", "\ude00", "a\r\nWARNING b", "\x00", "\u2028",
        "\x1b[31m", "\u202etxt", "x" * 9999, "nan", "Infinity", "-1e999",
        "0x10", "\u0661", "1_000", " 7 ",
        "Europe/Berlin", "../../etc/passwd", "Mars/Olympus", "Europe", "zone\x00", "IMPORT",
        "EXPORT", "pending_connect", "account_disabled", "tariff.expiring",
        "connect_session.complete", "loc_1",
    ]
)  # fmt: skip
INSTANTS = st.sampled_from(
    [
        "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00", "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z",
        "2026-01-16T10:00:00",
        "2026-01-16T10:00:00Z", "2026-01-16T12:00:00.5Z", "2026-01-17T12:00:00+23:59", "2026-W03-5",
        "2026-02-30T00:00:00Z", "2026-01-16T24:00:00Z", "20260116T100000Z", "10:00", "yesterday",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from(
    [0, -1, 1, 0.3, 1.5, 1e308, 10**400, -(10**30), 1e-300, float("nan"), float("inf"), True]
)
ANYTHING = st.recursive(
    st.none() | TEXTS | INSTANTS | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def mostly(good: Any) -> st.SearchStrategy[Any]:
    return st.just(good) | st.just(good) | ANYTHING


def hour(number: int) -> str:
    return (START + number * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


SLOTS = st.integers(-200, 60).flatmap(
    lambda number: st.fixed_dictionaries(
        {
            "valid_from": mostly(hour(number)) | INSTANTS,
            "valid_to": mostly(hour(number + 1)) | INSTANTS,
            "tariff": mostly({"rate": 0.25, "confidence": 1})
            | st.fixed_dictionaries({"rate": NUMBERS | TEXTS, "confidence": NUMBERS | TEXTS}),
            "carbon": mostly({"intensity": 200}) | st.fixed_dictionaries({"intensity": NUMBERS}),
        }
    )
)
RATES = st.fixed_dictionaries(
    {
        "live_mode": mostly(True),
        "location_id": mostly("loc_1"),
        "location_timezone": mostly("Europe/Berlin"),
        "currency_code": mostly("EUR"),
        "direction": mostly("IMPORT"),
        "next_update": mostly(hour(2)) | INSTANTS,
        "data": st.lists(SLOTS | ANYTHING, max_size=6) | ANYTHING,
    }
)
LOGIN = st.fixed_dictionaries(
    {"bearer_token": mostly("t"), "expires_in": mostly(3600), "live_mode": mostly(True)}
)
ERROR = st.fixed_dictionaries({"code": mostly("x") | TEXTS, "message": TEXTS | ANYTHING})
EVENT = st.fixed_dictionaries(
    {
        "id": mostly("evt_1"),
        "type": mostly("tariff.expiring"),
        "time_created": mostly(hour(0)) | INSTANTS,
        "data": mostly({"location_id": "loc_1"}),
    }
)
EVENTS = st.fixed_dictionaries({"data": st.lists(EVENT | ANYTHING, max_size=4) | ANYTHING})
WRAPPINGS: list[Callable[[bytes], tuple[bytes, str]]] = [
    lambda body: (body, ""),
    lambda body: (body[: len(body) // 2], ""),
    lambda body: (gzip.compress(body), "Content-Encoding: gzip\r\n"),
    lambda body: (gzip.compress(body)[:-9], "Content-Encoding: gzip\r\n"),
    lambda body: (body, "Content-Encoding: gzip\r\n"),
    lambda body: (body, "Content-Type: text/html; charset=klingon\r\n"),
    lambda body: (b"\xff\xfe" + body, ""),
    lambda body: (b"[" * 100_000 + body, ""),
    lambda body: (b'{"a":' * 100_000, ""),
    lambda body: (b"7" * 100_000, ""),
]
DATES = st.sampled_from(
    [
        "Fri, 16 Jan 2026 10:00:00 GMT", "Thu, 01 Jan 0001 00:00:00 GMT", "99", "-1", "9" * 400,
        "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 99 Foo 2026 99:99:99 GMT", "0", "\xb2", "soon", "",
        "Fri, 16 Jan 2026 10:00:00 +99999999999", "1e9", "Wed, 21 Oct 2199 07:28:00 GMT", "1800",
    ]
)  # fmt: skip
STATUSES = st.sampled_from(
    [200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 408, 418, 422, 425, 429, 500, 503, 599, 999]
)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    extra: str = ""

    def encode(self) -> bytes:
        head = (
            f"HTTP/1.1 {self.status} Some\r\nContent-Length: {len(self.body)}\r\n{self.extra}\r\n"
        )
        return head.encode("latin-1") + self.body


def replies(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[Reply]:
    def build(status: int, document: Any, wrapping: int, date: str, retry: str) -> Reply:
        body, extra = WRAPPINGS[wrapping](json.dumps(document).encode())
        return Reply(status, body, f"{extra}Date: {date}\r\nRetry-After: {retry}\r\n")

    wrapping = st.just(0) | st.just(0) | st.integers(0, len(WRAPPINGS) - 1)
    return st.builds(build, STATUSES, documents, wrapping, DATES, DATES)


GOOD_RATES = {
    "location_timezone": "Europe/Berlin",
    "currency_code": "EUR",
    "next_update": hour(2),
    "data": [
        {"valid_from": hour(n), "valid_to": hour(n + 1), "tariff": {"rate": 0.2 + n / 100}}
        for n in range(13)
    ],
}
CASES = st.tuples(
    st.lists(replies(RATES | ERROR | ANYTHING), min_size=3, max_size=3),
    replies(LOGIN | ERROR | ANYTHING),
    replies(EVENTS | ERROR | ANYTHING),
)
Case = tuple[list[Reply], Reply, Reply]


class Server:
    """Answers `/login`, `/events` and rates with what is set; good ones at first."""

    def __init__(self) -> None:
        self.login = Reply(200, b'{"bearer_token": "t", "expires_in": 3600}')
        self.events = Reply(404, b"{}")
        self.rates = Reply(200, json.dumps(GOOD_RATES).encode())

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
        reply = self.rates if path.startswith(b"/tariffs") else self.events
        writer.write((self.login if path == b"/login" else reply).encode())
        writer.close()
        await asyncio.wait({asyncio.ensure_future(writer.wait_closed())})


async def check(clock: SteppedClock, case: Case) -> None:
    poisoned_rates, login, events = case
    served = Server()
    listener = await asyncio.start_server(served.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    source = FlatPeakTariff("loc_1", BasicLogin("acc", "key"), clock, base_url=url)
    health, store = Health(clock), Store.in_memory()
    heard: list[datetime] = []
    served.events = events
    cache = RateCache(source, store, clock, health, on_server_time=heard.append, random=Random(1))
    task = asyncio.create_task(cache.run())
    await clock.sleep(60)
    assert cache.current.value[IMPORT].at(clock.now()) is not None
    for number, reply in enumerate(poisoned_rates):
        served.rates = reply
        if number == 1:
            served.login = login
            # The token is given up.
            await clock.sleep(3600)
        await clock.sleep(61)
        await cache.refresh_now()
        now = clock.now()
        plan = cache.planning_rates(IMPORT, now, now + 48 * HOUR)
        assert gaps(plan, now, now + 48 * HOUR) == []
        assert all(rate.price.is_finite() and 0 < rate.confidence <= 1 for rate in plan)
    await clock.sleep(1800)
    assert not task.done()
    rates = cache.current.value[IMPORT]
    for text in (health.parts["tariff"].why, rates.currency, rates.timezone):
        assert text.isprintable()
        text.encode()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # What was stored of all that is good enough for a restart.
    RateCache(source, store, clock, health).planning_rates(IMPORT, clock.now(), clock.now())
    assert health.counts.get("unreadable_rows", 0) == 0
    assert all(name.replace("_", "").isalpha() for name in health.counts)
    await source.close()
    listener.close()
    await listener.wait_closed()


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_some_hundred_poisoned_answers(case: Case) -> None:
    run_virtual(lambda clock: check(clock, case), START)


@pytest.mark.full
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_five_thousand_poisoned_answers(case: Case) -> None:
    """Five answers an example, not counting those to retries."""
    run_virtual(lambda clock: check(clock, case), START)
