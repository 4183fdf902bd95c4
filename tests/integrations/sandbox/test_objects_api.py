"""The objects around the rates as FlatPeak's published document has them."""

from datetime import UTC, datetime

import pytest

from agent.clock import SteppedClock
from agent.energy.rates import Direction
from integrations.sandbox.locations import built_in
from integrations.sandbox.server import TEST_API_KEY
from integrations.tariffs.flatpeak import parse_rates
from tests.fakes.sandbox_caller import calling
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
GERMANY, SWEDEN, QUARTERS, FLAT, BRITAIN, SYDNEY, POUNDS = (place.id for place in built_in())
WINDOW = {"start_time": "2026-01-16T10:00:00Z", "end_time": "2026-01-16T15:00:00Z"}


def test_a_status_names_every_kind() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            _, status = await caller.get(f"/locations/{FLAT}/status")
            kinds = status["tariff_status"]
            assert {kind: it["status"] for kind, it in kinds.items()} == {
                "commodity_import": "CONNECTED",
                "commodity_export": "NOT_CONNECTED",
                "non_commodity_import": "NOT_CONNECTED",
                "non_commodity_export": "NOT_CONNECTED",
                "local": "NOT_SUPPORTED",
            }
            tariff = kinds["commodity_import"]["tariff"]
            assert tariff["structure_type"] == "FIXED"
            assert tariff["contract_end_date"] == "2099-12-31T00:00:00Z"
            assert kinds["commodity_import"]["provider"]["display_name"] == "Sandbox Energy"
            _, place = await caller.get(f"/locations/{FLAT}")
            assert place["tariff_status"]["local"] == "NOT_SUPPORTED"
            assert place["tariff_status"]["commodity_import"] == "CONNECTED"

    run_virtual(story, NOW)


def test_elements_say_whether_they_follow_a_market() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            _, market = await caller.get("/tariffs/elements", location_id=GERMANY, type="COMMODITY")
            rates = {item["direction"]: item["market_rates"] for item in market["data"]}
            assert rates == {"IMPORT": True, "EXPORT": False}
            assert market["data"][0]["contract_start_date"] == "2024-01-01T00:00:00Z"

    run_virtual(story, NOW)


def test_lists_can_be_filtered_and_objects_read_alone() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            for path, query in (
                ("/customers", {"reference_id": "household"}),
                ("/locations", {"reference_id": "home-2"}),
                ("/tariffs/elements", {"location_id": GERMANY}),
                ("/events", {"object_id": SWEDEN}),
            ):
                _, listing = await caller.get(path, **query)
                first = listing["data"][0]
                assert await caller.get(f"{path}/{first['id']}") == (200, first)
                assert (await caller.get(f"{path}/nothing"))[0] == 404
            for name in ("reference_id", "customer_id"):
                _, none = await caller.get("/locations", **{name: "nobody"})
                assert none["data"] == []
            status, audit = await caller.get(f"/tariffs/audit/{GERMANY}", **WINDOW)
            assert (status, audit["object"]) == (200, "tariff_rate_audit")
            entry = audit["data"][0]["tariff_rate"]
            assert entry["total"] == entry["commodity"]["market"]

    run_virtual(story, NOW)


def test_a_tariff_is_taken_away_by_its_element() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            _, listing = await caller.get("/tariffs/elements", location_id=FLAT)
            path = f"/tariffs/elements/{listing['data'][0]['id']}"
            assert await caller.delete(path) == (202, {"message": "Accepted"})
            assert (await caller.delete(path))[0] == 404
            status, answer = await caller.get(f"/tariffs/rates/{FLAT}", **WINDOW)
            assert (status, answer["code"]) == (422, "no_tariff_connected")

    run_virtual(story, NOW)


def test_a_location_is_made_once_per_reference() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            address = {"city": "Leeds", "country_code": "GB"}
            body = {"reference_id": "barn", "postal_address": address}
            status, made = await caller.post("/locations", body)
            assert (status, made["currency_code"], made["postal_address"]) == (201, "GBP", address)
            assert (await caller.post("/locations", body))[0] == 409
            assert (await caller.post("/locations", {"postal_address": {}}))[1]["code"] == (
                "city_missing"
            )
            assert (await caller.delete(f"/locations/{made['id']}"))[0] == 202
            assert (await caller.get(f"/locations/{made['id']}"))[0] == 404

    run_virtual(story, NOW)


