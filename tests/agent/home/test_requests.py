"""Requests of the owner: what they change, what is refused, when they end."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.errors import Refused
from agent.home.kinds import KINDS
from agent.home.requests import RequestContext, apply_request, echoed_id, read_request
from agent.home.stored_wishes import from_text, to_text
from agent.home.wishes import Wish, expired

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
SECTIONS: dict[str, dict[str, Any]] = {
    "ev_charger": {"id": "ev", "type": "ev_charger", "max_power_w": 7400, "battery_kwh": 60},
    "heat_pump": {"id": "hp", "type": "heat_pump", "power_w": 2000, "needs": [{"hours": 3}]},
    "program": {"id": "dw", "type": "program", "profile": [{"duration_s": 600, "power_w": 2000}]},
}


def context(kind: str = "ev_charger", soc: float | None = 40.0, **more: Any) -> RequestContext:
    found = KINDS[kind]
    section = found.section.model_validate(SECTIONS[kind])
    return RequestContext(
        device=section.id,
        kind=kind,
        keys=found.wish_keys(section),
        zone=LONDON,
        soc_percent=soc,
        has_stays=found.has_stays,
        **{"now": NOW, "counter_kwh": 2.5, **more},
    )


def ask(body: dict[str, object], wish: Wish | None = None, **more: Any) -> Wish:
    request = read_request(json.dumps(body).encode())
    return apply_request(request, wish or Wish(), context(**more)).wish


def after(wish: Wish, hours: float = 0, **more: bool) -> Wish:
    given = {"plugged": True, "session_over": False, "full": False, **more}
    return expired(wish, NOW + timedelta(hours=hours), **given)


def test_a_boost_without_an_end_lasts_a_day_at_most_or_until_full() -> None:
    wish = ask({"mode": "boost"})
    assert (wish.mode.name, wish.mode.until) == ("boost", NOW + timedelta(hours=24))
    assert after(wish).mode.name == "boost"
    assert after(wish, full=True).mode.name == "auto"
    assert after(wish, plugged=False, session_over=True).mode.name == "auto"
    assert after(wish, 24).mode.name == "auto"


def test_a_pause_for_an_hour_ends_by_itself_full_or_not() -> None:
    wish = ask({"mode": "pause", "for_s": 3600})
    assert after(wish, 0.98, full=True) == wish
    assert after(wish, 1, full=True).mode.name == "auto"


def test_an_end_may_be_a_clock_time() -> None:
    assert ask({"mode": "boost", "until": "22:30"}).mode.until == NOW.replace(hour=22, minute=30)


def test_a_clock_time_that_the_clock_change_skips_means_the_end_of_the_gap() -> None:
    night = datetime(2026, 3, 28, 22, tzinfo=UTC)
    wish = ask({"ready_by": "01:30"}, now=night)
    assert wish.values.ready_by == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_one_off_values_end_with_the_session_and_kept_ones_do_not() -> None:
    once = ask({"target_soc_percent": 100, "ready_by": "05:30", "price_cap": 0.2})
    assert once.values.ready_by == datetime(2026, 1, 17, 5, 30, tzinfo=UTC)
    assert after(once, plugged=False, session_over=True).values.target_soc_percent is None
    kept = ask({"target_soc_percent": 100, "keep": True})
    assert after(kept, plugged=False, session_over=True).values.target_soc_percent == 100


def test_keep_keeps_only_what_stands_in_the_same_message() -> None:
    wish = ask({"price_cap": 0.1})
    wish = ask({"target_soc_percent": 90, "keep": True}, wish)
    gone = after(wish, plugged=False, session_over=True)
    assert gone.values.price_cap is None
    assert gone.values.target_soc_percent == 90


def test_once_comes_before_what_is_kept_and_leaves_it_there() -> None:
    wish = ask({"target_soc_percent": 90, "keep": True})
    wish = ask({"target_soc_percent": 100}, wish)
    assert wish.values.target_soc_percent == 100
    assert after(wish, plugged=False, session_over=True).values.target_soc_percent == 90


def test_null_returns_a_key_to_the_config_and_reset_all_of_them() -> None:
    wish = ask({"target_soc_percent": 90, "price_cap": 0.1, "keep": True})
    cleared = ask({"price_cap": None}, wish)
    assert cleared.values.price_cap is None
    assert cleared.values.target_soc_percent == 90
    reset = ask({"reset": True}, ask({"mode": "boost"}, wish))
    assert not reset.holds_anything
    assert ask({"mode": None}, ask({"mode": "boost"})).mode.name == "auto"


def test_what_is_asked_while_away_holds_for_the_next_stay() -> None:
    wish = ask({"target_soc_percent": 100}, plugged=False)
    assert wish.pending
    still = after(wish, plugged=False, session_over=True)
    assert still.values.target_soc_percent == 100
    here = after(still, 2)
    assert not here.pending
    assert here.values.target_soc_percent == 100
    assert after(here, 9, plugged=False, session_over=True).values.target_soc_percent is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"ready_by": "25:00"}, "00:00"),
        ({"ready_by": "tomorrow"}, "neither a clock time"),
        (
            {"ready_by": "2026-01-16T19:00:00Z"},
            "next seven days; give a clock time such as .07:00. or an instant such as 2026",
        ),
        ({"ready_by": "9999-12-31T23:59:59-14:00"}, "ready_by"),
        ({"ready_by": "0001-01-01T00:00:00+14:00"}, "ready_by"),
        ({"ready_by": "2026-01-18T07:00:00Z", "keep": True}, "give a clock time"),
        ({"target_soc_percent": 30}, "below the present"),
        ({"target_soc_percent": 101}, "is 101; expected at most 100"),
        ({"colour": "red"}, "colour: is not known"),
        ({"mode": "turbo"}, "mode: is 'turbo'"),
        ({"mode": "boost", "until": "2026-01-19T00:00:00Z"}, "next 24 hours; give a clock time"),
        ({"mode": "boost", "until": "2026-01-16T20:00:00"}, "until"),
        ({"for_s": 60}, "go with a mode"),
        ({"start": True}, "does not know it"),
        ({"hours": 1}, "does not know it"),
        ({"comfort_min_c": 20}, "does not know it"),
        ({"reset": False}, "reset"),
        ({}, "asks for nothing"),
        ({"keep": True}, "asks for nothing"),
    ],
)
def test_refused_with_the_reason(body: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        ask(body)


def test_a_request_that_is_too_long_or_no_json_is_refused() -> None:
    with pytest.raises(Refused, match="at most 4096"):
        read_request(b" " * 5000)
    for broken in (b"{", b"[]", b"null", b"\xff", b'{"mode": ' + b"[" * 2000):
        with pytest.raises(Refused):
            read_request(broken)


@pytest.mark.parametrize(
    ("given", "echoed"),
    [("a-1", "a-1"), ("x" * 64, "x" * 64), ("x" * 65, None), ("a\nb", None), (5, None)],
)
def test_an_id_is_echoed_where_it_may_stand_in_an_answer(given: object, echoed: str | None) -> None:
    assert ask({"id": given, "mode": "auto"}).id == echoed


def test_an_id_of_half_a_surrogate_pair_is_refused_and_not_echoed() -> None:
    with pytest.raises(Refused):
        read_request(b'{"id": "\\ud800", "mode": "auto"}')
    assert echoed_id(b'{"id": "\\ud800"}') is None


def test_a_heat_pump_takes_no_soc_and_a_program_takes_start() -> None:
    with pytest.raises(Refused, match="target_soc_percent"):
        ask({"target_soc_percent": 80}, kind="heat_pump")
    assert ask({"hours": 2}, kind="heat_pump").values.hours == 2
    assert ask({"start": True}, kind="program").loaded_at == NOW


def test_a_wish_survives_the_store() -> None:
    wish = ask({"mode": "boost", "for_s": 600, "ready_by": "07:15", "keep": True, "price_cap": 0.1})
    wish = ask({"target_soc_percent": 100, "id": "é"}, wish, plugged=False)
    assert from_text(to_text(wish)) == wish
    assert from_text(to_text(Wish())) == Wish()


def test_a_wish_of_an_earlier_version_is_understood() -> None:
    old = '{"mode":"boost","until":"2026-01-17T20:00:00+00:00","mode_open":true,"price_cap":"0.1"}'
    wish = from_text(old)
    assert (wish.mode.name, wish.mode.open_ended) == ("boost", True)
    assert wish.values.price_cap == Decimal("0.1")


def test_a_stored_wish_that_cannot_be_believed_says_no() -> None:
    rng = random.Random(3)
    good = to_text(ask({"mode": "boost", "ready_by": "07:15", "price_cap": 0.1, "id": "x"}))
    for _ in range(2000):
        place = rng.randrange(len(good))
        damaged = good[:place] + chr(rng.randrange(32, 300)) + good[place + 1 :]
        try:
            wish = from_text(damaged)
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):
            continue
        after(wish, 5)
