"""The way of a customer through the connect session, over HTTP."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

from integrations.provider.schema import SESSION
from integrations.provider.settings import FlatPeakSection
from tests.fakes.provider import (
    ANNA,
    BEN,
    CLEO,
    DORA,
    MakeProvider,
    NewBrowser,
    settings,
    sign_in,
)


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


@pytest.mark.parametrize(
    ("generation", "parameter"), [("session", "connect_token"), ("account-info", "fp_cot")]
)
async def test_login_code_consent_and_back(
    database_url: str,
    make_provider: MakeProvider,
    new_browser: NewBrowser,
    generation: str,
    parameter: str,
) -> None:
    provider = await make_provider(database_url, {"generation": generation})
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    page = await browser.get(provider.arrival(token, parameter))
    assert page.title == "Sign in"
    assert "Acme Heat Pumps" in page.text
    assert token not in page.text + page.url
    page = await sign_in(browser, BEN)
    assert page.title == "One-time code"
    page = await browser.submit("code", code=provider.code())
    assert page.title == "Share your tariff with Acme Heat Pumps?"
    await browser.submit("consent")
    assert browser.left_for == f"{provider.flatpeak.return_url}?connect_token={token}"
    data = provider.flatpeak.outcome(token)["data"]
    assert data["postal_address"]["city"] == "Leipzig"
    assert data["contract_term"] == {"start_date": "2024-12-31T23:00:00Z"}
    assert data["auth_data"]["contract_id"] == "K-2003"
    assert await provider.events() == [
        "SESSION_OPENED",
        "LOGIN_PASSED",
        "LOGIN_PASSED",
        "CONSENT_GIVEN",
    ]


async def test_choice_among_several_contracts(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(database_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    page = await sign_in(browser, ANNA)
    assert page.title == "Which contract?"
    for foreign in ("K-2003", "", "' OR 1=1 --"):
        assert "Choose a contract." in (await browser.submit("choose", contract=foreign)).text
    page = await browser.submit("choose", contract="K-2001")
    assert "Home (K-2001)" in page.text
    # The wrong one: back to the choice.
    page = await browser.submit("other")
    assert page.title == "Which contract?"
    page = await browser.submit("choose", contract="K-2002")
    assert "Holiday flat (K-2002)" in page.text
    await browser.submit("consent")
    assert provider.flatpeak.outcome(token)["data"]["auth_data"]["contract_id"] == "K-2002"


STEPS = {
    "login": ("DISMISS_LOGIN", None, False),
    "code": ("DISMISS_LOGIN", BEN, False),
    "choice": ("DISMISS_CONSENT", ANNA, False),
    "consent": ("DISMISS_CONSENT", ANNA, True),
    "no tariff": ("ERROR", DORA, False),
}


@pytest.mark.parametrize("step", STEPS)
async def test_leaving_at_each_step_tells_flatpeak_and_goes_back(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser, step: str
) -> None:
    outcome, who, chooses = STEPS[step]
    provider = await make_provider(sqlite_url, {"return_url": "acme-app://back?keep=1#here"})
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    if who:
        await sign_in(browser, who)
    if chooses:
        await browser.submit("choose", contract="K-2001")
    last = browser.page
    await browser.submit("leave")
    expected = f"acme-app://back?keep=1&connect_token={token}&error={outcome}#here"
    assert browser.left_for == expected
    assert provider.flatpeak.outcome(token) == {"action": outcome}
    assert (await provider.events())[-1] == outcome
    # The back button, and the same form once more: it leads out again, nothing is told twice.
    browser.left_for = ""
    await browser.submit("leave", last)
    assert browser.left_for == expected
    assert provider.flatpeak.outcome(token) == {"action": outcome}


async def test_wrong_password_three_times(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    for who in ((CLEO[0], "wrong"), ("nobody@example.org", "wrong")):
        page = await sign_in(browser, who)
        assert "do not belong together" in page.text
        assert who[1] not in page.text
    await sign_in(browser, (CLEO[0], "wrong"))
    assert query(browser.left_for) == {"connect_token": [token], "error": ["ERROR"]}
    assert provider.flatpeak.outcome(token) == {"action": "ERROR"}


async def test_the_customer_number_is_a_login_too(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    """And what was mistyped of the password is no wrong code."""
    provider = await make_provider(database_url)
    browser = new_browser(provider)
    await browser.get(provider.arrival(provider.flatpeak.new_token()))
    for _ in range(2):
        await sign_in(browser, ("C-1002", "wrong"))
    assert (await sign_in(browser, ("C-1002", BEN[1]))).title == "One-time code"
    for wrong in ("000000", "000001"):
        assert "not valid" in (await browser.submit("code", code=wrong)).text
    page = await browser.submit("code", code=provider.code())
    assert page.title.startswith("Share your tariff")
    assert "from 1 January 2025" in page.text
    german = await browser.get(f"{page.url}?lang=de")
    assert "ab 1. Januar 2025" in german.text


async def test_a_code_counts_once(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(database_url)
    code = provider.code()
    first, second = new_browser(provider), new_browser(provider)
    for browser in (first, second):
        await browser.get(provider.arrival(provider.flatpeak.new_token()))
        await sign_in(browser, BEN)
    assert (await first.submit("code", code=code)).title.startswith("Share your tariff")
    assert "was used before" in (await second.submit("code", code=code)).text
    for form in ("", "abcdef", "١٢٣٤٥٦", "12345", "1234567"):
        # What cannot be a code is no try.
        assert "A code has six digits." in (await second.submit("code", code=form)).text
    for wrong in ("000000", "000001"):
        await second.submit("code", code=wrong)
        if second.left_for:
            break
    assert query(second.left_for)["error"] == ["ERROR"]


async def test_a_consent_sent_twice_at_once_counts_once(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(database_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    page = await sign_in(browser, CLEO)
    await asyncio.gather(*(browser.submit("consent", page) for _ in range(4)))
    assert provider.flatpeak.outcome(token)["data"]["auth_data"]
    assert (await provider.events()).count("CONSENT_GIVEN") == 1


async def test_two_tabs_share_one_session(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    one = await browser.get(provider.arrival(token))
    two = await browser.get(provider.arrival(token))
    assert one.url == two.url
    await browser.submit("login", two, login=CLEO[0], password=CLEO[1])
    # The first tab's form is of a step that is over: the tab shows where things stand.
    page = await browser.submit("login", one, login=BEN[0], password=BEN[1])
    assert page.title.startswith("Share your tariff")
    # Another connect session in the same browser keeps to itself.
    other = provider.flatpeak.new_token()
    assert (await browser.get(provider.arrival(other))).title == "Sign in"
    await browser.submit("consent", page)
    assert browser.left_for.endswith(token)
    assert other not in provider.flatpeak.submitted


async def test_a_token_of_another_browser_a_used_and_an_expired_one_are_refused(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    mine, other = new_browser(provider), new_browser(provider)
    token, gone = provider.flatpeak.new_token(), provider.flatpeak.new_token()
    provider.flatpeak.expire(gone)
    await mine.get(provider.arrival(token))
    page = await sign_in(mine, CLEO)
    assert (await other.get(provider.arrival(token))).status == 410
    assert (await other.get(page.url)).status == 403
    assert (await other.get(provider.arrival(gone))).status == 410
    assert (await other.get(provider.arrival("cot_unheard_of"))).status == 410
    await mine.submit("consent", page)
    assert (await other.get(provider.arrival(token))).status == 410
    for broken in ("", "x", "../../x?", "a" * 300, "cot_%00", "<script>"):
        assert (await other.get(provider.arrival(broken))).status == 400
    refused = [
        entry["detail"] for entry in await provider.audit() if entry["event"] == "SESSION_REFUSED"
    ]
    assert refused[:4] == ["foreign", "unknown", "unknown", "used"]


async def test_a_session_that_was_left_lying_ends_and_leads_back(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    page = await sign_in(browser, CLEO)
    provider.clock.forward(minutes=31)
    await browser.submit("consent", page)
    assert query(browser.left_for)["error"] == ["ERROR"]
    assert provider.flatpeak.outcome(token) == {"action": "ERROR"}


@pytest.mark.parametrize("status", [500, 410])
async def test_what_flatpeak_does_not_take_is_revoked_and_the_browser_goes_back(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser, status: int
) -> None:
    provider = await make_provider(sqlite_url, flatpeak={"failing": status})
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    await sign_in(browser, CLEO)
    await browser.submit("consent")
    assert query(browser.left_for) == {"connect_token": [token], "error": ["ERROR"]}
    assert (await provider.events())[-2:] == ["OUTCOME_NOT_SENT", "ERROR"]
    await browser.get(f"{provider.url}/apps")
    page = await sign_in(browser, CLEO)
    assert "No app may read your tariff." in page.text


async def test_an_outcome_that_takes_its_longest_is_not_taken_over(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    """By the settings FlatPeak may be waited for that long; a reload meanwhile waits, too."""
    flatpeak_of = settings("", "", "http://127.0.0.1:9")["flatpeak"]
    longest = FlatPeakSection.model_validate({**flatpeak_of, "timeout_s": 60, "attempts": 3})
    assert longest.outcome_within_s >= 2 * 3 * 60
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    page = await sign_in(browser, CLEO)
    claimed = {"step": "SENDING", "claimed_at": int(provider.clock.now().timestamp())}
    async with provider.database.writing() as connection:
        await connection.execute(update(SESSION).values(claimed))
    provider.clock.forward(seconds=provider.config.flatpeak.outcome_within_s)
    await browser.get(page.url)
    assert not browser.left_for
    provider.clock.forward(seconds=60)
    await browser.get(page.url)
    assert browser.left_for.endswith("error=ERROR")
