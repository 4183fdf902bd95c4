"""The tariff is connected by clicking: our page, Connect's, back again; in a real Chromium."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.fakes.browser import (
    assert_good_for_everybody,
    chromium,
    chromium_context,
    go_back,
)
from tests.fakes.connect_home import ConnectHome, connect_home
from tests.fakes.connect_sandbox import PAIRING_CODE
from tests.fakes.web_home import PASSWORD, visitor


async def claim(page: Page, house: ConnectHome) -> None:
    await page.goto(house.url)
    await page.get_by_label("One-time code").fill(house.code())
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_label("The same once more").fill(PASSWORD)
    await page.get_by_role("button", name="Set the password").click()
    await page.get_by_role("link", name="Tariff", exact=True).click()


@contextlib.asynccontextmanager
async def browsing(
    house: ConnectHome, locale: str = "en-GB", *, scripts: bool = True
) -> AsyncIterator[BrowserContext]:
    """Our pages and Connect's, and nobody else."""
    provider = f"http://{house.sandbox.provider_host}"
    hosts = {house.url, house.sandbox.connect_url.rstrip("/"), provider}
    async with (
        chromium() as browser,
        chromium_context(browser, hosts, locale=locale, java_script_enabled=scripts) as it,
    ):
        yield it


def card(page: Page, direction: str = "import") -> Locator:
    return page.locator(f"#{direction}")


async def test_the_whole_way_from_the_page_to_prices_change_and_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with connect_home(tmp_path) as house, browsing(house) as context, house.agent():
            page = await context.new_page()
            await claim(page, house)
            await expect(card(page)).to_contain_text("No tariff is connected yet")
            await assert_good_for_everybody(page)
            await card(page).get_by_role("button", name="Connect").click()
            await expect(page.get_by_role("heading", name="Connect")).to_be_visible()
            token = house.sandbox.last.token
            await page.get_by_role("link", name="SAVE").click()
            await expect(page).to_have_url(f"{house.url}/tariff")
            await expect(card(page)).to_contain_text("Demo <b>Energy</b>", timeout=15_000)
            await expect(card(page)).to_contain_text("by the market")
            assert token not in await page.content()
            await assert_good_for_everybody(page)
            await house.until_part("tariff")
            await page.goto(house.url)
            await expect(page.get_by_text("ct/kWh").first).to_be_visible()
            # The way back taken a second time changes nothing.
            await page.goto(f"{house.url}/tariff/callback?fp_cot={token}")
            await expect(card(page)).to_contain_text("Connected")
            # A change leads to the same home, and may be given up by the back button.
            await card(page).get_by_role("button", name="Change").click()
            await expect(page.get_by_role("heading", name="Connect")).to_be_visible()
            assert house.sandbox.last.location_id == house.sandbox.home_id
            await go_back(page)
            await page.goto(f"{house.url}/tariff")
            await expect(card(page)).to_contain_text("Waiting for you")
            await assert_good_for_everybody(page)
            await card(page).get_by_role("button", name="Cancel").click()
            await expect(card(page)).to_contain_text("Connected")
            await card(page).get_by_role("link", name="End the connection").click()
            await assert_good_for_everybody(page)
            await page.get_by_role("link", name="Keep it").click()
            await expect(card(page)).to_contain_text("Connected")
            await card(page).get_by_role("link", name="End the connection").click()
            await page.get_by_role("button", name="End it").click()
            await expect(page.get_by_role("status").first).to_contain_text("was ended")
            await expect(card(page)).to_contain_text("No tariff is connected yet")
            assert house.sandbox.connected == set()
    assert token not in caplog.text


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_session_goes_on_wherever_its_pages_lead(tmp_path: Path, scripts: bool) -> None:
    async with (
        connect_home(tmp_path) as house,
        browsing(house, scripts=scripts) as context,
        house.agent(),
    ):
        page = await context.new_page()
        await claim(page, house)
        house.sandbox.leads_on = True
        await card(page).get_by_role("button", name="Connect").click()
        at_provider = re.compile(f"http://{house.sandbox.provider_host}/.*")
        await expect(page).to_have_url(at_provider)
        await page.goto(f"{house.url}/tariff")
        await expect(card(page)).to_contain_text("Waiting for you")
        await card(page).get_by_role("link", name="Go on").click()
        await expect(page).to_have_url(at_provider)
        await page.get_by_role("link", name="SAVE").click()
        await expect(page).to_have_url(f"{house.url}/tariff")
        assert len(house.sandbox.sessions.all()) == 1


