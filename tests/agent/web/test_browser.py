"""The pages in a real Chromium, as the people of the house use them."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Page, Route, expect

from tests.fakes.browser import assert_good_for_everybody, chromium, chromium_context, go_back
from tests.fakes.web_home import DEVICES, PASSWORD, WebHome, running

DISHES = {
    "id": "dishes",
    "type": "program",
    "profile": [{"duration_s": 3600, "power_w": 1500}],
}


@contextlib.asynccontextmanager
async def hanging(page: Page, address: str) -> AsyncIterator[None]:
    """What is asked there stays without an answer."""

    async def never(_route: Route) -> None:
        """The network has swallowed it."""

    await page.route(address, never)
    try:
        yield
    finally:
        await page.unroute(address, never)


async def claim(page: Page, house: WebHome) -> None:
    await page.goto(house.url)
    await page.get_by_label("One-time code").fill(house.code())
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_label("The same once more").fill(PASSWORD)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("heading", name="Appliances")).to_be_visible()


async def test_every_page_is_good_for_everybody(tmp_path: Path) -> None:
    async with running(tmp_path, [*DEVICES, DISHES]) as house, chromium() as browser:
        async with chromium_context(browser) as context:
            page = await context.new_page()
            await page.goto(f"{house.url}/claim")
            await assert_good_for_everybody(page)
            await claim(page, house)
            await house.home.say("device/ev/state", {"plugged": True}, retain=True)
            await house.home.say("device/ev/request", {"mode": "sprint"})
            await house.home.until("device/ev/wish", accepted=False)
            for path in ("/", "/health", "/events", "/nothing", "/claim"):
                await page.goto(house.url + path)
                for summary in await page.locator("summary").all():
                    await summary.click()
                await assert_good_for_everybody(page)
            await page.get_by_role("button", name="Log out").click()
            await page.get_by_label("Password").fill("not this one")
            await page.get_by_role("button", name="Log in").click()
            await expect(page.get_by_role("alert")).to_have_text("This password is not right.")
            await assert_good_for_everybody(page)
        async with chromium_context(browser, locale="de-DE") as context:
            page = await context.new_page()
            await page.goto(f"{house.url}/login")
            await expect(page.locator("html")).to_have_attribute("lang", "de")
            await expect(page.get_by_label("Passwort")).to_be_visible()
            await page.get_by_role("link", name="English").click()
            await page.goto(f"{house.url}/login")
            await expect(page.get_by_label("Password")).to_be_visible()


async def test_locked_after_five_wrong_codes(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as house,
        chromium() as browser,
        chromium_context(browser) as context,
    ):
        page = await context.new_page()
        await page.goto(house.url)
        for _ in range(5):
            await page.get_by_label("One-time code").fill("2222-2222")
            await page.get_by_label("New password").fill(PASSWORD)
            await page.get_by_label("The same once more").fill(PASSWORD)
            await page.get_by_role("button", name="Set the password").click()
            await expect(page.get_by_role("alert")).to_be_visible()
        await expect(page.get_by_role("alert")).to_contain_text("Five wrong codes")
        await expect(page.get_by_role("button")).to_have_count(0)
        await assert_good_for_everybody(page)


async def test_three_wrong_passwords_then_the_right_one_back_and_two_tabs(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as house,
        chromium() as browser,
        chromium_context(browser) as context,
    ):
        first = await context.new_page()
        await claim(first, house)
        await first.get_by_role("button", name="Log out").click()
        second = await context.new_page()
        await second.goto(f"{house.url}/health")
        await expect(second.get_by_role("heading", name="Log in")).to_be_visible()
        for number in range(3):
            await first.get_by_label("Password").fill(f"wrong {number}")
            await first.get_by_role("button", name="Log in").click()
            await expect(first.get_by_role("alert")).to_contain_text("not right")
        # By keyboard alone: after the error the field has the focus.
        await first.keyboard.type(PASSWORD)
        await first.keyboard.press("Enter")
        await expect(first.get_by_role("heading", name="Appliances")).to_be_visible()
        # The other tab's form is older than the session and still good.
        await second.get_by_label("Password").fill(PASSWORD)
        await second.get_by_role("button", name="Log in").click()
        await expect(second.get_by_role("heading", name="Health")).to_be_visible()
        await first.reload()
        await expect(first.get_by_role("heading", name="Appliances")).to_be_visible()
        # Logged out in one tab, the other does nothing any more and shows nothing by "back".
        await second.get_by_role("button", name="Log out").click()
        await expect(second.get_by_role("heading", name="Log in")).to_be_visible()
        await go_back(second)
        await expect(second.get_by_role("heading", name="Log in")).to_be_visible()
        await first.get_by_role("button", name="Pause EV").click()
        await expect(first.get_by_role("heading", name="Log in")).to_be_visible()


async def test_a_double_click_asks_once_and_the_page_follows_by_itself(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as house,
        chromium() as browser,
        chromium_context(browser) as context,
    ):
        page = await context.new_page()
        await claim(page, house)
        before = len(house.home.watcher.payloads("flatpeak/home/device/boiler/wish"))
        await page.get_by_role("button", name="Boost Boiler").dblclick()
        await expect(page.get_by_text("Boost until")).to_be_visible()
        await house.home.until("device/boiler/wish", mode="boost")
        await page.get_by_role("button", name="Back to the plan Boiler").click()
        await expect(page.get_by_role("status").first).to_contain_text("Back to the plan")
        await house.home.until("device/boiler/wish", after=before, mode="auto")
        wishes = house.home.watcher.payloads("flatpeak/home/device/boiler/wish")
        assert sum(b'"mode":"boost"' in item for item in wishes) == 1
        # Somebody asks over MQTT: the page shows it without being touched.
        await house.home.say("device/boiler/request", {"mode": "pause", "for_s": 3600})
        await expect(page.get_by_text("Paused until")).to_be_visible(timeout=30_000)


async def test_without_scripts_everything_can_be_done(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as house,
        chromium() as browser,
        chromium_context(browser, java_script_enabled=False) as context,
    ):
        page = await context.new_page()
        await claim(page, house)
        await page.get_by_label("How long: Boiler").select_option("for 2 hours")
        await page.get_by_role("button", name="Pause Boiler").click()
        await expect(page.get_by_text("Paused until")).to_be_visible()
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_a_gateway_that_is_gone_is_said(tmp_path: Path) -> None:
    async with chromium() as browser, chromium_context(browser) as context:
        page = await context.new_page()
        async with running(tmp_path) as house:
            await claim(page, house)
        notice = page.get_by_text("No connection to the gateway")
        await expect(notice).to_be_visible(timeout=30_000)
        # Also on a phone, wherever one has scrolled to.
        await page.set_viewport_size({"width": 360, "height": 740})
        for place in ("0", "document.body.scrollHeight"):
            await page.evaluate(f"window.scrollTo(0, {place})")
            await expect(notice).to_be_in_viewport(ratio=1)
        await assert_good_for_everybody(page)


async def test_a_gateway_that_answers_nothing_is_said_and_how_old_the_page_is(
    tmp_path: Path,
) -> None:
    async with (
        running(tmp_path) as house,
        chromium() as browser,
        chromium_context(browser) as context,
    ):
        page = await context.new_page()
        await claim(page, house)
        await page.clock.install()
        await page.goto(house.url)
        lost = page.locator("#lost")
        async with hanging(page, "**/api/v1/status"):
            await page.clock.run_for(2_000)
            await expect(lost).to_be_empty()
            await page.clock.run_for(8_000)
            await expect(lost).to_contain_text(
                "No connection to the gateway. What you see is as of"
            )
        await page.clock.run_for(6_000)
        await expect(lost).to_be_empty()
        # It changes, and is not exchanged while somebody chooses; who has gone away does not.
        await page.get_by_label("How long: Boiler").press("ArrowDown")
        await house.home.say("device/boiler/request", {"mode": "pause", "for_s": 3600})
        await house.home.until("device/boiler/wish", mode="pause")
        async with page.expect_response("**/api/v1/status"):
            await page.clock.run_for(6_000)
        paused = page.get_by_text("Paused until")
        await expect(paused).to_have_count(0)
        await page.clock.run_for(66_000)
        await expect(paused).to_be_visible()
        await expect(page.get_by_role("button", name="Back to the plan Boiler")).to_be_visible()
        # A tablet that has slept: until it is known what is true now it says of when it is.
        async with hanging(page, "**/api/v1/status"):
            await page.clock.fast_forward(600_000)
            await expect(lost).to_contain_text("What you see is as of")
        await page.clock.run_for(16_000)
        await expect(lost).to_be_empty()


async def test_what_one_tab_said_does_not_stand_beside_what_another_has_changed(
    tmp_path: Path,
) -> None:
    async with (
        running(tmp_path) as house,
        chromium() as browser,
        chromium_context(browser) as context,
    ):
        first = await context.new_page()
        await first.add_init_script(
            "const real = performance.now.bind(performance);"
            "performance.now = () => real() + (window.later || 0);"
        )
        await claim(first, house)
        await first.get_by_role("button", name="Boost Boiler").click()
        notice = first.locator("#notice")
        await expect(notice).to_contain_text("Boiler")
        second = await context.new_page()
        await second.goto(house.url)
        await second.get_by_role("button", name="Back to the plan Boiler").click()
        await first.bring_to_front()
        await expect(first.get_by_role("button", name="Boost Boiler")).to_be_visible(timeout=30_000)
        # It may be read for a while. Whoever comes back to the tab has the page look at once.
        await first.evaluate(
            "window.later = 60000; document.dispatchEvent(new Event('visibilitychange'))"
        )
        await expect(notice).to_have_count(0, timeout=30_000)
