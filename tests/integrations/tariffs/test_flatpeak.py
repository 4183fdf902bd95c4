"""The real client against the sandbox over loopback."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aiohttp import web

from agent.clock import SteppedClock
from agent.energy.rates import Direction, Rate
from agent.errors import AgentError, Malformed, Misdirected, Refused, Unavailable
from integrations.sandbox.faults import FAULTS
from integrations.sandbox.server import ACCOUNT_ID, API_KEY, TEST_API_KEY, FlatPeakSandbox
from integrations.tariffs.flatpeak import Auth, BasicLogin, Bearer, FlatPeakTariff, NoAuth
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
BOTH = (Direction.IMPORT, Direction.EXPORT)
GERMANY = "loc_659200800000000000000001"
FLAT = "loc_659200800000000000000004"


class House:
    """A sandbox and a client of it, for `async with`."""

    def __init__(
        self, clock: SteppedClock, location: str = GERMANY, auth: Auth | None = None
    ) -> None:
        self.clock = clock
        self.sandbox = FlatPeakSandbox(clock)
        self._location = location
        self._auth = auth or BasicLogin(ACCOUNT_ID, API_KEY)

    async def __aenter__(self) -> "House":
        await self.sandbox.start()
        self.client = FlatPeakTariff(
            self._location,
            self._auth,
            self.clock,
            directions=BOTH,
            base_url=self.sandbox.url + "/",
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.client.close()
        await self.sandbox.stop()

    async def fetch(self, direction: Direction = Direction.IMPORT) -> list[Rate]:
        now = self.clock.now()
        return list((await self.client.fetch(direction, now, now + 48 * HOUR)).rates)

    def paths(self) -> list[str]:
        return [call.path.split("/")[1] for call in self.sandbox.calls]


def test_two_directions_one_login_and_everything_that_was_said() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            fetched = await house.client.fetch(Direction.IMPORT, START, START + 48 * HOUR)
            assert (fetched.currency, fetched.timezone) == ("EUR", "Europe/Berlin")
            assert fetched.next_update == START + 2 * HOUR
            assert fetched.server_time == START
            # Before 13:00 local the market is known to the end of the local day.
            assert [rate.start for rate in fetched.rates] == [START + n * HOUR for n in range(13)]
            export = await house.fetch(Direction.EXPORT)
            assert [rate.price for rate in export] == [Decimal("0.0786")]
            assert house.paths() == ["login", "tariffs", "tariffs"]
            query = house.sandbox.calls[1].query
            assert query["start_time"] == "2026-01-16T10:00:00Z"
            assert query["end_time"] == "2026-01-18T10:00:00Z"

    run_virtual(story, START)


def test_the_token_is_renewed_before_it_lapses() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            for _ in range(5):
                await house.fetch()
                await clock.sleep(3600 - 350)
            assert house.paths().count("login") == 5
            assert {call.status for call in house.sandbox.calls} == {200}

    run_virtual(story, START)


@pytest.mark.parametrize("fault", ["token_lapses", "expired_401"])
def test_a_token_that_is_not_accepted_is_renewed_once(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            await house.fetch()
            house.sandbox.faults.on(fault)
            house.sandbox.faults.on("token_lapses", 1)
            assert await house.fetch()
            assert house.paths() == ["login", "tariffs", "tariffs", "login", "tariffs"]

    run_virtual(story, START)


def test_a_second_refusal_is_final_and_costs_one_login() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            await house.fetch()
            house.sandbox.faults.on("token_lapses")
            with pytest.raises(Refused) as caught:
                await house.fetch()
            assert caught.value.code == "forbidden"
            assert house.paths() == ["login", "tariffs", "tariffs", "login", "tariffs"]

    run_virtual(story, START)


def test_a_token_of_five_seconds_is_used_at_once() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            house.sandbox.faults.on("short_token")
            for _ in range(3):
                assert await house.fetch()
                await clock.sleep(10)
            assert house.paths() == ["login", "tariffs"] * 3

    run_virtual(story, START)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("login_refused", Refused, "credentials"),
        ("login_error", Unavailable, "500"),
        ("login_garbage", Malformed, "bearer_token"),
        ("rate_limit", Unavailable, "429"),
        ("server_error", Unavailable, "500"),
        ("bad_gateway", Unavailable, "502"),
        ("redirect", Misdirected, "302: sent on to"),
        ("slow", Unavailable, "no answer within 20 s"),
        ("reset", Unavailable, "not reached"),
        ("truncated", Malformed, "not JSON"),
        ("html", Misdirected, "a web page came"),
        ("huge", Malformed, "longer than"),
        ("pending_connect", Unavailable, "pending_connect"),
        ("no_price_data", Unavailable, "no_price_data"),
        ("no_tariff_connected", Refused, "no_tariff_connected"),
        ("account_disabled", Refused, "account_disabled"),
        ("unknown_code", Refused, "unknown_code"),
        ("plain_422", Refused, "422"),
        ("deleted", Refused, "connect it again"),
        ("request_timeout", Unavailable, "408"),
        ("too_early", Unavailable, "425"),
        ("half_emoji", Unavailable, r"HTTP 500, cut short \?: cut short \? warning: cut short \?"),
    ],
)
def test_each_failure_is_the_error_that_says_who_acts(
    fault: str, error: type[AgentError], words: str
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            house.sandbox.faults.on(fault)
            with pytest.raises(error, match=words):
                await house.fetch()
            assert len(house.sandbox.calls) <= 4
            house.sandbox.faults.clear()
            assert await house.fetch()

    run_virtual(story, START)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_no_fault_is_anything_but_rates_or_one_of_our_errors(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            house.sandbox.faults.on(fault)
            for direction in BOTH:
                try:
                    rates = await house.fetch(direction)
                except (Unavailable, Refused, Malformed):
                    continue
                assert all(rate.price.is_finite() for rate in rates)

    run_virtual(story, START)


@pytest.mark.parametrize("fault", ["rate_limit_told", "rate_limit_date"])
def test_retry_after_is_passed_on_also_where_our_clock_is_wrong(fault: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            house.sandbox.faults.on(fault)
            if fault == "rate_limit_told":
                house.sandbox.faults.on("clock_wrong")
            with pytest.raises(Unavailable) as caught:
                await house.fetch()
            assert caught.value.retry_at == START + timedelta(minutes=30)

    run_virtual(story, START)


def test_pending_is_not_asked_again_for_a_quarter_of_an_hour() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            house.sandbox.faults.on("pending_connect")
            with pytest.raises(Unavailable) as caught:
                await house.fetch()
            assert caught.value.retry_at == START + timedelta(minutes=15)

    run_virtual(story, START)


def test_a_host_that_cannot_be_reached_is_unavailable() -> None:
    async def story(clock: SteppedClock) -> None:
        for url in ("http://127.0.0.1:9", "http://flatpeak.invalid", "http://[nonsense"):
            client = FlatPeakTariff(GERMANY, NoAuth(), clock, base_url=url)
            with pytest.raises(Unavailable, match="not reached"):
                await client.fetch(Direction.IMPORT, START, START + HOUR)
            await client.close()

    run_virtual(story, START)


def test_wrong_credentials_are_refused_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    login = BasicLogin(ACCOUNT_ID, "sk_test_of_somebody_else")

    async def story(clock: SteppedClock) -> str:
        async with House(clock, auth=login) as house:
            with pytest.raises(Refused) as caught:
                await house.fetch()
            return str(caught.value)

    said = run_virtual(story, START)
    assert "somebody_else" not in said + caplog.text + repr(login)


def test_a_backend_may_stand_between() -> None:
    """Three ways: no credentials, a fixed token, a token that the backend hands out."""

    async def story(clock: SteppedClock) -> None:
        seen: list[tuple[str, str, str]] = []

        async def backend(request: web.Request) -> web.Response:
            shown = request.headers.get("Authorization", "")
            seen.append((request.path, shown, request.headers.get("Flatpeak-Version", "")))
            if request.path == "/gateway/token":
                return web.json_response({"bearer_token": f"t{len(seen)}", "expires_in": 3600})
            return web.json_response({"currency_code": "EUR", "data": []})

        app = web.Application()
        app.router.add_get("/{tail:.*}", backend)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ways: list[Auth] = [
            NoAuth(),
            Bearer("fixed"),
            Bearer("gateway-7", token_url=f"{url}/gateway/token"),
        ]
        for auth in ways:
            client = FlatPeakTariff("loc_1", auth, clock, base_url=url, version="x")
            await client.fetch(Direction.IMPORT, START, START + HOUR)
            await client.close()
        await runner.cleanup()
        assert seen == [
            ("/tariffs/rates/loc_1", "", "x"),
            ("/tariffs/rates/loc_1", "Bearer fixed", "x"),
            ("/gateway/token", "Bearer gateway-7", "x"),
            ("/tariffs/rates/loc_1", "Bearer t3", "x"),
        ]

    run_virtual(story, START)


def test_a_fixed_token_that_is_refused_is_not_tried_twice() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock, auth=Bearer("nobody")) as house:
            with pytest.raises(Refused):
                await house.fetch()
            assert house.paths() == ["tariffs"]

    run_virtual(story, START)


def test_carbon_comes_where_it_is_asked_for() -> None:
    async def story(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            client = FlatPeakTariff(
                GERMANY,
                BasicLogin(ACCOUNT_ID, API_KEY),
                clock,
                base_url=sandbox.url,
                include_carbon=True,
            )
            fetched = await client.fetch(Direction.IMPORT, START, START + HOUR)
            await client.close()
            assert fetched.rates[0].carbon_g_per_kwh is not None

    run_virtual(story, START)


def test_what_the_owner_should_know_of_an_answer() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock, auth=BasicLogin(ACCOUNT_ID, TEST_API_KEY)) as house:
            fetched = await house.client.fetch(Direction.IMPORT, START, START + HOUR)
            assert [warning[:26] for warning in fetched.warnings] == ["the API key is a test key,"]
            house.sandbox.faults.on("other_location")
            fetched = await house.client.fetch(Direction.IMPORT, START, START + HOUR)
            assert "loc_000000000000000000000000" in fetched.warnings[1]
        async with House(clock) as house:
            fetched = await house.client.fetch(Direction.IMPORT, START, START + HOUR)
            assert not fetched.warnings

    run_virtual(story, START)


def test_events_of_this_location_in_our_words() -> None:
    async def story(clock: SteppedClock) -> None:
        async with House(clock) as house:
            assert await house.client.fetch_events() == []
            house.sandbox.raise_event("tariff.fetch.failed", GERMANY)
            house.sandbox.raise_event("tariff.expiring", FLAT)
            house.sandbox.raise_event("location.update", GERMANY)
            (event,) = await house.client.fetch_events()
            assert (event.kind, event.at) == ("tariff_fetch_failed", START)
            house.sandbox.faults.on("no_events")
            with pytest.raises(Refused):
                await house.client.fetch_events()

    run_virtual(story, START)