async def test_who_is_back_reads_that_it_is_asked_and_then_what_came_of_it(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, browsing(house) as context, house.agent():
        page = await context.new_page()
        await claim(page, house)
        await card(page).get_by_role("button", name="Connect").click()
        await expect(page.get_by_role("heading", name="Connect")).to_be_visible()
        house.sandbox.answers.clear()
        await page.get_by_role("link", name="SAVE").click()
        await expect(card(page)).to_contain_text("You are back")
        await expect(card(page).get_by_role("button")).to_have_count(0)
        house.sandbox.answers.set()
        await expect(card(page)).to_contain_text("Connected", timeout=15_000)


async def test_export_in_german(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, browsing(house, "de-DE") as context, house.agent():
        page = await context.new_page()
        async with visitor(house.url) as owner:
            await owner.claim(house.code())
        await page.goto(f"{house.url}/login?next=/tariff")
        await page.get_by_label("Passwort").fill(PASSWORD)
        await page.get_by_role("button").first.click()
        await page.goto(f"{house.url}/tariff")
        await card(page, "export").get_by_role("button", name="Verbinden").click()
        await page.get_by_role("link", name="SAVE").click()
        await expect(card(page, "export")).to_contain_text("Versorger", timeout=15_000)
        ends = re.compile(r"Vertrag bis\s*\d+\.\d+\.\d{4} \d\d:\d\d")
        await expect(card(page, "export")).to_contain_text(ends)
        assert house.sandbox.connected == {"commodity_export"}


GIVEN_UP = (
    ("DISMISS_LOGIN", "You did not log in", "Connect"),
    ("DISMISS_CONSENT", "You did not agree", "Try again"),
    ("ERROR", "could not give the tariff", "Try again"),
)


async def test_given_up_at_the_provider_says_what_to_do(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, browsing(house) as context, house.agent():
        page = await context.new_page()
        await claim(page, house)
        for click, said, button in GIVEN_UP:
            await card(page).get_by_role("button", name=button).click()
            await page.get_by_role("link", name=click).click()
            await expect(card(page)).to_contain_text(said)
        await assert_good_for_everybody(page)


async def test_two_tabs_and_a_double_submit_are_one_session(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, browsing(house) as context, house.agent():
        first, second = await context.new_page(), await context.new_page()
        await claim(first, house)
        await second.goto(f"{house.url}/tariff")
        await card(first).get_by_role("button", name="Connect").dblclick(no_wait_after=True)
        await expect(first.get_by_role("heading", name="Connect")).to_be_visible()
        await card(second).get_by_role("button").first.click()
        await expect(second.get_by_role("heading", name="Connect")).to_be_visible()
        assert len(house.sandbox.sessions.all()) == 1
        await second.get_by_role("link", name="SAVE").click()
        await expect(card(second)).to_contain_text("Connected", timeout=15_000)
        await first.get_by_role("link", name="SAVE").click()
        await expect(card(first)).to_contain_text("Connected", timeout=15_000)


async def test_restarted_in_the_middle_and_no_way_back(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, browsing(house) as context:
        house.sandbox.silent = True
        page = await context.new_page()
        with house.disk() as store:
            async with house.agent(store):
                await claim(page, house)
                await card(page).get_by_role("button", name="Connect").click()
                await expect(page.get_by_role("heading", name="Connect")).to_be_visible()
        await page.get_by_role("link", name="SAVE").click()
        await expect(page.get_by_text("Finished")).to_be_visible()
        with house.disk() as store:
            async with house.agent(store):
                await page.goto(f"{house.url}/tariff")
                await expect(card(page)).to_contain_text("Connected", timeout=15_000)
                await house.until_part("tariff")


async def test_flatpeak_down_and_ways_back_that_are_not_ours(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, house.agent(), visitor(house.url) as owner:
        await owner.claim(house.code())
        _, text = await owner.get("/tariff")
        house.sandbox.down = True
        answer = await owner.send("/tariff/connect", direction="import")
        assert answer.headers["Location"] == "/tariff"
        assert "cannot be reached just now" in (await owner.get("/tariff"))[1]
        house.sandbox.down = False
        for direction in ("local", "", "<script>"):
            answer = await owner.send("/tariff/connect", direction=direction)
            assert answer.headers["Location"] == "/tariff"
        assert house.sandbox.sessions.all() == []
        answer = await owner.send("/tariff/connect", direction="import")
        assert answer.headers["Refresh"] == "0; url=/tariff/continue?direction=import"
        path = f"{house.url}/tariff/continue?direction="
        async with owner.session.get(f"{path}import", allow_redirects=False) as answer:
            assert answer.headers["Location"].startswith(house.sandbox.connect_url)
        for direction in ("export", "", "<script>"):
            async with owner.session.get(path + direction, allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/tariff"
        ours = house.sandbox.last.token
        for query in (
            "fp_cot=cot_foreign",
            "",
            "fp_cot=",
            "connect_token=%ff%00&error=ERROR",
            "redirect_uri=https://evil.example&fp_cot=x",
        ):
            status, text = await owner.get(f"/tariff/callback?{query}")
            assert status == 200
            assert "belongs to no connection" in text
            assert "evil.example" not in text
        await owner.get("/tariff/callback", params={"connect_token": ours, "next": "//evil"})
        # Who is not logged in gets nothing from it, and the owner's session goes on.
        async with visitor(house.url) as stranger:
            status, text = await stranger.get(f"/tariff/callback?fp_cot={ours}&error=ERROR")
            assert "Log in" in text
        # Once it is known that FlatPeak cannot say what came of it.
        text = await owner.until("/tariff", "Waiting for you")
        assert ours not in text


async def test_what_the_agent_says_of_the_tariff_is_german_on_german_pages(tmp_path: Path) -> None:
    german = {"Accept-Language": "de"}
    async with (
        connect_home(tmp_path, location_id="loc_nobody") as house,
        house.agent(),
        visitor(house.url) as owner,
    ):
        await owner.claim(house.code())
        await house.until_part("tariff", "failed")
        _, text = await owner.get("/health", headers=german)
        assert "der Ort ist nicht bekannt; verbinden Sie ihn neu" in text
        assert "the location is not known" not in text
        # What to do has been said; that somebody has to is no deed.
        assert "Hier müssen Sie" not in text
        _, text = await owner.get("/", headers=german)
        assert "der Ort ist nicht bekannt; verbinden Sie ihn neu</span>. <a href" in text
        assert "Hier müssen Sie" not in text
        _, text = await owner.get("/health", headers={"Accept-Language": "en"})
        assert "the location is not known; connect it again" in text
        await owner.get("/tariff", headers=german)
        url, fields = f"{house.url}/tariff/connect", {"csrf_token": owner.token}
        fields["direction"] = "import"
        async with owner.session.post(url, data=fields, headers=german) as answer:
            text = await answer.text()
        assert "FlatPeak hat abgelehnt: der Ort ist nicht bekannt" in text


async def test_a_way_back_while_nobody_is_logged_in_counts_after_the_log_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with connect_home(tmp_path) as house, house.agent(), visitor(house.url) as owner:
            await owner.claim(house.code())
            await owner.get("/tariff")
            await owner.send("/tariff/connect", direction="import")
            token = house.sandbox.last.token
            async with visitor(house.url) as phone:
                query = f"connect_token={token}&error=DISMISS_CONSENT"
                _, text = await phone.get(f"/tariff/callback?{query}")
                assert "Log in" in text
                assert token not in text
                kept = next(it for it in phone.session.cookie_jar if it.key == "flatpeak_return")
                assert (kept["httponly"], kept["samesite"], kept["max-age"]) == (True, "Lax", "900")
                # It only counts for who knows the password.
                assert "Waiting for you" in (await owner.get("/tariff"))[1]
                answer = await phone.send("/login/check", password=PASSWORD, next="/tariff")
                assert answer.headers["Location"] == "/tariff"
                _, text = await phone.get("/tariff")
                assert "You did not agree" in text
                assert token not in text
                # Once: a reload is a page like any other.
                assert "flatpeak_return" not in phone.cookies()
            async with visitor(house.url) as stranger:
                for query in ("fp_cot=cot_foreign", "fp_cot=%0d%0aSet-Cookie:x", "fp_cot=a;b", ""):
                    status, _ = await stranger.get(f"/tariff/callback?{query}")
                    assert status == 200
                assert set(stranger.cookies()) <= {"flatpeak_return", "flatpeak_form"}
                await stranger.log_in()
                assert "belongs to no connection" in (await stranger.get("/tariff"))[1]
                assert "You did not agree" in (await stranger.get("/tariff"))[1]
    assert token not in caplog.text


async def test_a_makers_backend_wants_its_code_first(tmp_path: Path) -> None:
    async with (
        connect_home(tmp_path, auth="bearer", pairing=True) as house,
        browsing(house) as context,
        house.agent(),
    ):
        page = await context.new_page()
        await claim(page, house)
        await assert_good_for_everybody(page)
        await page.get_by_label("Pairing code").fill("wrong")
        await page.get_by_role("button", name="Pair").click()
        await expect(page.get_by_role("alert")).to_contain_text("not right")
        await page.get_by_label("Pairing code").fill(PAIRING_CODE)
        await page.get_by_role("button", name="Pair").click()
        await card(page).get_by_role("button", name="Connect").click()
        await page.get_by_role("link", name="SAVE").click()
        await expect(card(page)).to_contain_text("Connected", timeout=15_000)