def test_unknown_routes_are_unknown_before_anyone_logs_in() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            caller.token = ""
            assert await caller.get("/nowhere") == (404, {"message": "Not Found"})
            assert (await caller.post("/login", {}))[0] == 405
            assert (await caller.get("/locations"))[0] == 403

    run_virtual(story, NOW)


def test_a_test_key_is_limited_like_a_live_one() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            await caller.log_in(TEST_API_KEY)
            caller.sandbox.faults.on("rate_limit")
            assert (await caller.get("/locations"))[0] == 429

    run_virtual(story, NOW)


def test_the_british_market_has_hourly_confirmed_prices_in_pounds() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            answer = await caller.rates(POUNDS, *WINDOW.values())
            assert (answer["currency_code"], answer["location_timezone"]) == (
                "GBP",
                "Europe/London",
            )
            assert len(answer["data"]) == 5
            assert {slot["tariff"]["confidence"] for slot in answer["data"]} == {1}

    run_virtual(story, NOW)


@pytest.mark.parametrize("release", ["anode", "busbar"])
def test_later_releases_give_the_same_prices_in_their_own_shape(release: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            zero = await caller.rates(SWEDEN, *WINDOW.values(), direction="EXPORT")
            body = {**WINDOW, "tariff_direction": "EXPORT"}
            if release == "anode":
                status, answer = await caller.post(f"/prices/{SWEDEN}", body)
                assert answer["request"]["tariff_direction"] == "EXPORT"
            else:
                body |= {"location_id": SWEDEN, "device_id": "dev_1"}
                status, answer = await caller.post("/prices", body)
                assert "request" not in answer
                assert answer["device_id"] == "dev_1"
            assert status == 200
            assert answer["object"] == "price"
            assert "next_update" not in answer
            prices = [slot["price"]["value"] for slot in answer["data"]]
            assert prices == [slot["tariff"]["rate"] for slot in zero["data"]]
            local = {**body, "tariff_direction": "LOCAL"}
            path = f"/prices/{SWEDEN}" if release == "anode" else "/prices"
            assert (await caller.post(path, local))[1]["code"] == "no_tariff_connected"
            assert (await caller.post(path, {**body, "end_time": 5}))[1]["code"] == (
                "end_time_invalid"
            )
            async with caller.session.post(
                caller.url + path, json=body, headers={"Authorization": f"Bearer {caller.token}"}
            ) as response:
                assert len(parse_rates(await response.text(), Direction.EXPORT).rates) == 5

    run_virtual(story, NOW)


def test_a_status_can_have_errors_or_the_older_shape() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            path = f"/locations/{GERMANY}/status"
            caller.sandbox.faults.on("status_error", 1)
            _, status = await caller.get(path)
            assert status["tariff_status"]["commodity_import"]["status"] == "ERROR"
            caller.sandbox.faults.on("status_flat", 1)
            _, status = await caller.get(path)
            assert status["commodity_import"]["status"] == "CONNECTED"
            assert "tariff_status" not in status

    run_virtual(story, NOW)


def test_what_is_made_now_says_so() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            address = {"city": "Berlin", "country_code": "DE"}
            _, made = await caller.post("/locations", {"postal_address": address})
            assert made["time_created"] == "2026-01-16T10:00:00Z"
            _, packaged = await caller.get(f"/locations/{FLAT}")
            assert packaged["time_created"] == "2024-01-01T00:00:00Z"

    run_virtual(story, NOW)


def test_a_live_request_is_refused_in_live_mode() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            address = {"postal_address": {"city": "Berlin", "country_code": "DE"}}
            odd: list[dict[str, object]] = [
                {"customer_id": [1]},
                {"customer_id": {}},
                {"reference_id": 7},
            ]
            for fields in odd:
                status, error = await caller.post("/locations", fields | address)
                assert (status, error["object"], error["live_mode"]) == (422, "error", True)
            await caller.log_in(TEST_API_KEY)
            _, error = await caller.post("/locations", {"postal_address": 7})
            assert error["live_mode"] is False

    run_virtual(story, NOW)
