"""What goes wrong between the provider and FlatPeak is in the journal, and cannot fill it."""

import logging

import aiohttp
import pytest

from integrations.provider import flatpeak_client
from integrations.provider.rare_warnings import EVERY_S, RareWarnings
from tests.fakes.provider import CLEO, MakeProvider, NewBrowser, sign_in

log = logging.getLogger("provider")


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [item.getMessage() for item in caplog.records if item.levelno == logging.WARNING]


@pytest.mark.parametrize("status", [503, 410])
async def test_outcomes_that_flatpeak_does_not_take_are_one_line_without_the_customer(
    sqlite_url: str,
    make_provider: MakeProvider,
    new_browser: NewBrowser,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    monkeypatch.setattr(flatpeak_client, "RETRY_DELAY_S", 0.0)
    provider = await make_provider(sqlite_url, flatpeak={"failing": status})
    tokens = [provider.flatpeak.new_token() for _ in range(2)]
    for token, deed in zip(tokens, ("consent", "leave"), strict=True):
        browser = new_browser(provider)
        await browser.get(provider.arrival(token))
        await sign_in(browser, CLEO)
        await browser.submit(deed)
    (line,) = warned(caplog)
    assert f"FlatPeak answers {status}" in line
    for personal in (*tokens, *CLEO, "Cleo", "127.0.0.1"):
        assert personal not in line


async def test_our_credentials_that_flatpeak_refuses_are_said_once(
    sqlite_url: str,
    make_provider: MakeProvider,
    new_browser: NewBrowser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = await make_provider(sqlite_url)
    provider.config.flatpeak.__dict__["username"] = "another"
    for _ in range(2):
        token = provider.flatpeak.new_token()
        assert (await new_browser(provider).get(provider.arrival(token))).status == 410
    (line,) = warned(caplog)
    assert "flatpeak.username" in line


async def test_a_wrong_client_secret_is_one_line(
    sqlite_url: str, make_provider: MakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider = await make_provider(sqlite_url)
    wrong = {"client_id": "flatpeak", "client_secret": "not-the-one", "grant_type": "refresh_token"}
    async with aiohttp.ClientSession() as http:
        for path in ("token", "revocation", "token"):
            async with http.post(f"{provider.url}/oauth/{path}", data=wrong) as answer:
                assert answer.status == 401
    (line,) = warned(caplog)
    assert "oauth.client_secret" in line
    assert "not-the-one" not in line


def test_a_kind_is_said_at_most_so_often_and_then_with_how_many_were_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = [0.0]
    warnings = RareWarnings(log, now_s=lambda: at[0])
    for _ in range(3):
        warnings.say("a", "A fails")
    warnings.say("b", "B fails")
    at[0] += EVERY_S
    warnings.say("a", "A fails")
    assert warned(caplog) == ["A fails", "B fails", "A fails; 2 more since that was said last"]
