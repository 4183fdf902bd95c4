"""From the one-time code to the password, log-in and log-out, as a visitor meets them."""

import asyncio
import logging
import re
from pathlib import Path

import pytest

from agent.store import Store
from agent.web.access.account import PASSWORD as STORED
from tests.fakes.web_home import PASSWORD, running, visitor, web_home


async def test_the_code_in_the_log_sets_a_password_that_opens_the_pages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "agent.web"):
        async with running(tmp_path) as house, visitor(house.url) as owner:
            found = re.search(r"code (\w{4}-\w{4}), good for 15 minutes", caplog.text)
            assert found
            assert "One-time code" in (await owner.get("/health"))[1]
            answer = await owner.claim(found[1])
            assert (answer.status, answer.headers["Location"]) == (303, "/")
            status, text = await owner.get("/")
            assert status == 200
            assert "ct/kWh" in text
            # Used: nobody else comes in with it.
            async with visitor(house.url) as other:
                assert (await other.claim(found[1])).status == 403
                assert "Log in" in (await other.get("/"))[1]
    assert PASSWORD not in caplog.text


async def test_a_password_that_will_not_do_leaves_the_code_good(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        code = house.code()
        assert (await owner.claim(code, "short")).status == 422
        blanks = " " * 10
        assert (await owner.claim(code, blanks)).status == 422
        assert (await owner.claim(code, f" short{blanks}")).status == 422
        await owner.get("/claim")
        fields = {"code": code, "password": PASSWORD, "again": PASSWORD + "x"}
        assert (await owner.send("/claim/password", **fields)).status == 422
        assert (await owner.claim(code)).status == 303


async def test_where_a_password_is_set_wrong_codes_end_at_the_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As systemd starts a service.
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    command = "sudo flatpeak-agent claim --as-service"
    async with running(tmp_path) as house, visitor(house.url) as owner:
        assert f"log, and “{command}” prints a new one" in (await owner.get("/claim"))[1]
        await owner.claim(house.code())
        async with visitor(house.url) as stranger:
            text = (await stranger.get("/claim"))[1]
            assert f"“{command}” prints it" in text
            assert "log, and" not in text
            house.code()
            for _ in range(5):
                await stranger.claim("2222-2222")
            text = (await stranger.get("/claim"))[1]
        assert "taken any more. Log in with the password you have" in text
        assert f"restart the agent, then run “{command}”" in text
        german = (await owner.get("/claim", headers={"Accept-Language": "de"}))[1]
        assert "Melden Sie sich mit dem vorhandenen Passwort an" in german


async def test_five_wrong_codes_lock_until_the_next_start(tmp_path: Path) -> None:
    async with web_home(tmp_path) as house:
        async with house.agent(), visitor(house.url) as stranger:
            statuses = [(await stranger.claim("2222-2222")).status for _ in range(5)]
            assert statuses == [403, 403, 403, 403, 423]
            assert (await stranger.claim(house.code())).status == 423
            assert (
                "Restart the agent; its log then shows a new code"
                in (await stranger.get("/claim"))[1]
            )
        async with house.agent(), visitor(house.url) as owner:
            assert (await owner.claim(house.code())).status == 303
            _, text = await owner.get("/events")
            assert "Set up" in text


async def test_a_new_code_sets_a_forgotten_password_and_throws_everybody_out(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as house, visitor(house.url) as old, visitor(house.url) as new:
        await old.claim(house.code())
        assert (await new.claim(house.code(), "another password")).status == 303
        assert (await old.get("/health", allow_redirects=False))[0] == 303
        assert (await old.log_in()).status == 403
        assert (await old.log_in("another password")).status == 303


async def test_a_button_that_is_pressed_after_the_log_out_says_that_nothing_came_of_it(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner, visitor(house.url) as other:
        await owner.claim(house.code())
        await other.log_in()
        await other.get("/events")
        await owner.get("/")
        assert (await other.send("/events/end-others")).status == 303
        answer = await owner.send("/pause", device="ev")
        assert answer.status == 303
        login = (await owner.get(answer.headers["Location"]))[1]
        assert "what you just pressed was not done" in login
        assert (await owner.log_in()).status == 303
        assert "was not done" not in (await owner.get("/login"))[1]


async def test_wrong_passwords_are_slowed_down_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.web.context.PAUSE_OF_ONE_S", 600.0)
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        async with visitor(house.url) as stranger:
            await stranger.get("/login")
            answers = [
                await stranger.send("/login/check", password=f"wrong {number}")
                for number in range(5)
            ]
            assert [answer.status for answer in answers] == [403] * 5
            assert 0 < int(answers[-1].headers["Retry-After"]) <= 600
            # The right one, too, is not heard now.
            answer = await stranger.send("/login/check", password=PASSWORD)
            assert answer.status == 429
            assert 0 < int(answer.headers["Retry-After"]) <= 600
            # That page, asked for once more as by the address line, is the form.
            assert "Log in" in (await stranger.get("/login/check"))[1]
        # Who is in stays in.
        _, text = await owner.get("/events")
        assert text.count("Wrong password") == 5


async def test_a_known_browser_is_not_kept_out_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong passwords from everywhere, even from the owner's own address."""
    monkeypatch.setattr("agent.web.context.PAUSE_OF_ONE_S", 600.0)
    monkeypatch.setattr("agent.web.context.PAUSE_OF_ALL_S", 600.0)
    monkeypatch.setattr("agent.web.context.TRIES_OF_ALL", 5)
    store = Store.in_memory()
    async with web_home(tmp_path) as house, visitor(house.url) as owner:
        async with house.agent(store):
            await owner.claim(house.code())
            await owner.send("/login/leave")
        async with house.agent(store), visitor(house.url) as stranger:
            for number in range(5):
                await stranger.log_in(f"wrong {number}")
            assert (await stranger.log_in()).status == 429
            assert (await owner.log_in()).status == 303
            await owner.send("/login/leave")
            # Its own wrong tries slow it down like anybody.
            for number in range(5):
                await owner.log_in(f"wrong {number}")
            assert (await owner.log_in()).status == 429
        async with house.agent(store), visitor(house.url) as other:
            known = {"flatpeak_known": "0123456789abcdef." + "0" * 64}
            other.session.cookie_jar.update_cookies(known)
            for number in range(5):
                await other.log_in(f"wrong {number}")
            # Who makes a cookie up is a stranger.
            async with visitor(house.url) as another:
                assert (await another.log_in()).status == 429


async def test_the_same_form_twice_does_its_work_once(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        _, text = await owner.get("/claim")
        number = re.findall(r'name="form_number" value="([^"]+)"', text)[0]
        fields = {
            "form_number": number,
            "code": house.code(),
            "password": PASSWORD,
            "again": PASSWORD,
        }
        answers = await asyncio.gather(
            owner.send("/claim/password", **fields), owner.send("/claim/password", **fields)
        )
        assert [answer.status for answer in answers] == [303, 303]
        cookies = {answer.cookies["flatpeak_session"].value for answer in answers}
        assert len(cookies) == 1
        _, text = await owner.get("/events")
        assert text.count("Logged in") == 1


async def test_a_session_survives_a_restart_and_ends_with_the_log_out(tmp_path: Path) -> None:
    async with web_home(tmp_path) as house, visitor(house.url) as owner:
        store = Store.in_memory()
        async with house.agent(store):
            await owner.claim(house.code())
        async with house.agent(store):
            assert (await owner.get("/health", allow_redirects=False))[0] == 200
            copy = owner.cookies()
            await owner.send("/login/leave")
            owner.session.cookie_jar.update_cookies(copy)
            assert (await owner.get("/health", allow_redirects=False))[0] == 303
        assert PASSWORD not in str(store.get_value(STORED))
        assert str(store.get_value(STORED)).startswith("scrypt$14$8$5$")


async def test_who_logs_in_comes_to_the_page_that_was_asked_for_and_to_no_other_site(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await owner.send("/login/leave")
        status, _ = await owner.get("/health", allow_redirects=False)
        assert status == 303
        for wanted, goes_to in (
            ("/health", "/health"),
            ("https://evil.example", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/login/leave", "/"),
            ("javascript:alert(1)", "/"),
        ):
            await owner.get("/login", params={"next": wanted})
            answer = await owner.send("/login/check", password=PASSWORD, next=wanted)
            assert answer.headers["Location"] == goes_to
            await owner.get("/")
            await owner.send("/login/leave")
