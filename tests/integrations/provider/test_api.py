"""What FlatPeak reads later: two weeks of polling, renewal, limits, and the end of a consent."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from integrations.provider.customer_database import DatabaseCustomers
from integrations.provider.loader import load_files
from tests.fakes.flatpeak_for_providers import Poller
from tests.fakes.provider import (
    ANNA,
    CLEO,
    SECRET,
    Browser,
    MakeProvider,
    NewBrowser,
    Provider,
    sign_in,
)

CONTRACTS = "contract,customer,name,timezone,start,end,tariff\n"


async def connect(browser: Browser, provider: Provider, who: tuple[str, str] = CLEO) -> Poller:
    token = provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    await sign_in(browser, who)
    if who is ANNA:
        await browser.submit("choose", contract="K-2001")
    await browser.submit("consent")
    return provider.poller(token)


def hours(document: dict[str, list[dict[str, str]]]) -> float:
    """How long the rates run without a gap."""
    rates = document["rates"]
    for before, after in itertools.pairwise(rates):
        assert before["valid_to"] == after["valid_from"]
    spans = [
        datetime.fromisoformat(rates[index][key])
        for index, key in ((0, "valid_from"), (-1, "valid_to"))
    ]
    return (spans[1] - spans[0]).total_seconds() / 3600


async def test_two_weeks_of_polling(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser, tmp_path: Path
) -> None:
    """Renewal every three days, a change of tariff on the 8th, the contract's end on the 14th."""
    provider = await make_provider(database_url)
    terms = tmp_path / "terms.csv"
    poller = await connect(new_browser(provider), provider)
    other = await connect(new_browser(provider), provider, ANNA)
    seen: dict[str, str] = {}
    prices: dict[str, set[float]] = {}
    renewals = 0
    async with aiohttp.ClientSession() as http:
        for number in range(14):
            day = provider.clock.now()
            if number == 3:
                terms.write_text(
                    CONTRACTS + "K-2004,C-1003,Home,Europe/Berlin,2025-01-01,2026-03-07,flat\n"
                    "K-2004,C-1003,Home,Europe/Berlin,2026-03-08,2026-03-13,day-night\n"
                )
                await load_files(provider.database, [terms])
            status, document = await poller.poll(http)
            if status == 401:
                assert await poller.renew(http) == 200
                renewals += 1
                status, document = await poller.poll(http)
            assert status == 200
            key = f"{day:%m-%d}"
            seen[key] = document["structure_type"] + " " + document["status"]
            prices[key] = {rate["value"] for rate in document["rates"]}
            if document["status"] == "ACTIVE" and number < 10:
                assert hours(document) >= 24
            if number == 9:
                withdrawn = new_browser(provider)
                await withdrawn.get(f"{provider.url}/apps")
                await sign_in(withdrawn, ANNA)
                page = await withdrawn.submit("withdraw")
                assert "Withdrawn." in page.text
                assert (await other.poll(http))[0] == 401
                assert await other.renew(http) == 400
            provider.clock.forward(days=1)
    assert renewals == 4
    assert seen["03-02"] == "FIXED ACTIVE"
    assert prices["03-02"] == {0.289}
    assert prices["03-06"] == {0.289, 0.335, 0.199}
    assert seen["03-08"] == "TIME_OF_DAY ACTIVE"
    assert prices["03-08"] == {0.335, 0.199}
    assert seen["03-13"] == "TIME_OF_DAY ACTIVE"
    assert seen["03-14"] == "TIME_OF_DAY ENDED"
    assert prices["03-14"] == set()
    events = await provider.events()
    assert events.count("CONSENT_WITHDRAWN") == 1
    assert events.count("TOKEN_RENEWED") == 4


