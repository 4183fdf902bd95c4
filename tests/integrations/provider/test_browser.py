"""The whole way in a real Chromium: on a phone and at a desk, light and dark, in two languages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, expect

from tests.fakes.browser import (
    assert_good_for_everybody,
    chromium,
    chromium_context,
    go_back,
)
from tests.fakes.provider import ANNA, BEN, CLEO, DORA, MakeProvider, Provider


@asynccontextmanager
async def visitor(
    browser: Browser, provider: Provider, locale: str = "en-GB"
) -> AsyncIterator[Page]:
    """A browser of its own, for the provider's pages and the app's."""
    hosts = {provider.url, provider.flatpeak.url}
    async with chromium_context(browser, hosts, locale=locale) as context:
        page = await context.new_page()
        page.set_default_timeout(60_000)
        yield page


async def arrive(page: Page, provider: Provider) -> str:
    token = provider.flatpeak.new_token()
    await page.goto(provider.arrival(token))
    return token


async def sign_in(page: Page, who: tuple[str, str]) -> None:
    await page.get_by_label("E-mail address or customer number").fill(who[0])
    await page.get_by_label("Password").fill(who[1])
    await page.get_by_role("button", name="Sign in").click()


async def back_in_the_app(page: Page, provider: Provider, query: str) -> None:
    await expect(page.get_by_role("heading", name="Back in the app")).to_be_visible()
    assert page.url == f"{provider.flatpeak.return_url}?{query}"


async def test_login_second_factor_choice_consent_and_back(
    sqlite_url: str, make_provider: MakeProvider
) -> None:
    provider = await make_provider(sqlite_url)
    async with chromium() as browser:
        async with visitor(browser, provider) as page:
            token = await arrive(page, provider)
            await assert_good_for_everybody(page)
            await sign_in(page, ANNA)
            await expect(page.get_by_role("heading", name="Which contract?")).to_be_visible()
            await assert_good_for_everybody(page)
            # By keyboard alone.
            await page.get_by_role("radio").first.focus()
            await page.keyboard.press("Space")
            await page.keyboard.press("Enter")
            agree = page.get_by_role("button", name="Share my tariff")
            await expect(agree).to_be_visible()
            await assert_good_for_everybody(page)
            # Twice as fast as a hand can.
            await agree.dblclick()
            await back_in_the_app(page, provider, f"connect_token={token}")
            assert provider.flatpeak.outcome(token)["data"]["auth_data"]["contract_id"] == "K-2001"
            await go_back(page)
            await back_in_the_app(page, provider, f"connect_token={token}")
            assert len(provider.flatpeak.submitted[token]) == 1
            await page.goto(f"{provider.url}/apps")
            await sign_in(page, ANNA)
            await assert_good_for_everybody(page)
            # Asked once more, and the page that follows may be gone back from and come to again.
            withdraw = page.get_by_role("button", name="Withdraw the consent given to Acme")
            await expect(withdraw).to_be_hidden()
            await page.get_by_text("Withdraw", exact=True).first.click()
            await assert_good_for_everybody(page)
            await withdraw.click()
            await expect(page.get_by_role("alert")).to_contain_text("Withdrawn.")
            await go_back(page)
            await page.go_forward()
            await expect(page.get_by_role("alert")).to_contain_text("Withdrawn.")
            await expect(page.get_by_text("No app may read your tariff.")).to_be_visible()
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_text("You are signed out.")).to_be_visible()
            await assert_good_for_everybody(page)
        async with visitor(browser, provider, locale="de-DE") as page:
            token = await arrive(page, provider)
            await expect(page.locator("html")).to_have_attribute("lang", "de")
            await page.get_by_role("link", name="English").click()
            await sign_in(page, BEN)
            await assert_good_for_everybody(page)
            await page.get_by_label("One-time code").fill("000000")
            await page.get_by_role("button", name="Continue").click()
            await expect(page.get_by_role("alert")).to_contain_text("not valid")
            await assert_good_for_everybody(page)
            await page.get_by_label("One-time code").fill(provider.code())
            await page.get_by_role("button", name="Continue").click()
            await page.get_by_role("button", name="Do not share").click()
            await back_in_the_app(page, provider, f"connect_token={token}&error=DISMISS_CONSENT")


async def test_cancel_wrong_passwords_and_links_that_are_over(
    sqlite_url: str, make_provider: MakeProvider
) -> None:
    provider = await make_provider(sqlite_url)
    cancel = "Cancel and go back"
    async with chromium() as browser:
        for who, button, outcome in (
            (None, cancel, "DISMISS_LOGIN"),
            (BEN, cancel, "DISMISS_LOGIN"),
            (ANNA, cancel, "DISMISS_CONSENT"),
            (CLEO, "Do not share", "DISMISS_CONSENT"),
            (DORA, "Go back to Acme Heat Pumps", "ERROR"),
        ):
            async with visitor(browser, provider) as page:
                token = await arrive(page, provider)
                if who:
                    await sign_in(page, who)
                await page.get_by_role("button", name=button).click()
                await back_in_the_app(page, provider, f"connect_token={token}&error={outcome}")
                assert provider.flatpeak.outcome(token) == {"action": outcome}
        async with visitor(browser, provider) as page:
            token = await arrive(page, provider)
            for _ in range(2):
                await sign_in(page, (CLEO[0], "wrong"))
                await expect(page.get_by_role("alert")).to_be_visible()
            await assert_good_for_everybody(page)
            await sign_in(page, (CLEO[0], "wrong"))
            await back_in_the_app(page, provider, f"connect_token={token}&error=ERROR")
            gone = provider.flatpeak.new_token()
            provider.flatpeak.expire(gone)
            await page.goto(provider.arrival(gone))
            await expect(page.get_by_text("This link is no longer valid.")).to_be_visible()


async def test_two_tabs(sqlite_url: str, make_provider: MakeProvider) -> None:
    provider = await make_provider(sqlite_url)
    async with chromium() as browser, visitor(browser, provider) as one:
        token = await arrive(one, provider)
        two = await one.context.new_page()
        await two.goto(provider.arrival(token))
        await sign_in(two, CLEO)
        await expect(two.get_by_role("button", name="Share my tariff")).to_be_visible()
        await one.get_by_role("button", name="Cancel and go back").click()
        # That button was of a page that is over: nothing was cancelled.
        await one.get_by_role("button", name="Share my tariff").click()
        await back_in_the_app(one, provider, f"connect_token={token}")
        await two.get_by_role("button", name="Do not share").click()
        await back_in_the_app(two, provider, f"connect_token={token}")
        assert len(provider.flatpeak.submitted[token]) == 1
