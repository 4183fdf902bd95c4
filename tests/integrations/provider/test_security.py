"""The threat list of the README, each answer as whoever attacks would meet it."""

import asyncio
import logging
import re
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select
from yarl import URL

import integrations.provider
from agent.errors import Malformed, Refused
from integrations.provider.flatpeak_client import FlatPeakClient, basic, context_of, is_target
from integrations.provider.schema import METADATA
from integrations.provider.settings import FlatPeakSection
from tests.fakes.provider import (
    BEN,
    CLEO,
    SECRET,
    MakeProvider,
    NewBrowser,
    Provider,
    settings,
    sign_in,
)

EVIL = "<script>alert(1)</script>'\" OR 1=1; DROP TABLE customer; --"


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "/local",
        "https://user@evil.example/",
        "https://app.example/\r\nSet-Cookie: a=b",
        "https://app.example/;default-src *",
        "file:///etc/passwd",
        "https://[::1",
        "https://a.example;x/",
        "https://a.example,b.example/",
        "mailto:a@b.example",
        "",
    ],
)
def test_a_browser_is_not_sent_to_what_is_no_place(target: str) -> None:
    assert not is_target(target)


@pytest.mark.parametrize(
    "target",
    [
        "https://a.example/x?y=1",
        "http://192.168.1.5:8080/",
        "acme://x",
        "com.acme.app:/cb",
        "https://a.example/it's;v=1?ids=1,2",
    ],
)
def test_apps_and_boxes_in_a_home_are_places(target: str) -> None:
    assert is_target(target)


def test_the_way_back_is_never_the_providers_own_address() -> None:
    own = "https://login.supplier.example/flatpeak"
    account = {"display_name": "Acme"}
    current = {"account": account, "redirect_uri": own, "connect_web_uri": "https://app.example/"}
    older = {"account": account, "redirect_uri": "https://app.example/"}
    for body in (current, older):
        assert context_of(body, own).return_url == "https://app.example/"
    for spelling in (
        "HTTPS://login.supplier.example/flatpeak",
        "https://LOGIN.supplier.example:443//flatpeak/",
        "https://login.supplier.example./x/../flat%70eak?x#y",
    ):
        turned = {"account": account, "connect_web_uri": spelling, "redirect_uri": "acme://back"}
        assert context_of(turned, own).return_url == "acme://back"
        with pytest.raises(Refused):
            context_of({"account": account, "redirect_uri": spelling}, own)


