"""`flatpeak-agent demo --connect`: a tariff is connected by clicking, as a stranger would."""

import asyncio
import re
import signal

from playwright.async_api import Page, expect

from tests.fakes.browser import chromium
from tests.fakes.command import PATIENCE_S, Command, command

PASSWORD = "correct horse battery"
ARGS = ("demo", "--connect", "--broker", "embedded")
INVITED = re.compile(
    r"Open (http://\S+) and set a password with the code (\S+) .*?"
    r"Then: Tariff, Connect, (.+?); log in there as (\S+) with (\S+)\.\n",
    re.DOTALL,
)


async def invitation(demo: Command) -> tuple[str, ...]:
    said = ""
    assert demo.process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while (found := INVITED.search(said)) is None:
            line = await demo.process.stdout.readline()
            assert line, said
            said += line.decode()
    return found.groups()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).first.click()


async def test_from_nothing_to_the_prices_of_the_providers_contract() -> None:
    async with command(*ARGS) as demo, chromium() as browser:
        url, code, provider, login, password = await invitation(demo)
        context = await browser.new_context(locale="en-GB")
        context.set_default_timeout(PATIENCE_S * 1000)
        page = await context.new_page()
        await page.goto(url)
        await page.get_by_label("One-time code").fill(code)
        await page.get_by_label("New password").fill(PASSWORD)
        await page.get_by_label("The same once more").fill(PASSWORD)
        await press(page, "Set the password")
        await page.get_by_role("link", name="Tariff", exact=True).click()
        await page.locator("#import").get_by_role("button", name="Connect").click()
        await page.get_by_label("Town").fill("Rostock")
        await page.get_by_label("Street").fill("Seestr. 5")
        await page.get_by_label("Post code").fill("18055")
        await page.get_by_label("Country").fill("DE")
        await press(page, "Next")
        await press(page, provider)
        await page.locator("input[name=login]").fill(login)
        await page.locator("input[name=password]").fill(password)
        await press(page, "Sign in")
        await page.get_by_label(re.compile("Holiday flat")).check()
        await press(page, "Continue")
        await press(page, "Share my tariff")
        await press(page, "Save")
        card = page.locator("#import")
        await expect(card).to_contain_text("Every Half Hour", timeout=PATIENCE_S * 1000)
        await expect(card).to_contain_text(provider)
        await page.get_by_role("link", name="Home", exact=True).click()
        await expect(page.get_by_text("ct/kWh").first).to_be_visible(timeout=PATIENCE_S * 1000)
        ended, _, err, _ = await demo.stopped_by(signal.SIGINT)
    assert (ended, err) == (0, "")
