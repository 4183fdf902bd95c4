"""Connect, the real provider integration and the poller together: the demo's click path."""

from pathlib import Path

import aiohttp
import pytest

from integrations.provider.demo import CLIENT_SECRET, demo_provider
from integrations.sandbox import ConnectedProvider, FlatPeakSandbox, ProviderName
from tests.fakes.provider import Browser, HandClock, sign_in
from tests.fakes.sandbox_caller import Caller

DEMO = ProviderName("prv_000000000000000000000098", "Demo Energy")


@pytest.mark.parametrize(
    ("contract", "structure", "prices"),
    [("K-2001", "TIME_OF_DAY", 3), ("K-2002", "DYNAMIC", 48)],
)
async def test_prices_of_exactly_the_contract_that_the_provider_holds(
    tmp_path: Path, contract: str, structure: str, prices: int
) -> None:
    clock = HandClock()
    async with (
        FlatPeakSandbox(clock, processing_s=0) as sandbox,
        demo_provider(
            tmp_path / "demo.sqlite",
            clock,
            flatpeak_url=sandbox.url,
            username="demo",
            password="demo's password",
        ) as demo,
        aiohttp.ClientSession() as http,
    ):
        sandbox.integrate(
            ConnectedProvider(
                DEMO,
                demo.authentication_url,
                "demo",
                "demo's password",
                client_secret=CLIENT_SECRET,
            )
        )
        caller = Caller(http, sandbox)
        await caller.log_in()
        body = {
            "callback_uri": f"{sandbox.url}/_sandbox",
            "postal_address": {"city": "York", "country_code": "GB"},
        }
        _, started = await caller.post("/connect/tariff/token", body)
        token = started["connect_token"]
        form = {"connect_token": token, "route": "provider_select", "value": DEMO.id}
        await http.get(sandbox.connect_web_url, params={"fp_cot": token})
        async with http.post(
            sandbox.connect_web_url, data=form, allow_redirects=False
        ) as redirected:
            arrival = redirected.headers["Location"]
        browser = Browser(demo.url)
        await browser.get(arrival)
        await sign_in(browser, (demo.login, demo.password))
        await browser.submit("choose", contract=contract)
        await browser.submit("consent")
        await browser.close()
        async with http.get(sandbox.connect_web_url, params={"connect_token": token}) as page:
            assert "Your tariff" in await page.text()
        form = {"connect_token": token, "route": "summary_tou_confirm", "action": "SAVE"}
        async with http.post(sandbox.connect_web_url, data=form, allow_redirects=False) as saved:
            assert saved.headers["Location"] == f"{sandbox.url}/_sandbox?fp_cot={token}"
        _, result = await caller.get("/connect/tariff/token", connect_token=token)
        assert result["is_tariff_processed"] is True
        rates = await caller.rates(
            result["location_id"], "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"
        )
        assert len(rates["data"]) == prices
        _, status = await caller.get(f"/locations/{result['location_id']}/status")
        kind = status["tariff_status"]["commodity_import"]
        assert (kind["connection_type"], kind["tariff"]["structure_type"]) == ("DIRECT", structure)
        assert kind["tariff"]["contract_end_date"] is None