async def test_no_query_of_the_browser_chooses_where_it_goes(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    evil = "&redirect_uri=https://evil.example/&connect_web_uri=https://evil.example/"
    await browser.get(provider.arrival(token) + evil)
    await browser.submit("leave", redirect_uri="https://evil.example/")
    assert browser.left_for.startswith(provider.flatpeak.return_url)


@pytest.mark.parametrize(
    ("account", "named"),
    [
        ({"company_name": "Acme GmbH"}, "Acme GmbH"),
        ({"display_name": "", "name": 7, "company_name": None}, "app.example"),
        (None, "app.example"),
    ],
)
async def test_an_account_without_a_name_is_called_as_where_it_is(
    account: object,
    named: str,
    sqlite_url: str,
    make_provider: MakeProvider,
    new_browser: NewBrowser,
) -> None:
    options = {"account": account, "return_url": "https://app.example/back"}
    provider = await make_provider(sqlite_url, options)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    assert named in (await sign_in(browser, CLEO)).text
    await browser.submit("consent")
    assert browser.left_for == f"https://app.example/back?connect_token={token}"


async def test_flatpeak_is_told_where_nobody_could_come_back(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url, {"return_url": "javascript:alert(1)"})
    token = provider.flatpeak.new_token()
    page = await new_browser(provider).get(provider.arrival(token))
    assert page.status == 502
    assert provider.flatpeak.outcome(token) == {"action": "ERROR"}


async def test_what_the_app_wrote_into_its_address_stays_as_it_is(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    url = "com.acme.app:/cb?x&y=%20+%ff;z='1'&&connect_token=old&e=#top"
    provider = await make_provider(sqlite_url, {"return_url": url})
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    await browser.submit("leave")
    assert browser.left_for == (
        f"com.acme.app:/cb?x&y=%20+%ff;z='1'&e=&connect_token={token}&error=DISMISS_LOGIN#top"
    )


async def test_a_browser_holds_no_more_sessions_than_its_requests_can_carry(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    """Another site can have it open one after the other."""
    provider = await make_provider(sqlite_url)
    browser = new_browser(provider)
    for _ in range(40):
        await browser.get(provider.arrival(provider.flatpeak.new_token()))
        assert browser.page.status == 200
        await browser.get(f"{provider.url}/apps")
        assert browser.page.status == 200
    # The newest of them goes on.
    await browser.get(provider.arrival(provider.flatpeak.new_token()))
    assert (await sign_in(browser, CLEO)).title.startswith("Share your tariff")


async def test_a_form_of_another_site_does_nothing(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    page = await browser.get(provider.arrival(token))
    await sign_in(browser, CLEO)
    address = f"{page.url}/consent"
    forged = {"step": "CONSENT", "form": "0" * 64}
    assert (await browser._go("POST", address, data=forged)).status == 403
    found = re.search(r'name="form" value="(\w+)"', page.text)
    assert found is not None
    real = {"step": "CONSENT", "form": found[1]}
    headers = {"Origin": "https://evil.example"}
    assert (await browser._go("POST", address, data=real, headers=headers)).status == 403
    assert (await browser._go("POST", address, json=real)).status == 415
    assert token not in provider.flatpeak.submitted
    assert (await provider.events()).count("FORGED_FORM") == 2


async def test_sql_and_html_everywhere_are_but_text(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    account = {"display_name": EVIL, "logo_url": "javascript:x", "terms_url": f"https://x/{EVIL}"}
    provider = await make_provider(sqlite_url, {"account": account})
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    page = await browser.get(provider.arrival(token))
    assert "<script" not in page.text
    for field in ("login", "password"):
        fields = {"login": CLEO[0], "password": CLEO[1]} | {field: EVIL}
        page = await browser.submit("login", None, **fields)
        assert page.status == 200
        assert "<script" not in page.text
    page = await sign_in(browser, CLEO)
    assert page.title.startswith("Share your tariff")
    assert "<script" not in page.text
    assert "javascript:" not in page.text
    for address in (f"/s/{EVIL}", f"/static/{EVIL}", "/static/../settings.py", "/s/x/y"):
        assert (await new_browser(provider).get(provider.url + address)).status in (403, 404, 405)


async def test_headers_of_every_page(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    page = await new_browser(provider).get(provider.arrival(provider.flatpeak.new_token()))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert f"form-action 'self' {provider.flatpeak.url};" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    async with aiohttp.ClientSession() as http:
        url = provider.arrival(provider.flatpeak.new_token())
        async with http.get(url, allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Lax" in cookie


async def test_oversized_bodies_are_refused(sqlite_url: str, make_provider: MakeProvider) -> None:
    provider = await make_provider(sqlite_url)
    async with aiohttp.ClientSession() as http:
        data = {"grant_type": "x" * 100_000}
        async with http.post(f"{provider.url}/oauth/token", data=data) as answer:
            assert answer.status == 413


async def test_brute_force_meets_a_lock_that_a_new_session_does_not_open(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url, login={"wrong_per_login": 4})
    for number in range(2):
        browser = new_browser(provider)
        await browser.get(provider.arrival(provider.flatpeak.new_token()))
        for _ in range(2):
            await sign_in(browser, (CLEO[0].upper(), f"wrong {number}"))
    browser = new_browser(provider)
    await browser.get(provider.arrival(provider.flatpeak.new_token()))
    page = await sign_in(browser, CLEO)
    assert page.status == 429
    assert page.headers["Retry-After"] == "900"
    provider.clock.forward(minutes=15)
    assert (await sign_in(browser, CLEO)).title.startswith("Share your tariff")
    assert "LOGIN_LOCKED" in await provider.events()


async def test_many_tries_at_once_are_no_more_than_the_limit(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(
        database_url, login={"wrong_per_login": 3, "wrong_per_session": 20}
    )
    browser = new_browser(provider)
    page = await browser.get(provider.arrival(provider.flatpeak.new_token()))
    tries = [browser.submit("login", page, login=BEN[0], password="wrong") for _ in range(12)]
    found = [answer.status for answer in await asyncio.gather(*tries)]
    assert sorted(found) == [200] * 3 + [429] * 9


async def test_no_secret_in_the_log_or_the_database(
    sqlite_url: str,
    make_provider: MakeProvider,
    new_browser: NewBrowser,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = await make_provider(sqlite_url)
    browser, token = new_browser(provider), provider.flatpeak.new_token()
    await browser.get(provider.arrival(token))
    await sign_in(browser, CLEO)
    await browser.submit("consent")
    poller = provider.poller(token)
    first = poller.data["refresh_token"]
    async with aiohttp.ClientSession() as http:
        assert await poller.renew(http) == 200
    secrets = [token, CLEO[1], first, poller.data["access_token"], poller.data["refresh_token"]]
    said = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    kept = await everything(provider)
    for secret in secrets:
        assert secret not in said
        assert secret not in kept


async def everything(provider: Provider) -> str:
    async with provider.database.reading() as connection:
        return "\n".join(
            [
                str((await connection.execute(select(table))).all())
                for table in METADATA.sorted_tables
            ]
        )


async def test_flatpeak_is_not_reached(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    nobody = {"url": "http://127.0.0.1:9", "username": "x", "password": "y"}
    provider = await make_provider(sqlite_url, load=False, flatpeak_section=nobody)
    page = await new_browser(provider).get(provider.arrival("cot_0123456789"))
    assert page.status == 503
    assert page.headers["Retry-After"] == "5"


async def test_a_monitor_is_told_that_the_database_is_not_reached(
    tmp_path: Path, make_provider: MakeProvider
) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    provider = await make_provider(f"sqlite:///{folder}/provider.sqlite", load=False)
    address = f"{provider.url}/healthz"
    readme = (Path(integrations.provider.__file__).parent / "README.md").read_text()
    async with aiohttp.ClientSession() as http:
        async with http.get(address) as answer:
            assert answer.status == 200
        await provider.database.close()
        folder.rename(tmp_path / "elsewhere")
        async with http.get(address) as answer:
            assert f", {answer.status}\nwhile it cannot be reached" in readme
            assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ((b'{"account": {"display_name": "Ac', b'me"}, "redirect_uri": "acme://x"}'), "Acme"),
        ((b"[" * 60_000,), None),
        ((b"{}" + b" " * 100_000,), None),
    ],
)
async def test_a_context_counts_in_however_many_pieces_it_comes(
    parts: tuple[bytes, ...], name: str | None
) -> None:
    async def context(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for part in parts:
            await answer.write(part)
            # The reader, who is in the same loop, has its turn before the next one comes.
            for _ in range(50):
                await asyncio.sleep(0)
        return answer

    app = web.Application()
    app.router.add_get("/connect/session/{token}", context)
    async with TestServer(app, host="127.0.0.1") as server:
        url = str(server.make_url("")).rstrip("/")
        section = settings("https://login.example", "sqlite://", url)["flatpeak"]
        client = FlatPeakClient(FlatPeakSection.model_validate(section), "https://login.example/")
        try:
            if name is None:
                with pytest.raises(Malformed):
                    await client.context("cot_12345678")
            else:
                assert (await client.context("cot_12345678")).account_name == name
        finally:
            await client.close()


FORM = "application/x-www-form-urlencoded"
NO_TEXTS: tuple[tuple[str, str, bytes, dict[str, str], int], ...] = (
    ("GET", "/s/%00", b"", {}, 404),
    ("POST", "/oauth/token", b"grant_type=\xff", {}, 400),
    ("POST", "/oauth/token", b"refresh_token=%00", {}, 400),
    ("POST", "/oauth/token", b"a=b", {"Content-Type": f"{FORM}; charset=zlib"}, 415),
    ("POST", "/oauth/token", b"no deflate", {"Content-Encoding": "deflate"}, 400),
    ("POST", "/oauth/token", b"grant_type=refresh_token", {"Authorization": "Basic é"}, 401),
    ("POST", "/oauth/token", b"grant_type=refresh_token", {"Authorization": "Basic /w=="}, 401),
    ("POST", "/oauth/revocation", b"", {"Authorization": basic("flatpeak", SECRET)}, 400),
)


async def test_what_is_no_text_is_refused_and_no_fault_of_ours(
    database_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(database_url)
    async with aiohttp.ClientSession() as http:
        for method, path, body, headers, wanted in NO_TEXTS:
            url = URL(provider.url + path, encoded=True)
            sent = {"Content-Type": FORM} | headers
            async with http.request(method, url, data=body, headers=sent) as answer:
                assert answer.status == wanted, (path, body, headers)
    browser = new_browser(provider)
    await browser.get(provider.arrival(provider.flatpeak.new_token()))
    assert (await browser.submit("login", login="\0", password="x")).status == 400


async def test_what_strangers_cause_to_be_written_is_bounded(
    sqlite_url: str, make_provider: MakeProvider, new_browser: NewBrowser
) -> None:
    provider = await make_provider(sqlite_url)
    stranger = new_browser(provider)

    async def knock() -> int:
        for _ in range(70):
            await stranger.get(f"{provider.url}/flatpeak")
        async with aiohttp.ClientSession() as http:
            for _ in range(5):
                headers = {"Authorization": "Bearer made-up"}
                async with http.get(f"{provider.url}/api/tariff", headers=headers) as answer:
                    assert answer.status == 401
        return len(await provider.audit())

    assert await knock() == 60
    provider.clock.forward(seconds=3601)
    assert await knock() == 120


async def test_half_sent_requests_keep_nobody_out(
    sqlite_url: str, make_provider: MakeProvider
) -> None:
    """More than there are places, from several machines; none of them can be told from another."""
    provider = await make_provider(sqlite_url, http_section={"connections": 16})
    port = URL(provider.url).port
    assert port is not None
    writers = []
    for number in range(40):
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=(f"127.0.0.{2 + number % 4}", 0)
        )
        writer.write(b"GET /apps HTTP/1.1\r\nX-Slow: ")
        writers.append(writer)
    async with aiohttp.ClientSession() as http:
        for _ in range(10):
            async with http.get(
                f"{provider.url}/healthz", headers={"Connection": "close"}
            ) as answer:
                assert answer.status == 200
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def test_a_header_that_is_no_text_is_refused_without_a_word_in_the_log(
    sqlite_url: str, make_provider: MakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider = await make_provider(sqlite_url)
    port = URL(provider.url).port
    for name in (b"Expect", b"Origin", b"Authorization", b"Accept-Language", b"X-Forwarded-For"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/tariff HTTP/1.1\r\nHost: x\r\n" + name + b": \x80\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()
    assert not [item for item in caplog.records if item.levelno >= logging.WARNING]


async def test_the_server_does_not_say_what_it_is_made_of(
    sqlite_url: str, make_provider: MakeProvider
) -> None:
    provider = await make_provider(sqlite_url)
    async with aiohttp.ClientSession() as http:
        for path in ("/healthz", "/nothing", "/api/tariff", "/static/provider.css"):
            async with http.get(provider.url + path) as answer:
                assert answer.headers["Server"] == "flatpeak-agent-provider"
