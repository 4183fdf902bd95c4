"""The picture of prices and plan: one time axis, what is estimated paler, no more than fits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from agent.energy.instants import to_unix_floor
from agent.energy.rates import Rate
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.energy.view import DeviceView, Planned
from integrations.homeassistant.chart import price_chart
from tests.integrations.homeassistant.test_appliance import VIEW

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 15, 16, 20, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def rates(count: int, minutes: int = 60, price: str = "0.2", sure: int = 99) -> list[Rate]:
    first, step = NOW.replace(minute=0), timedelta(minutes=minutes)
    return [
        Rate(first + step * n, first + step * (n + 1), Decimal(price), 1.0 if n < sure else 0.5)
        for n in range(count)
    ]


def running(device: str) -> DeviceView:
    """One that runs for an hour, two hours from now."""
    start = to_unix_floor(NOW) + 7200
    slot = ScheduleSlot(start, start + 3600, "charge", 800, Decimal("0.8"), None, "cheapest")
    schedule = Schedule(
        device=device,
        device_type=VIEW.profile.type,
        revision=7,
        issued_at=to_unix_floor(NOW),
        valid_from=to_unix_floor(NOW) - 300,
        valid_until=start + 90_000,
        currency="EUR",
        slots=(slot,),
        default=VIEW.profile.default,
        offline=VIEW.profile.offline,
    )
    return replace(VIEW, id=device, planned=Planned(schedule=schedule))


def drawn(prices: list[Rate], *views: DeviceView) -> ElementTree.Element:
    return ElementTree.fromstring(price_chart(prices, views, NOW, BERLIN, "EUR/kWh"))


def texts(picture: ElementTree.Element) -> list[str]:
    return [item.text or "" for item in picture.iter(f"{SVG}text")]


def classes(picture: ElementTree.Element) -> list[str | None]:
    return [item.get("class") for item in picture.iter(f"{SVG}path")]


def test_what_is_estimated_is_paler_and_hours_are_local() -> None:
    picture = drawn(rates(24, sure=8))
    assert {"p", "e"} <= set(classes(picture))
    assert "18:00" in texts(picture)
    assert "Fri" in texts(picture)
    assert "e" not in classes(drawn(rates(8)))


def test_each_device_with_a_plan_has_a_lane() -> None:
    picture = drawn(rates(24), running("ev2"), VIEW)
    assert "EV 2" in texts(picture)
    assert "Pump" not in texts(picture)
    assert len(list(picture.iter(f"{SVG}rect"))) == 1


def test_prices_below_zero_hang_from_the_line_of_zero() -> None:
    prices = [*rates(2), *[replace(item, price=Decimal("-0.1")) for item in rates(4)[2:]]]
    assert {"0.200", "-0.100"} <= set(texts(drawn(prices)))


def test_without_prices_there_is_no_picture() -> None:
    assert price_chart([], [VIEW], NOW, BERLIN, "EUR/kWh") == ""
    unknown = [replace(item, confidence=0.0) for item in rates(3)]
    assert price_chart(unknown, [], NOW, BERLIN, "EUR/kWh") == ""


def test_two_days_of_quarter_hours_stay_small() -> None:
    text = price_chart(rates(192, 15), [VIEW], NOW, BERLIN, "EUR/kWh")
    assert len(text.encode()) < 16_384
