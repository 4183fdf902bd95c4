"""A real headless Chromium, and the checks that every page of ours has to pass in it."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Collection
from itertools import product
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.fakes.parts import lacking

SIZES = ((360, 740), (1280, 800))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def chromium_program() -> str:
    """The program; see `lacking` where it is not there."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        lacking("chromium")
    return program


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    program = chromium_program()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def chromium_context(
    browser: Browser,
    hosts: Collection[str] = (),
    *,
    locale: str = "en-GB",
    java_script_enabled: bool = True,
) -> AsyncIterator[BrowserContext]:
    """Cookies of its own. Whatever a page complains of is a failure, and what it asks of hosts
    besides `hosts`, such as http://127.0.0.1:8780; where they are not given, besides one."""
    context = await browser.new_context(locale=locale, java_script_enabled=java_script_enabled)
    complaints: list[str] = []
    context.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    try:
        yield context
    finally:
        await context.close()
    found = {"/".join(url.split("/")[:3]) for url in asked if url.startswith("http")}
    assert found <= {*hosts} if hosts else len(found) <= 1, found
    # That an answer was an error is said by the page, and by the test that wanted it.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


async def assert_good_for_everybody(page: Page) -> None:
    """axe finds nothing and nothing is wider than the screen: phone and desk, light and dark."""
    for (width, height), scheme in product(SIZES, SCHEMES):
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme=scheme)
        where = f"{page.url} at {width} px, {scheme}"
        scroll = await page.evaluate("document.documentElement.scrollWidth")
        assert scroll <= width, f"{where}: {scroll} px wide"
        if not await page.evaluate("Boolean(window.axe)"):
            await page.evaluate(AXE_SCRIPT)
        found = AxeResults(await page.evaluate("options => axe.run(document, options)", RULES))
        assert found.violations_count == 0, f"{where}\n{found.generate_report()}"


async def go_back(page: Page) -> None:
    """The back button; while a page is still being loaded Chromium has no history to go by."""
    await page.wait_for_load_state("load")
    await page.go_back()
