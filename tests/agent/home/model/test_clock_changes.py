"""The wall clock is set while a device is watched: what it took, and what it says next."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.contracts.wire import Request
from agent.energy.readings import Reading
from agent.home.model.clock_changes import ClockJump, move_with_clock, moved_wish
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits
from agent.home.requests import RequestContext, apply_request, read_request
from agent.home.stored_wishes import from_text, to_text
from agent.home.wishes import Wish

START = datetime(2026, 1, 15, 22, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TRAITS = Traits(max_power_w=11_000.0, has_stays=True)


def say(
    model: DeviceModel, now: datetime, kwh: float, power_w: float, *, in_car: bool = True
) -> None:
    for kind, value in (("plugged", in_car), ("power_w", power_w), ("energy_kwh", kwh)):
        model.report(Reading(kind, value, now), now)
    model.advance(now)


@pytest.mark.parametrize("by", [DAY, -DAY, HOUR, -HOUR, 365 * DAY], ids=str)
def test_a_charge_goes_on_as_if_the_clock_had_always_been_right(by: timedelta) -> None:
    model = DeviceModel("ev", TRAITS)
    for minute in range(31):
        say(model, START + timedelta(minutes=minute), minute * 11 / 60, 11_000)
    before = START + timedelta(minutes=30)
    move_with_clock(model, ClockJump(START, before, by))
    for minute in range(31, 61):
        say(model, START + by + timedelta(minutes=minute), minute * 11 / 60, 11_000)
    end = START + by + timedelta(minutes=61)
    say(model, end, 11.0, 0, in_car=False)
    assert model.session_kwh == 0
    assert not model.plugged(end)
    spans = model.pop_booked()
    assert spans == model.pop_unassigned()
    taken = sum(span.energy_kwh for span in spans)
    assert taken == pytest.approx(11.0, abs=0.2)


@pytest.mark.parametrize("by", [timedelta(minutes=20), timedelta(minutes=-20)], ids=str)
def test_a_stay_that_a_loose_plug_broke_off_moves_once(by: timedelta) -> None:
    model = DeviceModel("ev", TRAITS)
    for minute in range(61):
        in_car = minute != 30
        say(model, START + timedelta(minutes=minute), 0.0, 0, in_car=in_car)
    assert model.session.since == START
    move_with_clock(model, ClockJump(START, START + timedelta(minutes=60), by))
    assert model.session.since == START + by


@pytest.mark.parametrize("by", [DAY, -DAY], ids=str)
def test_what_does_not_follow_is_tried_again_after_half_an_hour_by_any_clock(by: timedelta) -> None:
    model = DeviceModel("ev", TRAITS)
    for minute in range(12):
        model.following.observe(11_000, 0, 50.0, START + timedelta(minutes=minute))
    now = START + timedelta(minutes=12)
    assert model.following.holds_still(now)
    move_with_clock(model, ClockJump(START, now, by))
    assert model.following.holds_still(now + by)
    assert not model.following.holds_still(now + by + timedelta(minutes=30))


BERLIN = ZoneInfo("Europe/Berlin")
# Of a device without stays, for it is those whose wishes end by time alone.
KEYS = frozenset(Request.model_fields) - {"start"}
HEATER = RequestContext("heater", "heat_pump", KEYS, START, BERLIN)


def asked(body: str, wish: Wish | None = None) -> Wish:
    wish = apply_request(read_request(body.encode()), wish or Wish(), HEATER).wish
    # A restart between the request and the news that the clock is wrong changes nothing.
    return from_text(to_text(wish))


@pytest.mark.parametrize("by", [DAY, -DAY, timedelta(hours=5), timedelta(hours=-5)], ids=str)
def test_a_wish_for_so_long_lasts_so_long_whatever_clock_it_was_reckoned_by(by: timedelta) -> None:
    jump = ClockJump(START - HOUR, START + HOUR / 2, by)
    boost = asked('{"mode": "boost", "for_s": 3600}')
    assert moved_wish(boost, jump, BERLIN).mode.until == START + HOUR + by
    # Without an end it is a day, of once as of a boost.
    for body in ('{"mode": "boost"}', '{"hours": 1}'):
        moved = moved_wish(asked(body), jump, BERLIN)
        assert START + DAY + by in (moved.mode.until, moved.once_until)
    warm = asked('{"comfort_min_c": 21, "for_s": 7200}')
    assert moved_wish(warm, jump, BERLIN).once.comfort_until == START + 2 * HOUR + by
    # Asked by another request, and by this clock once more: each end keeps its own beginning.
    both = asked('{"price_cap": 0.2}', boost)
    again = moved_wish(both, jump, BERLIN)
    assert again.mode.until == START + HOUR + by
    assert moved_wish(again, ClockJump(START + by - HOUR, START + by + HOUR, -by), BERLIN).mode == (
        both.mode
    )


def test_a_clock_time_stays_that_clock_time_and_an_instant_that_instant() -> None:
    # 23:00 in Berlin, in truth 09:00 two days later.
    jump = ClockJump(START - HOUR, START + HOUR / 2, timedelta(hours=34))
    pause = asked('{"mode": "pause", "until": "23:30", "ready_by": "07:00"}')
    assert pause.mode.until == START + HOUR / 2
    moved = moved_wish(pause, jump, BERLIN)
    assert moved.mode.until == datetime(2026, 1, 17, 22, 30, tzinfo=UTC)
    assert moved.once.ready_by == datetime(2026, 1, 18, 6, tzinfo=UTC)
    fixed = asked('{"mode": "pause", "until": "2026-01-16T07:00:00Z"}')
    assert moved_wish(fixed, jump, BERLIN).mode == fixed.mode


def test_what_was_asked_in_an_earlier_life_stays() -> None:
    boost = asked('{"mode": "boost", "for_s": 3600}')
    later = ClockJump(START + HOUR / 4, START + HOUR / 2, DAY)
    assert moved_wish(boost, later, BERLIN) == boost


def test_what_an_earlier_life_has_stored_stays_where_it_was() -> None:
    """A gateway without a clock of its own begins in 1970."""
    model = DeviceModel("ev", TRAITS)
    stored = Reading("soc_percent", 40.0, START - HOUR)
    model.readings.by_kind["soc_percent"] = stored
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    say(model, epoch + timedelta(minutes=3), 0.0, 0)
    move_with_clock(model, ClockJump(epoch, epoch + timedelta(minutes=3), START - epoch))
    assert model.readings.by_kind["soc_percent"] == stored
    assert model.readings.by_kind["plugged"].at == START + timedelta(minutes=3)
