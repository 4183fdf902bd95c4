"""The wall clock is set while a device is watched: what it took, and what it says next."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.energy.readings import Reading
from agent.home.model.clock_changes import ClockJump, move_with_clock
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits

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
    taken = sum(span.energy_kwh for span in model.pop_booked())
    assert taken == pytest.approx(11.0, abs=0.2)


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


def test_what_an_earlier_life_has_stored_stays_where_it_was() -> None:
    """A gateway without a clock of its own begins in 1970."""
    model = DeviceModel("ev", TRAITS)
    stored = Reading("soc_percent", 40.0, START - HOUR)
    model.readings["soc_percent"] = stored
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    say(model, epoch + timedelta(minutes=3), 0.0, 0)
    move_with_clock(model, ClockJump(epoch, epoch + timedelta(minutes=3), START - epoch))
    assert model.readings["soc_percent"] == stored
    assert model.readings["plugged"].at == START + timedelta(minutes=3)