async def test_polling_faster_than_allowed(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(database_url)
    poller = await connect(new_browser(provider), provider)
    headers = {"Authorization": f"Bearer {poller.data['access_token']}"}
    async with aiohttp.ClientSession() as http:
        assert (await poller.poll(http))[0] == 200
        provider.clock.forward(seconds=600)
        async with http.get(poller.data["tariff_url"], headers=headers) as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"] == "300"
        provider.clock.forward(seconds=300)
        assert (await poller.poll(http))[0] == 200


async def test_a_clock_that_was_ahead_locks_nobody_out(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    provider.clock.forward(days=30)
    poller = await connect(new_browser(provider), provider)
    guesser, token = new_browser(provider), provider.flatpeak.new_token()
    while (await guesser.get(provider.arrival(token))).status == 200:
        page = await sign_in(guesser, (CLEO[0], "wrong"))
        if page.status == 429:
            break
        token = provider.flatpeak.new_token()
    async with aiohttp.ClientSession() as http:
        assert (await poller.poll(http))[0] == 200
        provider.clock.forward(days=-30)
        assert (await poller.poll(http))[0] == 200
    browser = new_browser(provider)
    await browser.get(provider.arrival(provider.flatpeak.new_token()))
    assert (await sign_in(browser, CLEO)).title.startswith("Share your tariff")


async def test_a_refresh_token_that_comes_again_ends_the_consent(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    poller = await connect(new_browser(provider), provider)
    first = dict(poller.data)
    async with aiohttp.ClientSession() as http:
        assert await poller.renew(http) == 200
        # A reply that was lost may be asked for again, a while.
        again = Poller(first, SECRET)
        assert await again.renew(http) == 200
        provider.clock.forward(minutes=5)
        assert await Poller(first, SECRET).renew(http) == 400
        assert (await poller.poll(http))[0] == 401
    assert "TOKEN_REUSED" in await provider.events()


async def test_only_flatpeak_renews_and_revokes(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    poller = await connect(new_browser(provider), provider)
    async with aiohttp.ClientSession() as http:
        assert await Poller(poller.data, "another-secret").renew(http) == 401
        form = {"token": poller.data["refresh_token"], "client_id": "flatpeak"}
        address = f"{provider.url}/oauth/revocation"
        async with http.post(address, data=form | {"client_secret": "wrong"}) as answer:
            assert answer.status == 401
        assert (await poller.poll(http))[0] == 200
        # A hint that nobody knows is ignored (RFC 7009, 2.1).
        form |= {"client_secret": SECRET, "token_type_hint": "nonsense"}
        async with http.post(address, data=form) as answer:
            assert answer.status == 200
        provider.clock.forward(hours=1)
        assert (await poller.poll(http))[0] == 401
        for header in ("", "Bearer", "Basic x", "Bearer ' OR 1=1 --", "Bearer " + "x" * 5000):
            headers = {"Authorization": header}
            async with http.get(f"{provider.url}/api/tariff", headers=headers) as answer:
                assert answer.status == 401


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
    ],
)
async def test_a_day_of_the_clocks_change(
    sqlite_url: str,
    make_provider: MakeProvider,
    tmp_path: Path,
    zone: str,
    day: datetime,
    expected: int,
) -> None:
    provider = await make_provider(sqlite_url)
    customers = DatabaseCustomers(provider.database)
    end = day + timedelta(hours=expected)
    tariff = await customers.tariff("K-2001", day, end, day)
    assert tariff is not None
    assert [
        (rate.value, (rate.end - rate.start).total_seconds() / 3600) for rate in tariff.rates
    ] == [
        (tariff.rates[0].value, expected - 18),
        (tariff.rates[1].value, 16),
        (tariff.rates[0].value, 2),
    ]


async def test_tiers_stand_in_the_schedule_and_the_lowest_is_the_rate(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser, tmp_path: Path
) -> None:
    provider = await make_provider(sqlite_url)
    terms = tmp_path / "terms.csv"
    terms.write_text(CONTRACTS + "K-2004,C-1003,Home,Europe/Berlin,2025-01-01,,steps\n")
    await load_files(provider.database, [terms])
    poller = await connect(new_browser(provider), provider)
    async with aiohttp.ClientSession() as http:
        _, document = await poller.poll(http)
    (part,) = document["data"]
    (span,) = part["days_and_hours"][0]["hours"]
    assert span["rate"] == [{"value": 0.26, "to_kwh": 2500.0}, {"value": 0.31, "to_kwh": None}]
    assert {rate["value"] for rate in document["rates"]} == {0.26}


async def test_rates_from_an_earlier_start_on(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url, polling_section={"min_interval_s": 0})
    poller = await connect(new_browser(provider), provider)
    address, asked = (
        poller.data["tariff_url"],
        {
            "2026-02-25T10:30:00Z": "2026-02-25T10:00:00Z",
            "2026-02-25T11:30:00+01:00": "2026-02-25T10:00:00Z",
            "2020-01-01T00:00:00Z": "2026-01-30T10:00:00Z",
            "2026-03-05T00:00:00Z": "2026-03-02T10:00:00Z",
        },
    )
    async with aiohttp.ClientSession() as http:
        for start, expected in asked.items():
            poller.data["tariff_url"] = str(URL(address) % {"start_time": start})
            status, document = await poller.poll(http)
            assert (status, document["valid_from"]) == (200, expected)
            assert document["rates"][0]["valid_from"] == expected
            assert document["rates"][-1]["valid_to"] == "2026-03-04T11:00:00Z"
        for wrong in ("", "yesterday", "2026-02-25T10:00:00", "9999-12-31T23:59:59-23:00"):
            poller.data["tariff_url"] = str(URL(address) % {"start_time": wrong})
            assert (await poller.poll(http))[0] == 400


async def test_a_tariff_that_follows_another_is_the_same_contract(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser, tmp_path: Path
) -> None:
    provider = await make_provider(sqlite_url)
    terms = tmp_path / "terms.csv"
    terms.write_text(
        CONTRACTS + "K-2004,C-1003,Home,Europe/Berlin,2025-01-01,2025-06-30,steps\n"
        "K-2004,C-1003,Home,Europe/Berlin,2025-08-01,2026-03-07,flat\n"
        "K-2004,C-1003,Home,Europe/Berlin,2026-03-08,2026-12-31,day-night\n"
    )
    await load_files(provider.database, [terms])
    poller = await connect(new_browser(provider), provider)
    async with aiohttp.ClientSession() as http:
        _, document = await poller.poll(http)
    assert document["contract_start_date"] == "2025-07-31T22:00:00Z"
    assert document["contract_end_date"] == "2026-12-31T23:00:00Z"
    assert document["schedule_valid_from"] == "2025-07-31T22:00:00Z"
    assert document["schedule_valid_to"] == "2026-03-07T23:00:00Z"
    assert document["structure_type"] == "FIXED"
