"""Demo Energy in this process: prices of exactly the contract that it holds."""

from pathlib import Path

import aiohttp

from integrations.provider.demo import CLIENT_SECRET, demo_provider
from tests.fakes.flatpeak_for_providers import PASSWORD, USERNAME, Poller, flatpeak_for_providers
from tests.fakes.provider import Browser, HandClock, sign_in


async def test_from_the_app_to_half_hourly_prices(tmp_path: Path) -> None:
    async with (
        flatpeak_for_providers() as flatpeak,
        demo_provider(
            tmp_path / "demo.sqlite",
            HandClock(),
            flatpeak_url=flatpeak.url,
            username=USERNAME,
            password=PASSWORD,
        ) as demo,
        aiohttp.ClientSession() as http,
    ):
        browser, token = Browser(demo.url), flatpeak.new_token()
        await browser.get(f"{demo.authentication_url}?connect_token={token}")
        await sign_in(browser, (demo.login, demo.password))
        await browser.submit("choose", contract="K-2002")
        await browser.submit("consent")
        await browser.close()
        poller = Poller(flatpeak.outcome(token)["data"]["auth_data"], CLIENT_SECRET)
        status, document = await poller.poll(http)
        assert status == 200
        assert document["structure_type"] == "DYNAMIC"
        assert document["complete"] is True
        assert len(document["rates"]) > 48
        assert document["rates"][0]["valid_from"] == "2026-03-02T10:00:00Z"
