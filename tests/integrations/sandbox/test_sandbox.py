"""The sandbox has FlatPeak's manners."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.clock import SteppedClock
from agent.energy.rates import Direction
from integrations.sandbox.locations import PRICES, Location, built_in, from_file
from integrations.sandbox.series import FileSeries, PriceFile
from integrations.sandbox.server import TEST_API_KEY
from integrations.tariffs.flatpeak import parse_rates
from tests.fakes.sandbox_caller import calling
from tests.fakes.virtual_loop import run_virtual

GERMANY, SWEDEN, QUARTERS, FLAT, BRITAIN, SYDNEY, POUNDS = (place.id for place in built_in())


WINTER = datetime(2026, 1, 16, 10, tzinfo=UTC)


def test_login_tells_test_from_live_and_tokens_expire() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            assert (await caller.log_in(TEST_API_KEY))["live_mode"] is False
            answer = await caller.log_in()
            assert answer["live_mode"] is True
            assert answer["expires_in"] == 3600
            assert (await caller.get("/locations"))[0] == 200
            await clock.sleep(3600)
            assert await caller.get("/locations") == (403, {"message": "Bad credentials"})
            assert await caller.log_in("sk_test_wrong") == {"message": "Bad credentials"}

    run_virtual(story, WINTER)


def test_the_documentations_clock_change_example() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            path = f"/tariffs/rates/{FLAT}"
            start, end = "2025-03-30T00:00:00+01:00", "2025-03-30T04:00:00+02:00"
            query = {"start_time": start, "end_time": end}
            headers = {"Authorization": f"Bearer {caller.token}"}
            async with caller.session.get(
                caller.url + path, params=query, headers=headers
            ) as response:
                text = await response.text()
                answer = await response.json()
        assert answer["data"] == [
            {
                "valid_from": "2025-03-30T01:00:00+02:00",
                "valid_to": "2025-03-30T04:00:00+02:00",
                "tariff": {"rate": 0.02, "confidence": 1.0},
            }
        ]
        assert answer["request"]["start_time"] == start
        assert answer["request"]["end_time"] == end
        assert answer["next_update"].endswith("+02:00")
        (rate,) = parse_rates(text, Direction.IMPORT).rates
        assert rate.end - rate.start == timedelta(hours=3)

    run_virtual(story, datetime(2025, 3, 29, 21, 30, tzinfo=UTC))


def test_strict_offsets_refuse_a_mixture() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock, strict_offsets=True) as caller:
            status, answer = await caller.get(
                f"/tariffs/rates/{FLAT}",
                start_time="2025-03-30T00:00:00+01:00",
                end_time="2025-03-30T04:00:00+02:00",
            )
            assert (status, answer["code"]) == (400, "offsets_differ")

    run_virtual(story, WINTER)


@pytest.mark.parametrize(
    ("place", "start", "end", "hours"),
    [
        (GERMANY, "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 23),
        (GERMANY, "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 25),
        (SWEDEN, "2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00", 25),
        (QUARTERS, "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 23),
        (BRITAIN, "2026-10-25T00:00:00+01:00", "2026-10-26T00:00:00Z", 25),
        (SYDNEY, "2026-04-05T00:00:00+11:00", "2026-04-06T00:00:00+10:00", 25),
        (SYDNEY, "2026-10-04T00:00:00+10:00", "2026-10-05T00:00:00+11:00", 23),
    ],
)
def test_days_of_23_and_25_hours_are_whole(place: str, start: str, end: str, hours: int) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            slots = (await caller.rates(place, start, end))["data"]
        assert all(a["valid_to"] == b["valid_from"] for a, b in pairwise(slots))
        offset = end[19:]
        assert all(
            slot[name].endswith(offset) for slot in slots for name in slot if "valid" in name
        )
        first, last = slots[0]["valid_from"], slots[-1]["valid_to"]
        length = datetime.fromisoformat(last) - datetime.fromisoformat(first)
        assert length == timedelta(hours=hours)

    run_virtual(story, datetime(2026, 11, 1, tzinfo=UTC))


def test_the_market_publishes_tomorrow_at_13_local() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            window = ("2026-01-16T10:15:00Z", "2026-01-18T10:00:00Z")
            before = await caller.rates(GERMANY, *window)
            assert before["data"][0]["valid_from"] == "2026-01-16T10:15:00Z"
            assert before["data"][-1]["valid_to"] == "2026-01-16T23:00:00Z"
            assert before["last_updated"] == "2026-01-15T12:00:00Z"
            assert before["next_update"] == "2026-01-16T12:00:00Z"
            await clock.sleep_until(datetime(2026, 1, 16, 12, tzinfo=UTC))
            await caller.log_in()
            after = await caller.rates(GERMANY, *window)
            assert after["data"][-1]["valid_to"] == "2026-01-17T23:00:00Z"
            assert after["next_update"] == "2026-01-17T12:00:00Z"

    run_virtual(story, WINTER)


def test_publication_can_be_late_and_predictions_can_stand_in() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock, publish_at=time(23), predictions=True) as caller:
            answer = await caller.rates(GERMANY, "2026-01-16T22:00:00Z", "2026-01-17T01:00:00Z")
            assert answer["next_update"] == "2026-01-16T22:00:00Z"
            assert [slot["tariff"]["confidence"] for slot in answer["data"]] == [1.0, 0.6, 0.6]

    run_virtual(story, WINTER + timedelta(hours=5))


def germany_2024() -> FileSeries:
    return FileSeries(PriceFile.read(PRICES / "prices_DE-LU_EUR_PT1H_2024_day-ahead.csv.gz"))


def test_prices_keep_their_weekday_season_and_hour() -> None:
    germany = next(place for place in built_in() if place.id == GERMANY)
    zone = ZoneInfo("Europe/Berlin")
    noon = datetime(2026, 7, 12, 13, tzinfo=zone)  # a Sunday in summer
    (slot,) = germany.series["IMPORT"].slots(noon.astimezone(UTC), noon + timedelta(hours=1))
    original = datetime(2024, 7, 14, 13, tzinfo=zone).astimezone(UTC)
    assert original.weekday() == noon.weekday()
    (source,) = germany_2024().slots(original, original + timedelta(hours=1))
    assert slot.price == source.price


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "end_time_missing"),
        ({"end_time": "tomorrow"}, "end_time_invalid"),
        ({"end_time": "2026-01-16 12:00:00Z"}, "end_time_invalid"),
        ({"end_time": "2026-01-16T12:00:00"}, "end_time_invalid"),
        ({"end_time": "2026-01-16T09:00:00Z"}, "end_time_invalid"),
        ({"end_time": "2026-09-16T09:00:00Z"}, "window_too_long"),
        ({"end_time": "2026-01-16T12:00:00Z", "direction": "LOCAL"}, "tariff_direction_invalid"),
        ({"end_time": "2026-01-16T12:00:00Z", "include_tariff": "1"}, "include_tariff_invalid"),
    ],
)
def test_requests_that_make_no_sense_are_told_so(query: dict[str, str], code: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            status, answer = await caller.get(f"/tariffs/rates/{GERMANY}", **query)
            assert status in (400, 422)
            assert (answer["object"], answer["code"]) == ("error", code)

    run_virtual(story, WINTER)


def test_start_defaults_to_now_and_fractions_are_not_echoed() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            path = f"/tariffs/rates/{FLAT}"
            _, answer = await caller.get(path, end_time="2026-01-16T12:00:00.250Z")
            assert answer["request"]["end_time"] == "2026-01-16T12:00:00Z"
            assert answer["data"][0]["valid_from"] == "2026-01-16T10:00:00Z"

    run_virtual(story, WINTER)


def test_unknown_locations_and_missing_directions() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            end = "2026-01-16T12:00:00Z"
            assert await caller.get("/tariffs/rates/loc_0", end_time=end) == (
                404,
                {"message": "Not Found"},
            )
            path = f"/tariffs/rates/{FLAT}"
            status, answer = await caller.get(path, end_time=end, direction="EXPORT")
            assert (status, answer["code"]) == (422, "no_tariff_connected")

    run_virtual(story, WINTER)


def test_objects_and_their_pages() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            _, first = await caller.get("/locations", limit="4")
            assert (len(first["data"]), first["has_more"]) == (4, True)
            last = first["data"][-1]["id"]
            _, second = await caller.get("/locations", limit="4", starting_after=last)
            assert (len(second["data"]), second["has_more"]) == (3, False)
            seen = [place["id"] for place in first["data"] + second["data"]]
            assert seen == sorted(seen, reverse=True)
            _, back = await caller.get("/locations", ending_before=second["data"][0]["id"])
            assert [place["id"] for place in back["data"]] == seen[:4]
            status, _ = await caller.get("/locations", starting_after=last, ending_before=last)
            assert status == 400

            _, location = await caller.get(f"/locations/{GERMANY}")
            assert location["timezone"] == "Europe/Berlin"
            _, state = await caller.get(f"/locations/{GERMANY}/status")
            assert state["tariff_status"]["commodity_export"]["status"] == "CONNECTED"
            _, tariffs = await caller.get(
                "/tariffs/elements", location_id=GERMANY, direction="IMPORT"
            )
            assert [tariff["direction"] for tariff in tariffs["data"]] == ["IMPORT"]
            assert tariffs["data"][0]["id"] in location["tariff_elements"]
            _, events = await caller.get("/events", object_id=GERMANY)
            assert [event["type"] for event in events["data"]] == ["location.create"]
            _, customers = await caller.get("/customers")
            assert customers["data"][0]["id"] == location["customer_id"]

    run_virtual(story, WINTER)


def test_faults_are_listed_switched_counted_and_cleared() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            _, listing = await caller.get("/_sandbox/faults")
            assert all(fault["description"] and not fault["on"] for fault in listing)
            await caller.post("/_sandbox/faults", {"name": "server_error", "times": 2})
            statuses = [(await caller.get("/customers"))[0] for _ in range(3)]
            assert statuses == [500, 500, 200]
            await caller.post("/_sandbox/faults", {"name": "server_error"})
            await caller.post("/_sandbox/faults", {"name": "server_error", "on": False})
            assert (await caller.get("/customers"))[0] == 200
            bad: object
            for bad in ({"name": "gremlins"}, {"times": 1}, [], {"name": "slow", "times": 0}):
                assert (await caller.post("/_sandbox/faults", bad))[0] == 400
            _, calls = await caller.get("/_sandbox/calls")
            assert [call["path"] for call in calls] == ["/login", *["/customers"] * 4]

    run_virtual(story, WINTER)


def test_a_price_file_is_served_at_its_own_dates() -> None:
    place: Location = from_file(PRICES / "prices_SE3_EUR_PT1H_2024_day-ahead.csv.gz")

    async def story(clock: SteppedClock) -> None:
        async with calling(clock, locations=[place]) as caller:
            answer = await caller.rates(
                place.id, "2024-06-01T10:30:00Z", "2024-06-05T00:00:00Z", direction="EXPORT"
            )
            assert answer["location_timezone"] == "Europe/Stockholm"
            assert answer["data"][0]["valid_from"] == "2024-06-01T10:30:00Z"
            assert answer["data"][-1]["valid_to"] == "2024-06-01T22:00:00Z"

    run_virtual(story, datetime(2024, 6, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize("name", ["prices.csv.gz", "weather_DK-Aarhus_PT1H_2024.csv.gz"])
def test_a_file_with_another_name_is_refused(name: str, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="expected a name like"):
        from_file(tmp_path / name)


def test_events_happen_when_they_are_asked_for() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            await clock.sleep(60)
            body = {"type": "tariff.expiring", "location_id": GERMANY}
            assert (await caller.post("/_sandbox/events", body))[0] == 200
            _, events = await caller.get("/events", object_id=GERMANY)
            newest = events["data"][0]
            assert (newest["type"], newest["data"]["location_id"]) == ("tariff.expiring", GERMANY)
            assert newest["time_created"] == "2026-01-16T10:01:00Z"
            _, others = await caller.get("/events", event_type="tariff.expired")
            assert others["data"] == []
            bad: object
            for bad in ({"type": "tariff.expired"}, {"type": "x", "location_id": "loc_0"}, []):
                assert (await caller.post("/_sandbox/events", bad))[0] == 400

    run_virtual(story, WINTER)


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        ("", "2026-01-17T23:00:00Z"),
        ("prices_late", "2026-01-16T23:00:00Z"),
        ("rates_withdrawn", "2026-01-16T23:00:00Z"),
        ("short_horizon", "2026-01-16T18:00:00Z"),
    ],
)
def test_prices_can_be_late_withdrawn_or_few(fault: str, last: str) -> None:
    """Ten minutes after the publication; next_update names the next one in any case."""

    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            if fault:
                await caller.post("/_sandbox/faults", {"name": fault})
            answer = await caller.rates(GERMANY, "2026-01-16T12:00:00Z", "2026-01-18T12:00:00Z")
            assert answer["data"][-1]["valid_to"] == last
            assert answer["next_update"] == "2026-01-17T12:00:00Z"

    run_virtual(story, datetime(2026, 1, 16, 12, 10, tzinfo=UTC))


def test_the_answers_of_a_test_key_say_so() -> None:
    async def story(clock: SteppedClock) -> None:
        async with calling(clock) as caller:
            window = ("2026-01-16T10:00:00Z", "2026-01-16T11:00:00Z")
            assert (await caller.rates(FLAT, *window))["live_mode"] is True
            await caller.log_in(TEST_API_KEY)
            assert (await caller.rates(FLAT, *window))["live_mode"] is False

    run_virtual(story, WINTER)
