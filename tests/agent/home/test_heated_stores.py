"""A heated house and a tank: what they ask of the planner, what they are told, what people ask."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from agent.config.faults import faults_of
from agent.config.heat import HeatStoreSection
from agent.contracts.schedule import compact_document
from agent.dispatch.blocks import BlockHistory
from agent.dispatch.schedules import ScheduleContext, schedule_for
from agent.energy.instants import to_unix_floor
from agent.energy.plan import DevicePlan, Engine, Slot, Status
from agent.energy.readings import Reading, Unreadable
from agent.energy.schedule import (
    DefaultCommand,
    DeviceType,
    OfflineRule,
    Schedule,
    ScheduleSlot,
)
from agent.energy.situation import Thermal
from agent.errors import Refused
from agent.home.kinds import KINDS
from agent.home.model import stored
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput
from agent.home.requests import RequestContext, apply_request, read_request
from agent.home.stored_wishes import from_text, to_text
from agent.home.wishes import ModeWish, Wish, expired
from integrations.registry import AgentConfig
from tests.agent.home.test_kinds import EVENING, MINUTE, ask, boost, model_of, section

NOW = to_unix_floor(EVENING)
HOUR = 3600
HOURS = timedelta(hours=1)


def house(**values: Any) -> HeatStoreSection:
    found = section(id="heating", type="house_heat_pump", **{"power_w": 3000, **values})
    assert isinstance(found, HeatStoreSection)
    return found


def tank(**values: Any) -> HeatStoreSection:
    found = section(
        id="tank", type="hot_water_tank", **{"power_w": 2000, "litres": 200, "persons": 3, **values}
    )
    assert isinstance(found, HeatStoreSection)
    return found


def at(one: HeatStoreSection, temperature: float, when: datetime = EVENING) -> DeviceModel:
    model = model_of(one)
    model.report(Reading("temperature_c", temperature, when), when)
    return model


def thermal(wanted: PlanningInput) -> Thermal:
    assert isinstance(wanted.device, Thermal)
    return wanted.device


def asked(one: HeatStoreSection) -> PlanningInput:
    return ask(one, at(one, 20.0), EVENING)


def band(device: Thermal, hours: float) -> tuple[float, float]:
    """The comfort that is asked so long from now."""
    second = NOW + int(hours * HOUR)
    [span] = [span for span in device.comfort if span.start <= second < span.end]
    assert span.min_c is not None
    assert span.max_c is not None
    return float(span.min_c), float(span.max_c)


def requested(one: HeatStoreSection, wish: Wish | None = None, **body: Any) -> Wish:
    kind = KINDS[one.type]
    context = RequestContext(
        one.id, one.type, kind.wish_keys(one), EVENING, ZoneInfo("Europe/London")
    )
    request = read_request(json.dumps(body).encode())
    out = apply_request(request, wish or Wish(), context).wish
    kind.check_request(one, request, out)
    return out


def told_to_heat(device: str, *slots: ScheduleSlot) -> Schedule:
    """All the time, where no slots are given."""
    all_day = ScheduleSlot(NOW, NOW + 24 * HOUR, "boost", 2000, Decimal(48), None, "cheapest")
    return Schedule(
        device=device,
        device_type=DeviceType.WATER_HEATING,
        revision=NOW,
        issued_at=NOW,
        valid_from=NOW - 300,
        valid_until=NOW + 24 * HOUR,
        currency="EUR",
        slots=slots or (all_day,),
        default=DefaultCommand("normal", 0),
        offline=OfflineRule(900, "normal", 0),
    )


# --- what is asked of the planner ---------------------------------------------------------------


def test_a_house_of_a_type_and_an_area_is_a_store_with_a_loss() -> None:
    old = thermal(asked(house(house={"type": "detached_1960", "area_m2": 140})))
    new = thermal(asked(house(house={"type": "detached_new", "area_m2": 140})))
    assert old.loss_w_per_c > 2 * new.loss_w_per_c > 0
    known = house(
        house={"design_loss_kw": 8, "design_outdoor_c": -12, "capacity_kwh_per_c": 5, "gains_w": 0}
    )
    device = thermal(asked(known))
    assert device.loss_w_per_c == 250
    assert (device.capacity_kwh_per_c, device.gains_w) == (Decimal(5), Decimal(0))
    assert len(device.cop) > 1
    assert len(device.outdoor) > 10


AT_20 = (at(house(), 20.0), EVENING)


def test_comfort_follows_the_day_and_the_week() -> None:
    one = house(
        comfort=[
            {"start": "06:00", "end": "09:00", "min_c": 20, "max_c": 22, "days": ["fri", "mon"]},
            {"start": "16:00", "end": "00:30", "min_c": 21, "max_c": 23},
        ],
        setback={"min_c": 17, "max_c": 22},
    )
    device = thermal(ask(one, *AT_20))
    # A Friday at six in the evening; over midnight; the night; a Saturday morning.
    assert [band(device, hours) for hours in (0, 6, 7, 13)] == [
        *((21, 23), (21, 23)),
        *((17, 22), (17, 22)),
    ]
    assert {b.end for b in device.comfort[:-1]} == {a.start for a in device.comfort[1:]}


def test_while_everybody_is_away_the_setback_is_enough_and_it_is_warm_when_they_are_back() -> None:
    back = EVENING + 20 * HOURS
    device = thermal(ask(house(), at(house(), 20.0), EVENING, away=back))
    assert band(device, 1) == (18, 22.5)
    assert band(device, 14) == (18, 22.5)
    assert band(device, 20) == (20, 22.5)
    drawn = thermal(ask(tank(), at(tank(), 50.0), EVENING, away=back)).draw
    assert drawn[0].start >= to_unix_floor(back)


def test_a_tank_is_drawn_from_every_day_and_as_much_as_its_people_do() -> None:
    three = thermal(ask(tank(), at(tank(), 50.0), EVENING)).draw
    six = thermal(ask(tank(persons=6), at(tank(), 50.0), EVENING)).draw
    a_day = sum(d.power_w * (d.end - d.start) for d in three if d.start >= NOW + 6 * HOUR) / 2
    assert a_day / 3_600_000 == pytest.approx(Decimal("4.8"), rel=Decimal("0.35"))
    assert six[-1].power_w == 2 * three[-1].power_w


def test_hygiene_comes_by_our_programme_alone_and_counts_what_was_hot() -> None:
    ours = tank(hygiene={"programme": "ours", "every_days": 2, "hold_s": 1200})
    model = at(ours, 50.0)
    first = thermal(ask(ours, model, EVENING)).hygiene
    assert first is not None
    assert first.by == NOW + 48 * HOUR
    assert thermal(ask(tank(), at(tank(), 50.0), EVENING)).hygiene is None
    for step in range(1, 9):
        when = EVENING + step * 5 * MINUTE
        model.report(Reading("temperature_c", 61.0 + step / 10, when), when)
        seen = thermal(ask(ours, model, when)).hygiene
    assert seen is not None
    assert seen.by >= NOW + 48 * HOUR + 1200
    # Overdue: an instant that does not move with now, so that it is not put off for ever.
    late = EVENING + timedelta(days=4)
    overdue = {
        rule.by
        for minutes in (0, 5, 30)
        if (rule := thermal(ask(ours, model, late + minutes * MINUTE)).hygiene)
    }
    assert len(overdue) == 1
    assert min(overdue) > to_unix_floor(late)


# --- what is believed ---------------------------------------------------------------------------


def test_without_any_temperature_the_middle_is_assumed_carried_on_and_said() -> None:
    one, model = house(), model_of(house())
    wanted = ask(one, model, EVENING)
    assert thermal(wanted).temperature_c == Decimal("21.25")
    assert "has ever been told" in wanted.notes[0]
    later = thermal(ask(one, model, EVENING + 6 * HOURS)).temperature_c
    assert 15 < later < 21
    assert KINDS[one.type].assumed_action != KINDS["battery"].assumed_action


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (
            Reading("temperature_c", 20.5, EVENING - timedelta(days=1), at_is_guessed=True),
            "no time",
        ),
        (Reading("temperature_c", 20.5, EVENING - timedelta(days=3)), "too long ago"),
        (Reading("temperature_c", 400.0, EVENING), "can be believed"),
    ],
)
def test_what_it_told_and_does_not_count_is_not_called_untold(reading: Reading, said: str) -> None:
    model = model_of(house())
    model.report(reading, EVENING)
    assert said in ask(house(), model, EVENING).notes[0]


def test_a_sensor_that_dies_is_carried_on_by_the_house_and_said() -> None:
    one, model = house(), at(house(), 21.0)
    ask(one, model, EVENING)
    found = ask(one, model, EVENING + 5 * HOURS)
    assert "was last told" in found.notes[0]
    idle = thermal(found).temperature_c
    assert 16 < idle < 20.9
    # With the heat pump at work it would have stayed warm.
    warm = at(house(), 21.0)
    for step in range(61):
        when = EVENING + step * 5 * MINUTE
        warm.report(Reading("power_w", 2500.0, when), when)
        heated = thermal(ask(one, warm, when)).temperature_c
    assert heated > idle + 1


@pytest.mark.parametrize("wild", [85.0, -40.0, 33.0])
def test_a_temperature_that_cannot_be_is_not_believed_and_named(wild: float) -> None:
    one, model = house(), at(house(), 21.0)
    ask(one, model, EVENING)
    when = EVENING + 5 * MINUTE
    assert not model.report(Reading("temperature_c", 21.1, when), when)
    model.report(Reading("temperature_c", wild, when), when)
    found = thermal(ask(one, model, when)).temperature_c
    assert abs(found - 21) < Decimal("0.2")
    assert any("temperature_c" in problem for problem in model.problems(when))
    when += 5 * MINUTE
    model.report(Reading("temperature_c", 21.0, when), when)
    assert abs(thermal(ask(one, model, when)).temperature_c - 21) < Decimal("0.2")


def test_what_a_house_never_has_is_never_believed_and_what_it_may_have_when_it_stands() -> None:
    for told, believed in ((85.0, False), (17.0, True)):
        one, model = house(), at(house(), 21.0)
        ask(one, model, EVENING)
        for step in range(1, 24):
            when = EVENING + step * 5 * MINUTE
            model.report(Reading("temperature_c", told, when), when)
            found = float(thermal(ask(one, model, when)).temperature_c)
        assert (abs(found - told) < 0.3) is believed


@pytest.mark.parametrize("stands_at", [0.0, 40.0])
def test_a_tank_whose_sensor_froze_is_not_heated_for_ever(stands_at: float) -> None:
    one, model = tank(), at(tank(), stands_at)
    for step in range(10 * 12):
        when = EVENING + step * 5 * MINUTE
        model.report(Reading("temperature_c", stands_at, when), when)
        model.report(Reading("power_w", 2000.0, when), when)
        wanted = ask(one, model, when)
    assert thermal(wanted).temperature_c > 55
    assert any(
        f"stands at {stands_at:g} though it is heated" in why for why in model.problems(when)
    )
    # It works again: what it says is taken as it is.
    when += 5 * MINUTE
    model.report(Reading("temperature_c", 48.0, when), when)
    assert thermal(ask(one, model, when)).temperature_c == 48
    when += 15 * MINUTE
    model.report(Reading("temperature_c", 48.0, when), when)
    ask(one, model, when)
    assert not model.problems(when)


def test_a_tank_without_a_meter_that_stays_cold_may_have_a_broken_heater() -> None:
    one, model = tank(), at(tank(), 15.0)
    model.told(told_to_heat(one.id), EVENING)
    for step in range(10 * 12):
        when = EVENING + step * 5 * MINUTE
        model.report(Reading("temperature_c", 15.0, when), when)
        wanted = ask(one, model, when)
    assert thermal(wanted).temperature_c < 20
    assert any("stands at 15 though it is told to heat" in why for why in model.problems(when))


def test_a_house_that_is_held_at_one_temperature_is_no_broken_sensor() -> None:
    one, model = house(), at(house(), 20.5)
    for step in range(24 * 12):
        when = EVENING + step * 5 * MINUTE
        model.report(Reading("temperature_c", 20.5, when), when)
        model.report(Reading("power_w", 1200.0, when), when)
        wanted = ask(one, model, when)
    assert thermal(wanted).temperature_c == pytest.approx(Decimal("20.5"), abs=Decimal("0.3"))
    assert not any("stands" in why for why in model.problems(when))


def test_a_heat_pump_that_ignores_its_block_is_named_until_it_keeps_one() -> None:
    one, model = house(), at(house(), 20.5)

    def lives(begin: float, hours: float, power_w: float) -> None:
        for step in range(int(begin * 60), int((begin + hours) * 60)):
            when = EVENING + step * MINUTE
            model.report(Reading("power_w", power_w, when), when)
            ask(one, model, when)

    blocked = ScheduleSlot(NOW, NOW + HOUR, "block", 0, Decimal(0), None, "dear")
    again = replace(blocked, start=NOW + 3 * HOUR, end=NOW + 4 * HOUR)
    model.told(told_to_heat(one.id, blocked, again), EVENING)
    lives(0, 0.4, 2500)
    assert not model.problems(EVENING + 24 * MINUTE)
    lives(0.4, 2, 2500)
    # On its own logic since the block ended, it may; whether it keeps one nobody has seen yet.
    named = "takes power though it is told not to"
    assert named in model.problems(EVENING + 2.4 * HOURS)
    lives(2.4, 0.5, 1000)
    lives(2.9, 1, 0)
    assert named not in model.problems(EVENING + 3.9 * HOURS)


def test_a_sensor_that_sends_text_is_named_and_the_last_value_carried_on() -> None:
    one, model = house(), at(house(), 21.0)
    ask(one, model, EVENING)
    model.cannot_read(Unreadable("temperature_c", "expected a number"), EVENING + MINUTE)
    wanted = ask(one, model, EVENING + HOURS)
    assert 19 < thermal(wanted).temperature_c < 21
    assert any("temperature_c cannot be read" in one for one in model.problems(EVENING + HOURS))


def test_noise_moves_little() -> None:
    one, model = house(), at(house(), 21.0)
    found = []
    for step in range(40):
        when = EVENING + step * 5 * MINUTE
        noise = 0.3 if step % 2 else -0.3
        model.report(Reading("temperature_c", 21.0 + noise, when), when)
        model.report(Reading("power_w", 1500.0, when), when)
        found.append(float(thermal(ask(one, model, when)).temperature_c))
    assert max(found[5:]) - min(found[5:]) < 0.35


def test_what_was_believed_survives_a_restart() -> None:
    one, model = tank(hygiene={"programme": "ours"}), at(tank(), 55.0)
    ask(one, model, EVENING)
    state = model.thermal
    assert state is not None
    state.estimate.loss_factor, state.estimate.losses = 1.3, [1.2, 1.3, 1.4]
    again = model_of(one)
    stored.restore(again, stored.to_text(model))
    kept = again.thermal
    assert kept is not None
    assert (kept.temperature_c, kept.told_at) == (55.0, EVENING)
    assert (kept.estimate.loss_factor, kept.estimate.losses) == (1.3, [1.2, 1.3, 1.4])
    assert kept.hygiene_at == state.hygiene_at
    soon = EVENING + HOURS
    assert 50 < thermal(ask(one, again, soon)).temperature_c < 55
    # Time that passes is not worth a write to an SD card.
    text = stored.to_text(model)
    state.at = EVENING + 10 * MINUTE
    assert stored.substance(stored.to_text(model)) == stored.substance(text)
    lying = text.replace('"loss_factor":1.3', '"loss_factor":13')
    with pytest.raises(ValueError, match="factors"):
        stored.restore(model_of(one), lying)


def test_the_end_of_a_block_is_stored_at_once() -> None:
    model = at(house(), 20.0)
    before = stored.to_text(model)
    model.schedules.block_since = NOW
    assert stored.urgent_part(stored.to_text(model)) != stored.urgent_part(before)


# --- what a person asks -------------------------------------------------------------------------


def test_a_wish_for_comfort_holds_until_its_end_and_is_kept_where_that_is_asked() -> None:
    one = house()
    wish = requested(one, comfort_min_c=21.5, until="22:00")
    device = thermal(ask(one, *AT_20[:1], EVENING, wish))
    assert [band(device, hours) for hours in (1, 3.9, 4.1)] == [(21.5, 22.5)] * 2 + [(20, 22.5)]
    assert from_text(to_text(wish)) == wish
    over = EVENING + 5 * HOURS
    assert not expired(wish, over, plugged=True, session_over=False, full=False).holds_anything
    kept = requested(one, comfort_min_c=19, comfort_max_c=21, keep=True)
    device = thermal(ask(one, *AT_20[:1], EVENING, kept))
    assert {band(device, hours) for hours in (1, 10, 30, 47)} == {(19, 21)}
    far = EVENING + timedelta(days=40)
    assert expired(kept, far, plugged=True, session_over=False, full=False).kept == kept.kept
    assert not requested(one, kept, comfort_min_c=None, comfort_max_c=None).holds_anything
    day = requested(one, comfort_max_c=21)
    assert day.values.comfort_until == EVENING + timedelta(hours=24)


def test_a_wish_for_comfort_and_one_for_energy_end_each_by_itself() -> None:
    wish = requested(tank(), comfort_min_c=50, for_s=3600)
    wish = requested(tank(), wish, energy_kwh=1, ready_by="22:00")
    later = expired(wish, EVENING + 2 * HOURS, plugged=True, session_over=False, full=False)
    assert (later.values.comfort_min_c, later.values.energy_kwh) == (None, Decimal(1))
    wish = requested(tank(), wish, comfort_min_c=50, for_s=86_400)
    later = expired(wish, EVENING + 6 * HOURS, plugged=True, session_over=False, full=False)
    assert (later.values.comfort_min_c, later.values.energy_kwh) == (Decimal(50), None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"comfort_min_c": 31}, "is 31; expected 5 to 30"),
        ({"comfort_max_c": 4}, "is 4; expected 5 to 30"),
        ({"comfort_min_c": 21, "comfort_max_c": 20}, "not below comfort_max_c 20"),
        ({"comfort_min_c": 23}, "give both"),
        ({"comfort_min_c": 21, "until": "22:00", "keep": True}, "keep has no end"),
        ({"comfort_min_c": 21, "until": "22:00", "for_s": 60}, "not both"),
        ({"comfort_min_c": 21, "until": "2026-03-16T00:00:00Z"}, "not within the next 31 days"),
        ({"until": "22:00"}, "go with a mode"),
        ({"energy_kwh": 900}, "kWh more at most"),
        ({"ready_by": "18:00"}, "goes with energy_kwh or hours"),
        ({"target_soc_percent": 50}, "does not know it"),
        ({"price_cap": 0.1}, "does not know it"),
    ],
)
def test_what_cannot_be_is_refused(body: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        requested(house(), **body)


def test_more_hot_water_once_is_there_when_it_is_wanted() -> None:
    one = tank()
    wish = requested(one, energy_kwh=2, ready_by="20:00")
    wanted = ask(one, at(one, 50.0), EVENING, wish)
    assert wanted.goal.ready_by == NOW + 2 * HOUR
    # Two kWh in 200 litres are 8.6 degrees.
    assert band(thermal(wanted), 2)[0] == pytest.approx(45 + 8.6, abs=0.1)
    assert band(thermal(wanted), 3.1)[0] == 45
    hours = requested(one, hours=1, ready_by="20:00")
    assert band(thermal(ask(one, at(one, 50.0), EVENING, hours)), 2)[0] == pytest.approx(53.6, 0.01)


def test_a_boost_heats_at_once_and_ends_when_the_store_is_full() -> None:
    one = tank()
    wanted = ask(one, at(one, 50.0), EVENING, boost())
    assert wanted.override is not None
    assert (wanted.override.mode, wanted.override.power_w) == ("boost", 2000)
    assert thermal(wanted).temperature_c > 55
    full = ask(one, at(one, 58.5), EVENING, boost())
    assert (full.override, full.full) == (None, True)


def test_a_pause_is_blocks_of_two_hours_and_the_plan_knows_that_it_is_off() -> None:
    one = house()
    pause = Wish(mode=ModeWish("pause", EVENING + 5 * HOURS))
    wanted = ask(one, at(one, 20.0), EVENING, pause)
    assert (thermal(wanted).off_since, thermal(wanted).min_off_s) == (NOW, 7200)
    made = told(one, wanted, (0, HOUR, 3000, "boost"))
    # Each ends a minute early, and the two minutes that are left then are no block.
    assert [(slot.mode, slot.end - slot.start) for slot in made.slots] == [
        ("block", 2 * HOUR - 60),
        ("block", 2 * HOUR - 60),
    ]
    assert (made.slots[1].start - made.slots[0].end) == 1800


# --- what it is told ----------------------------------------------------------------------------


def told(
    one: HeatStoreSection,
    wanted: PlanningInput,
    *spans: tuple[float, float, float, str],
    blocks: BlockHistory | None = None,
    reached_c: float | None = None,
) -> Schedule:
    kind = KINDS[one.type]
    profile = kind.profile(one)
    slots = tuple(
        Slot(
            *(NOW + int(a), NOW + int(b), Decimal(repr(power)), mode),
            *(Decimal("0.2"), Decimal(0), "comfort"),
            temperature_c=None if reached_c is None else Decimal(repr(reached_c)),
        )
        for a, b, power, mode in spans
    )
    part = DevicePlan(
        *(one.id, Status.OPTIMAL, Engine.JOINT, Decimal(1), Decimal(1), 0, True, Decimal(0)), slots
    )
    context = ScheduleContext(NOW, NOW + 24 * HOUR, "EUR", blocks=blocks or BlockHistory())
    return schedule_for(profile, wanted, part, kind.slots(profile, part), context)


def test_planned_heat_is_a_boost_what_is_blocked_a_block_and_the_rest_normal() -> None:
    one = house()
    made = told(
        one,
        ask(one, *AT_20),
        (0, HOUR, 3000, "boost"),
        (2 * HOUR, 3 * HOUR, 0, "block"),
        (5 * HOUR, 6 * HOUR, 3000, "normal"),
    )
    assert [(slot.mode, slot.power_w) for slot in made.slots] == [
        ("boost", 3000),
        ("block", 0),
        ("boost", 3000),
    ]
    assert (made.default.mode, made.offline.mode) == ("normal", "normal")
    compact = compact_document(made)
    assert compact["u"] == "M"
    # SG Ready 3, 2, 1, 2, 3, 2.
    pairs: Any = compact["p"]
    assert [mode for _, mode in pairs] == [3, 2, 1, 2, 3, 2]


def test_a_power_is_told_in_steps_that_the_device_can_do() -> None:
    one = house(control="power", min_power_w=700)
    made = told(one, ask(one, *AT_20), (0, HOUR, 1234.5, "normal"), (HOUR, 2 * HOUR, 700, "normal"))
    assert [slot.power_w for slot in made.slots] == [1200, 700]


def test_force_comes_only_where_the_owner_allows_it_and_only_beyond_comfort() -> None:
    plan = (0.0, float(HOUR), 2000.0, "boost")
    for allowed, reached, mode in ((False, 61, "boost"), (True, 61, "force"), (True, 57, "boost")):
        one = tank(force=allowed)
        made = told(one, ask(one, at(one, 50.0), EVENING), plan, reached_c=reached)
        assert made.slots[0].mode == mode


def test_a_block_is_counted_over_revisions_and_restarts() -> None:
    one = house()
    wanted = ask(one, *AT_20)
    long = (0.0, 6.0 * HOUR, 0.0, "block")
    history = BlockHistory(since=NOW - HOUR)
    first, second, *_ = told(one, wanted, long, blocks=history).slots
    # A minute before its two hours: a setpoint is obeyed half a minute longer.
    assert first.end == NOW + HOUR - 60
    assert second.start >= first.end + 1800
    rested = told(one, wanted, long, blocks=BlockHistory(ended=NOW - 600)).slots
    assert rested[0].start == NOW + 1200
    short = house(block_max_s=1800)
    assert told(short, wanted, long).slots[0].end == NOW + 1800 - 60
    assert told(house(block_max_s=0), wanted, long).slots == ()


# --- what an owner may get wrong ----------------------------------------------------------------

BANDS = [{"start": "06:00", "end": "22:00", "min_c": 20, "max_c": 22}]


@pytest.mark.parametrize(
    ("given", "path", "why"),
    [
        (
            {"setback": {"min_c": 22, "max_c": 20}},
            "setback.min_c",
            "is 22.0; expected less than max_c, 20",
        ),
        ({"setback": {"min_c": float("nan"), "max_c": 20}}, "setback.min_c", "is nan"),
        ({"cop": 0.8}, "cop", "is 0.8; expected a number such as 3.2"),
        ({"cop": [[-7, 2.4], [7, "NaN"]]}, "cop", "expected a number such as 3.2"),
        ({"cop": [[7, 3], [7, 4]]}, "cop", "expected a number such as 3.2"),
        (
            {"comfort": [*BANDS, {**BANDS[0], "start": "21:00", "end": "23:00", "days": ["sat"]}]},
            "",
            "comfort[0] and comfort[1] overlap on sat at 21:00",
        ),
        (
            {"comfort": [*BANDS, {**BANDS[0], "start": "22:00", "end": "06:30", "days": ["sun"]}]},
            "",
            "overlap on mon at 06:00",
        ),
        (
            {"comfort": [{**BANDS[0], "min_c": 50, "max_c": 60}]},
            "comfort[0]",
            "expected a room of 5 to 35",
        ),
        ({"power_w": 300}, "comfort[0].min_c", "300 W of power_w warm this house to"),
        ({"house": {"type": "castle"}}, "house.type", "detached_1990"),
        ({"house": {"design_loss_kw": 0}}, "house.design_loss_kw", "is 0; expected more than 0"),
        ({"house": {"area": 100}}, "house.area", "did you mean area_m2"),
        ({"min_power_w": 500}, "min_power_w", "it goes with control: power"),
        (
            {"control": "power", "min_power_w": 5000},
            "min_power_w",
            "expected at most power_w, 3000",
        ),
        ({"block_max_s": 9000}, "block_max_s", "is 9000; expected at most 7200"),
    ],
)
def test_a_wrong_house_is_refused_with_its_key_and_what_would_be_right(
    given: dict[str, Any], path: str, why: str
) -> None:
    device = {"id": "heating", "type": "house_heat_pump", "power_w": 3000, **given}
    fixed = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
    with pytest.raises(ValidationError) as refused:
        AgentConfig.model_validate({"tariff": fixed, "devices": [device]})
    told_faults = [str(fault) for fault in faults_of(refused.value)]
    where = f"devices[0].{path}" if path else "devices[0]"
    assert any(where in text and why in text for text in told_faults), told_faults


def test_a_tank_that_could_never_keep_up_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer persons"):
        tank(power_w=300, persons=10)


def test_a_house_of_which_only_hours_are_known_is_still_a_heat_pump() -> None:
    one = section(id="hp", type="heat_pump", power_w=2000, needs=[{"hours": 3}])
    assert KINDS["heat_pump"].describe(one).startswith("heat pump of 2000 W")
    assert datetime(2026, 1, 16, 18, tzinfo=UTC) == EVENING
