"""The provider and the sandbox's own FlatPeak for two simulated weeks, nothing between them faked.

Polls come daily, the provider allows one in 36 hours, its access tokens last three days.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from agent.clock import SteppedClock
from agent.energy.instants import format_instant, parse_instant
from integrations.provider.application import make_application
from integrations.provider.audit import entries
from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.database import Database
from integrations.provider.demo import FILES
from integrations.provider.loader import load_files
from integrations.provider.settings import ProviderConfig
from integrations.sandbox import ConnectedProvider, FlatPeakSandbox, ProviderName
from tests.fakes.flatpeak_for_providers import PASSWORD, USERNAME
from tests.fakes.provider import ANNA, CLEO, SECRET, START, Browser, settings, sign_in
from tests.fakes.sandbox_caller import Caller
from tests.fakes.virtual_loop import VirtualLoop, run_virtual

DEMO = ProviderName("prv_000000000000000000000098", "Demo Energy")
SINCE = datetime(2024, 12, 31, 23, tzinfo=UTC)
CHANGE, CONTRACT_END = datetime(2026, 3, 7, 23, tzinfo=UTC), datetime(2026, 3, 13, 23, tzinfo=UTC)
TERMS = (
    "contract,customer,name,timezone,start,end,tariff\n"
    "K-2004,C-1003,Home,Europe/Berlin,2025-01-01,2026-03-07,flat\n"
    "K-2004,C-1003,Home,Europe/Berlin,2026-03-08,2026-03-13,day-night\n"
)
HISTORY = timedelta(days=30)
HALF_HOUR, DAY = timedelta(minutes=30), timedelta(days=1)
POLLING = {"min_interval_s": 36 * 3600}

Slot = tuple[datetime, datetime, float, float]
Story = Callable[["House"], Awaitable[None]]


@dataclass
class House:
    """Both sides, and what a customer and a device do on them."""

    clock: SteppedClock
    sandbox: FlatPeakSandbox
    caller: Caller
    provider_url: str
    database: Database
    stack: AsyncExitStack

    async def connect(self, who: tuple[str, str], contract: str = "") -> str:
        """A location whose tariff comes from the provider, by the whole way through its pages."""
        body = {
            "callback_uri": "http://gateway.local/back",
            "connect_web_uri": "http://connect.local/web",
            "postal_address": {"city": "Berlin", "country_code": "DE"},
        }
        await self.caller.log_in()
        _, started = await self.caller.post("/connect/tariff/token", body)
        token = started["connect_token"]
        await self._turn(token, "session_restore")
        page = await self._turn(token, "provider_select", data={"provider": {"id": DEMO.id}})
        browser = await self.browser()
        await browser.get(page["data"]["redirect_url"])
        await sign_in(browser, who)
        if contract:
            await browser.submit("choose", contract=contract)
        await browser.submit("consent")
        assert browser.left_for == f"http://connect.local/web?connect_token={token}"
        page = await self._turn(token, "session_restore")
        assert page["route"].startswith("summary_"), page
        await self._turn(token, page["route"], action="SAVE")
        return self.sandbox.sessions.get(token).location_id

    async def browser(self) -> Browser:
        browser = Browser(self.provider_url, keeps_connections=False)
        self.stack.push_async_callback(browser.close)
        return browser

    async def _turn(self, token: str, route: str, **more: Any) -> dict[str, Any]:
        status, page = await self.caller.post("/", {"connect_token": token, "route": route, **more})
        assert status == 200, page
        return dict(page)

    async def slots(self, location_id: str, start: datetime, end: datetime) -> list[Slot]:
        """What FlatPeak serves, without a gap."""
        await self.caller.log_in()
        answer = await self.caller.rates(location_id, format_instant(start), format_instant(end))
        slots = [
            (
                parse_instant(slot["valid_from"]),
                parse_instant(slot["valid_to"]),
                slot["tariff"]["rate"],
                slot["tariff"]["confidence"],
            )
            for slot in answer["data"]
        ]
        assert (slots[0][0], slots[-1][1]) == (start, end)
        assert all(before[1] == after[0] for before, after in pairwise(slots))
        return slots

    async def held(self, contract: str, start: datetime, end: datetime) -> list[float]:
        """What the provider's own database says of each half hour."""
        found = await DatabaseCustomers(self.database).tariff(contract, start, end, start)
        assert found is not None
        rates = [(rate.start, rate.end, float(rate.value), 1.0) for rate in found.rates]
        return each_half_hour(rates, start, end)

    async def kind(self, location_id: str) -> dict[str, Any]:
        await self.caller.log_in()
        _, answer = await self.caller.get(f"/locations/{location_id}/status")
        return dict(answer["tariff_status"]["commodity_import"])

    async def events(self, location_id: str) -> list[str]:
        await self.caller.log_in()
        _, answer = await self.caller.get("/events", object_id=location_id, limit="100")
        told = [event["type"] for event in answer["data"]]
        return [kind for kind in told if kind.startswith("tariff.")]

    async def audited(self, contract: str) -> list[str]:
        return [
            entry["event"]
            async for entry in entries(self.database)
            if entry["contract_id"] == contract
        ]


