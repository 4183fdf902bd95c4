"""What a stranger in the network, or another site in the owner's browser, tries in vain."""

import asyncio
import html
import socket
import ssl
from pathlib import Path

import pytest

from integrations.sandbox.broker import HOST
from tests.fakes.brokers import Authority
from tests.fakes.web_home import PASSWORD, running, visitor

EVIL = "https://evil.example"
SCRIPT = "<script>alert(1)</script>"


async def test_a_name_that_is_not_ours_is_answered_nothing(tmp_path: Path) -> None:
    """DNS rebinding: the browser believes to speak with another site."""
    async with running(tmp_path, names=["house.example.org"]) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        for path in ("/", "/api/v1/status", "/static/x/style.css"):
            status, text = await owner.get(path, headers={"Host": "evil.example"})
            assert status == 421
            assert "web.names" in html.unescape(text)
        status, _ = await owner.get("/", headers={"Host": "house.example.org:8780"})
        assert status == 200


async def test_another_site_cannot_send_our_forms(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await owner.get("/")
        good = owner.token
        fields = {"device": "ev", "csrf_token": good}
        for headers, token in (
            ({"Origin": EVIL}, good),
            ({"Origin": "null"}, good),
            ({}, ""),
            ({}, "0" * 64),
        ):
            data = {**fields, "csrf_token": token}
            url = f"{house.url}/boost"
            async with owner.session.post(url, data=data, headers=headers) as answer:
                assert answer.status == 403
                assert "Nothing was done" in await answer.text()
        url = f"{house.url}/api/v1/devices/ev/requests"
        for headers in ({}, {"X-CSRF-Token": good, "Origin": EVIL}, {"X-CSRF-Token": "0" * 64}):
            async with owner.session.post(url, json={"mode": "boost"}, headers=headers) as answer:
                assert answer.status == 403
        # A form of before the log-in is none of a logged-in page.
        async with visitor(house.url) as stranger:
            await stranger.get("/login")
            answer = await owner.send("/boost", device="ev", csrf_token=stranger.token)
            assert answer.status == 403
        assert "Boost until" not in (await owner.get("/"))[1]


@pytest.mark.parametrize(
    "origin",
    ["http://[", "http://\u2100.example", "http://[::1", "//", "a:b@c:d", "http://x:99999"],
)
async def test_an_origin_that_is_no_address_is_refused_like_any_other(
    tmp_path: Path, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as house, visitor(house.url) as stranger:
        await stranger.get("/claim")
        for path in ("/claim/password", "/login/check"):
            url, data = house.url + path, {"csrf_token": stranger.token, "password": "x"}
            async with stranger.session.post(url, data=data, headers={"Origin": origin}) as answer:
                assert answer.status == 403
        url = f"{house.url}/api/v1/sessions"
        async with stranger.session.post(
            url, json={"password": "x"}, headers={"Origin": origin}
        ) as answer:
            assert answer.status == 403
        assert not [item for item in caplog.records if item.exc_info or "failed" in item.message]


async def test_nothing_is_shown_or_done_without_a_session(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        async with visitor(house.url) as stranger:
            for path in ("/", "/health", "/events"):
                assert (await stranger.get(path, allow_redirects=False))[0] == 303
            assert (await stranger.send("/boost", device="ev")).status == 303
            _, text = await stranger.get("/login")
            assert "kWh" not in text


async def test_every_answer_carries_the_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        for path in ("/login", "/nothing", "/api/v1/status", "/static/x/page.js", "/api/v1/x"):
            async with owner.session.get(house.url + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["Referrer-Policy"] == "same-origin"
                assert answer.headers["Server"] == "flatpeak-agent"
                kept = "immutable" if "static" in path else "no-store"
                assert kept in answer.headers["Cache-Control"]
        reader, writer = await asyncio.open_connection(HOST, house.port)
        writer.write(b"NONSENSE\r\n\r\n")
        said = (await reader.read()).decode()
        writer.close()
        assert " 400 " in said.splitlines()[0]
        assert "text/plain" in said


async def test_cookies_are_for_our_pages_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("gateway", names="IP:127.0.0.1")
    tls = {"certificate_file": str(certificate), "key_file": str(key)}
    async with running(tmp_path / "plain") as house, visitor(house.url) as owner:
        answer = await owner.claim(house.code())
        cookie = answer.cookies["flatpeak_session"]
        assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", "")
    async with running(tmp_path / "tls", **tls) as house:
        trust = ssl.create_default_context(cafile=str(authority.file))
        async with visitor(house.url.replace("http:", "https:"), tls=trust) as owner:
            answer = await owner.claim(house.code())
            cookie = answer.cookies["__Host-flatpeak_session"]
            assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", True)
            assert (cookie["path"], cookie["domain"]) == ("/", "")
            assert (await owner.get("/"))[0] == 200


async def test_what_others_say_is_shown_as_text(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await house.home.say("device/ev/info", {"maker": SCRIPT}, retain=True)
        await house.home.say("device/ev/state", {"error": SCRIPT, "plugged": True}, retain=True)
        await house.home.say("device/ev/request", {"mode": SCRIPT})
        await house.until_part("device:ev", "degraded")
        pages = [await owner.get(path) for path in ("/", "/health", "/events", f"/{SCRIPT}")]
        pages.append(await owner.get("/login", params={"next": SCRIPT}))
        pages.append(await owner.get("/", params={"language": SCRIPT}))
        assert all(SCRIPT not in text for _, text in pages)
        assert html.escape(SCRIPT) in pages[0][1]
        await owner.send("/login/leave")
        await owner.get("/claim")
        async with owner.session.post(
            f"{house.url}/claim/password",
            data={"csrf_token": owner.token, "code": '"><img src=x>', "password": PASSWORD},
        ) as answer:
            text = await answer.text()
        assert '"><img' not in text


async def test_sql_in_every_field_is_only_text(tmp_path: Path) -> None:
    injected = "'; DROP TABLE web_sessions; --"
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        async with visitor(house.url) as stranger:
            await stranger.log_in(injected)
            await stranger.claim(injected)
            await stranger.get("/", headers={"Cookie": f"flatpeak_session={injected}"})
        await owner.get("/")
        assert (await owner.send("/boost", device=injected)).headers["Location"] == "/"
        assert (await owner.get("/events"))[0] == 200


async def test_more_than_a_form_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.get("/claim")
        assert (await owner.send("/claim/password", code="x" * 100_000)).status == 413
        headers = {"X": "y" * 20_000}
        assert (await owner.get("/login", headers=headers))[0] == 400
        async with owner.session.post(f"{house.url}/login/check", json={"a": 1}) as answer:
            assert answer.status == 415
        async with owner.session.post(f"{house.url}/login/check", data=b"\xff\xfe=\xff") as answer:
            assert answer.status == 415
        packed = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Encoding": "deflate",
        }
        url = f"{house.url}/login/check"
        async with owner.session.post(url, data=b"no deflate", headers=packed) as answer:
            assert answer.status == 400
        for charset, wanted in (("zlib", 415), ("utf-16", 415), ("punycode", 415), ("UTF-8", 400)):
            kind = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
            async with owner.session.post(url, data=b"password=\xff", headers=kind) as answer:
                assert answer.status == wanted, charset
        assert (await owner.get("/claim"))[0] == 200


async def test_a_flood_is_cut_off_and_the_agent_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.web.context.REQUESTS_PER_S", 0.01)
    async with running(tmp_path) as house, visitor(house.url) as stranger:
        statuses = [(await stranger.get("/static/x/icon.svg"))[0] for _ in range(200)]
        assert statuses == [200] * 150 + [429] * 50
        await house.home.say("device/boiler/request", {"id": "7", "mode": "boost", "for_s": 60})
        await house.home.until("device/boiler/wish", id="7", accepted=True)


async def test_plain_http_is_warned_of_off_loopback(tmp_path: Path) -> None:
    """The machine's own address in its network is no loopback."""
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    async with running(tmp_path, host="0.0.0.0") as house, visitor(house.url) as near:
        assert "not encrypted" not in (await near.get("/claim"))[1]
        async with visitor(f"http://{address}:{house.port}") as far:
            for path in ("/claim", "/login"):
                assert "not encrypted" in (await far.get(path))[1]


def own_address() -> str | None:
    """An address of this machine that is none of loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return None
        found = str(sock.getsockname()[0])
    return None if found.startswith("127.") else found
