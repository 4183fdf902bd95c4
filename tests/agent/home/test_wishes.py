"""Requests of the owner: what they change, what is refused, when they end."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agent.config.devices import EvCharger, HeatPump, ProgramAppliance
from agent.errors import Refused
from agent.home.wishes import Wish, apply_request, expired, from_text, read_request, to_text

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
EV = EvCharger(id="ev", type="ev_charger", max_power_w=7400, battery_kwh=Decimal(60))
PUMP = HeatPump.model_validate(
    {"id": "hp", "type": "heat_pump", "power_w": 2000, "needs": [{"hours": 3}]}
)
DISHES = ProgramAppliance.model_validate(
    {"id": "dw", "type": "program", "profile": [{"duration_s": 600, "power_w": 2000}]}
)


def ask(
    body: dict[str, object],
    wish: Wish | None = None,
    section: EvCharger | HeatPump | ProgramAppliance = EV,
    soc: float | None = 40.0,
) -> Wish:
    request = read_request(json.dumps(body).encode())
    return apply_request(
        request, wish or Wish(), section, now=NOW, zone=LONDON, soc_percent=soc, session_kwh=2.5
    ).wish


def test_a_boost_without_an_end_lasts_a_day_at_most_or_until_full() -> None:
    wish = ask({"mode": "boost"})
    assert (wish.mode, wish.until, wish.open_ended) == ("boost", NOW + timedelta(hours=24), True)
    assert expired(wish, NOW, session_over=False, full=False).mode == "boost"
    assert expired(wish, NOW, session_over=False, full=True).mode == "auto"
    assert expired(wish, NOW, session_over=True, full=False).mode == "auto"
    assert expired(wish, NOW + timedelta(hours=24), session_over=False, full=False).mode == "auto"


def test_a_pause_for_an_hour_ends_by_itself_full_or_not() -> None:
    wish = ask({"mode": "pause", "for_s": 3600})
    assert expired(wish, NOW + timedelta(minutes=59), session_over=False, full=True) == wish
    assert expired(wish, NOW + timedelta(hours=1), session_over=False, full=True).mode == "auto"


def test_one_off_values_end_with_the_session_and_kept_ones_do_not() -> None:
    once = ask({"target_soc_percent": 100, "ready_by": "05:30", "price_cap": 0.2})
    assert once.ready_by == datetime(2026, 1, 17, 5, 30, tzinfo=UTC)
    assert expired(once, NOW, session_over=True, full=False).target_soc_percent is None
    kept = ask({"target_soc_percent": 100, "keep": True})
    assert expired(kept, NOW, session_over=True, full=False).target_soc_percent == 100


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"ready_by": "25:00"}, "00:00 to 23:59"),
        ({"ready_by": "tomorrow"}, "neither a clock time"),
        ({"ready_by": "2026-01-16T19:00:00Z"}, "within the next seven days"),
        ({"target_soc_percent": 30}, "below the present"),
        ({"target_soc_percent": 101}, "less than or equal to 100"),
        ({"colour": "red"}, "colour"),
        ({"mode": "turbo"}, "mode"),
        ({"mode": "boost", "until": "2026-01-19T00:00:00Z"}, "next 24 hours"),
        ({"mode": "boost", "until": "2026-01-16T20:00:00"}, "until"),
        ({"for_s": 60}, "go with a mode"),
        ({"start": True}, "does not know it"),
        ({}, "asks for nothing"),
    ],
)
def test_refused_with_the_reason(body: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        ask(body)


def test_a_request_that_is_too_long_or_no_json_is_refused() -> None:
    with pytest.raises(Refused, match="at most 4096"):
        read_request(b" " * 5000)
    with pytest.raises(Refused):
        read_request(b"{")


def test_a_heat_pump_takes_no_soc_and_a_program_takes_start() -> None:
    with pytest.raises(Refused, match="target_soc_percent"):
        ask({"target_soc_percent": 80}, section=PUMP)
    assert ask({"start": True}, section=DISHES).loaded_at == NOW


def test_a_wish_survives_the_store() -> None:
    wish = ask({"mode": "boost", "for_s": 600, "ready_by": "07:15", "keep": True, "price_cap": 0.1})
    assert from_text(to_text(wish)) == wish
    assert from_text(to_text(Wish())) == Wish()