def each_half_hour(slots: Sequence[Slot], start: datetime, end: datetime) -> list[float]:
    found, out, at = iter(slots), [], start
    _, until, price, _ = next(found)
    while at < end:
        while until <= at:
            _, until, price, _ = next(found)
        out.append(price)
        at += HALF_HOUR
    return out


@asynccontextmanager
async def house(clock: SteppedClock, database_url: str) -> AsyncIterator[House]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)

    @web.middleware
    async def in_real_time(request: web.Request, handler: Handler) -> web.StreamResponse:
        # A database answers from another thread or process, which the jumping clock cannot see.
        with loop.real_time():
            return await handler(request)

    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(FlatPeakSandbox(clock, processing_s=0))
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        own = f"http://127.0.0.1:{listening.getsockname()[1]}"
        written = settings(own, database_url, sandbox.url)
        config = ProviderConfig.model_validate({**written, "polling": POLLING})
        database = Database(database_url)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        )
        with loop.real_time():
            stack.push_async_callback(database.close)
            await database.migrate()
            await load_files(database, FILES)
            app = make_application(config, database, DatabaseCustomers(database), clock)
            app.middlewares.insert(0, in_real_time)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.SockSite(runner, listening).start()
        sandbox.integrate(
            ConnectedProvider(DEMO, f"{own}/flatpeak", USERNAME, PASSWORD, client_secret=SECRET)
        )
        home = House(clock, sandbox, Caller(http, sandbox), own, database, stack)
        yield home
        # What is closed now waits for threads and for the database.
        stack.enter_context(loop.real_time())


def play(database_url: str, story: Story) -> None:
    async def whole(clock: SteppedClock) -> None:
        async with house(clock, database_url) as home:
            await story(home)

    run_virtual(whole, START)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def load(home: House, path: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    with loop.real_time():
        await load_files(home.database, [path])


def prices(start: datetime, end: datetime) -> str:
    """Half-hourly, no two of a day alike."""
    lines, at, number = ["tariff,start,end,price"], start, 0
    while at < end:
        after = at + HALF_HOUR
        lines.append(
            f"half-hourly,{format_instant(at)},{format_instant(after)},{(number % 331) / 1000}"
        )
        at, number = after, number + 1
    return "\n".join(lines) + "\n"


def test_a_contract_that_changes_its_tariff_and_ends(database_url: str, tmp_path: Path) -> None:
    async def story(home: House) -> None:
        place = await home.connect(CLEO)
        assert (await home.kind(place))["tariff"]["contract_end_date"] is None
        await home.clock.sleep(3 * 86400)
        await load(home, written(tmp_path / "terms.csv", TERMS))
        await home.clock.sleep(4 * 86400)
        kind = await home.kind(place)
        assert kind["tariff"]["contract_end_date"] == format_instant(CONTRACT_END)
        assert kind["tariff"]["structure_type"] == "TIME_OF_DAY"
        assert await home.events(place) == ["tariff.expiring"]
        await home.clock.sleep(7 * 86400)
        assert await home.events(place) == ["tariff.expired", "tariff.expiring"]
        # Also the time before the first poll, from the contract's start on, and before the change.
        start = START - HISTORY
        slots = await home.slots(place, start, CONTRACT_END)
        assert each_half_hour(slots, start, CONTRACT_END) == await home.held(
            "K-2004", start, CONTRACT_END
        )
        assert {slot[3] for slot in slots} == {1.0}
        assert {slot[2] for slot in slots if slot[1] <= CHANGE} == {0.289}
        after = await home.slots(place, CONTRACT_END, CONTRACT_END + DAY)
        assert {slot[3] for slot in after} == {0.8}
        assert (await home.kind(place))["status"] == "CONNECTED"

    play(database_url, story)


def test_a_dynamic_tariff_of_which_nothing_is_lost(database_url: str, tmp_path: Path) -> None:
    async def story(home: House) -> None:
        start, end = START - HISTORY, START + timedelta(days=15)
        await load(home, written(tmp_path / "prices.csv", prices(start, end)))
        place = await home.connect(ANNA, "K-2002")
        # What came before the consent is fetched, too.
        slots = await home.slots(place, start, START + DAY)
        assert each_half_hour(slots, start, START + DAY) == await home.held(
            "K-2002", start, START + DAY
        )
        await home.clock.sleep(5 * 86400)
        # Longer than the provider's answers reach ahead nobody can read it.
        home.sandbox.faults.on("poll_fails")
        await home.clock.sleep(3 * 86400)
        assert "tariff.fetch.failed" in await home.events(place)
        home.sandbox.faults.clear()
        await home.clock.sleep(6 * 86400)
        until = START + timedelta(days=14)
        slots = await home.slots(place, start, until)
        assert each_half_hour(slots, start, until) == await home.held("K-2002", start, until)
        assert (await home.kind(place))["status"] == "CONNECTED"
        audited = await home.audited("K-2002")
        assert audited.count("TOKEN_RENEWED") >= 3
        # Each poll that came too early was followed by one that waited as it was told.
        polls = [event for event in audited if event in ("TARIFF_READ", "POLLED_TOO_OFTEN")]
        assert polls.count("POLLED_TOO_OFTEN") >= 3
        assert ("POLLED_TOO_OFTEN", "POLLED_TOO_OFTEN") not in list(pairwise(polls))
        assert "TOKEN_REFUSED" not in audited

    play(database_url, story)


def test_a_consent_that_is_withdrawn(database_url: str, tmp_path: Path) -> None:
    async def story(home: House) -> None:
        start, end = START - HISTORY, START + timedelta(days=15)
        await load(home, written(tmp_path / "prices.csv", prices(start, end)))
        other = await home.connect(ANNA, "K-2002")
        await home.clock.sleep(60)
        # The newest consent stands first on the page.
        place = await home.connect(ANNA, "K-2001")
        await home.clock.sleep(9 * 86400)
        browser = await home.browser()
        await browser.get(f"{home.provider_url}/apps")
        await sign_in(browser, ANNA)
        assert "Withdrawn." in (await browser.submit("withdraw")).text
        read = (await home.audited("K-2001")).count("TARIFF_READ")
        await home.clock.sleep(5 * 86400)
        assert (await home.kind(place))["status"] == "ERROR"
        assert await home.events(place) == ["tariff.fetch.failed"]
        assert (await home.audited("K-2001")).count("TARIFF_READ") == read
        # What was known is still served; the other contract of that customer goes on.
        known = START, START + timedelta(days=9)
        assert each_half_hour(await home.slots(place, *known), *known) == await home.held(
            "K-2001", *known
        )
        assert (await home.kind(other))["status"] == "CONNECTED"

    play(database_url, story)
