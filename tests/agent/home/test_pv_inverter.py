"""The roof's inverter: when it is limited, to how much, and what is said where it does not obey."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.contracts.schedule import compact_document
from agent.dispatch.due import Leeway, needs_publishing
from agent.dispatch.schedules import ScheduleContext, schedule_for, setpoint_at
from agent.energy.instants import from_unix
from agent.energy.plan import Plan
from agent.energy.profile import DeviceProfile
from agent.energy.readings import Reading
from agent.energy.schedule import DefaultCommand, Schedule, ScheduleSlot
from agent.energy.situation import PowerSpan, RateSpan, Site, Situation
from agent.errors import Refused
from agent.home.kinds import KINDS, profile_of
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput
from agent.home.requests import RequestContext, apply_request, read_request
from agent.home.wishes import Wish
from agent.planning import make_plan
from integrations.devices.native import NativeDevice
from integrations.registry import AgentConfig

KIND = KINDS["pv_inverter"]
NOW = 1_768_521_600
HOUR = 3600
ROOF = {"id": "roof0", "type": "pv_inverter", "max_power_w": 6000, "curtailable": True}
# Sun in W, use of the house in W, what is paid for export: an hour each.
Hours = list[tuple[int, int, str]]


def inverters(*rated_w: int, **site: Any) -> list[DeviceProfile]:
    devices = [
        {"id": f"roof{i}", "type": "pv_inverter", "max_power_w": power_w, "curtailable": True}
        for i, power_w in enumerate(rated_w)
    ]
    tariff = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
    config = AgentConfig.model_validate({"site": site, "tariff": tariff, "devices": devices})
    return [profile_of(item, config) for item in config.appliances]


def situation(hours: Hours, export_limit_w: int | None = None) -> Situation:
    spans = [(NOW + i * HOUR, NOW + (i + 1) * HOUR, *hour) for i, hour in enumerate(hours)]
    return Situation(
        now=NOW,
        timezone="Europe/Berlin",
        currency="EUR",
        import_rates=(RateSpan(NOW, NOW + len(hours) * HOUR, Decimal("0.3")),),
        export_rates=tuple(RateSpan(a, b, Decimal(price)) for a, b, _, _, price in spans),
        site=Site(
            base_load=tuple(PowerSpan(a, b, Decimal(use)) for a, b, _, use, _ in spans),
            pv=tuple(PowerSpan(a, b, Decimal(sun)) for a, b, sun, _, _ in spans),
            export_limit_w=None if export_limit_w is None else Decimal(export_limit_w),
            pv_curtailable=True,
        ),
    )


def slots(profile: DeviceProfile, asked: Situation) -> list[ScheduleSlot]:
    plan: Plan = make_plan(asked)
    return list(KIND.site_slots(profile, plan, asked))


def schedule(profile: DeviceProfile, asked: Situation) -> Schedule:
    context = ScheduleContext(NOW, NOW + 48 * HOUR, "EUR")
    made = schedule_for(profile, PlanningInput(None), None, slots(profile, asked), context)
    return NativeDevice("b", profile.id).fit(made)


def told(made: list[ScheduleSlot]) -> list[tuple[int, int, str]]:
    return [((slot.start - NOW) // HOUR, slot.power_w, slot.reason) for slot in made]


def test_where_export_costs_it_gives_what_the_house_may_use() -> None:
    """More than is expected, for the grid's energy is dearer than what is given away costs."""
    [profile] = inverters(6000)
    hours: Hours = [(3000, 540, "0.08"), (4000, 540, "-0.02"), (400, 800, "-0.1"), (0, 300, "-1")]
    # In the third hour the sun may shine more than is expected.
    made = slots(profile, situation(hours))
    assert told(made) == [(1, 1000, "export_price"), (2, 900, "export_price")]
    assert [slot.price for slot in made] == [Decimal("-0.02"), Decimal("-0.1")]
    assert [slot.energy_kwh for slot in made] == [Decimal(1), Decimal("0.4")]


def test_what_costs_next_to_nothing_is_not_worth_a_limit() -> None:
    [profile] = inverters(6000)
    assert slots(profile, situation([(6000, 900, "-0.000001")])) == []


def test_where_the_grid_pays_for_what_is_drawn_the_roof_gives_nothing() -> None:
    [profile] = inverters(6000)
    asked = replace(
        situation([(4000, 540, "-0.02")]),
        import_rates=(RateSpan(NOW, NOW + HOUR, Decimal("-0.02")),),
    )
    assert told(slots(profile, asked)) == [(0, 0, "export_price")]


def test_a_household_that_swings_pays_less_with_it_than_with_any_other_limit() -> None:
    """Every other steady limit costs more over what the house may draw."""
    [profile] = inverters(6000)
    [slot] = slots(profile, situation([(6000, 800, "-0.1")]))
    drawn = [400 - 400 * math.log((k + 0.5) / 2000) for k in range(2000)]

    def cost(limit_w: int) -> float:
        return sum(0.3 * max(0.0, w - limit_w) + 0.1 * max(0.0, limit_w - w) for w in drawn)

    assert min(range(0, 6000, 100), key=cost) in (slot.power_w, slot.power_w + 100)


def test_the_three_forms_say_it() -> None:
    [profile] = inverters(6000)
    made = schedule(profile, situation([(4000, 540, "-0.02"), (4000, 540, "0.05")]))
    assert (made.default, made.offline.mode) == (DefaultCommand("auto", 0), "auto")
    compact = compact_document(made)
    assert (compact["u"], compact["d"], compact["o"]) == ("W", None, [900, None])
    assert compact["p"] == [[300, 1000], [3900, None]]
    now, later = setpoint_at(made, profile, NOW), setpoint_at(made, profile, NOW + HOUR)
    assert (now.mode, now.power_w, now.current_a, now.phases) == ("limit", 1000, None, None)
    assert (later.mode, later.power_w) == ("auto", 0)


def test_the_feed_in_limit_holds_by_itself_and_a_slot_allows_what_the_house_uses_besides() -> None:
    [profile] = inverters(6000, export_limit_w=3000)
    assert profile.default == DefaultCommand("limit", 3000)
    assert (profile.offline.mode, profile.offline.power_w) == ("limit", 3000)
    hours: Hours = [(2000, 500, "0.08"), (3300, 500, "0.08"), (5000, 500, "0.08")]
    made = slots(profile, situation(hours, 3000))
    # 500 W are expected, 250 W are sure.
    assert told(made) == [(1, 3200, "export_limit"), (2, 3200, "export_limit")]
    compact = compact_document(schedule(profile, situation(hours, 3000)))
    assert (compact["d"], compact["o"]) == (3000, [900, 3000])


def test_where_nothing_may_be_fed_in_it_never_is() -> None:
    """Not even where giving a little too much would be cheaper than giving too little."""
    [profile] = inverters(6000, export_limit_w=0)
    hours: Hours = [(4000, 540, "-0.02"), (4000, 540, "0.08")]
    made = slots(profile, situation(hours, 0))
    assert told(made) == [(0, 200, "export_limit"), (1, 200, "export_limit")]
    assert profile.default == DefaultCommand("limit", 0)


def test_a_limit_above_what_the_roof_can_give_is_none() -> None:
    [profile] = inverters(6000, export_limit_w=6000)
    assert profile.default.mode == "auto"


def test_two_inverters_share_the_roof() -> None:
    big, small = inverters(6000, 2000, export_limit_w=4000)
    assert (big.default.power_w, small.default.power_w) == (3000, 1000)
    asked = situation([(4000, 800, "-0.02")], 4000)
    assert [told(slots(one, asked)) for one in (big, small)] == [
        [(0, 1100, "export_price")],
        [(0, 300, "export_price")],
    ]


def test_a_little_more_or_less_is_no_new_revision() -> None:
    [profile] = inverters(6000)
    held, little, much = (
        schedule(profile, situation([(4000, use, "-0.02")])) for use in (800, 900, 1400)
    )
    assert not needs_publishing(held, little, NOW, Leeway(ignore_drift=True))
    assert needs_publishing(held, much, NOW, Leeway(ignore_drift=True))


@pytest.mark.parametrize("body", [{"mode": "boost"}, {"price_cap": 0.1}, {"start": True}])
def test_nobody_asks_anything_of_it(body: dict[str, object]) -> None:
    keys = KIND.wish_keys(KIND.section.model_validate(ROOF))
    context = RequestContext("roof0", "pv_inverter", keys, from_unix(NOW), ZoneInfo("UTC"))
    with pytest.raises(Refused):
        apply_request(read_request(json.dumps(body).encode()), Wish(), context)


def limited(limit_w: int) -> tuple[DeviceModel, Schedule]:
    [profile] = inverters(6000)
    model = DeviceModel("roof0", KIND.traits(KIND.section.model_validate(ROOF)))
    asked = situation([(6000, limit_w, "-0.02")] * 3)
    held = replace(
        schedule(profile, asked),
        slots=(ScheduleSlot(NOW, NOW + 3 * HOUR, "limit", limit_w, Decimal(1), None, "limit"),),
    )
    model.told(held, from_unix(NOW))
    return model, held


@pytest.mark.parametrize(
    ("gives_w", "follows"), [(0, True), (480, True), (700, True), (900, False), (5000, False)]
)
def test_one_that_gives_more_than_it_may_is_named_after_ten_minutes(
    gives_w: float, follows: bool
) -> None:
    model, _ = limited(500)
    for minute in range(0, 21, 5):
        now = from_unix(NOW + minute * 60)
        model.report(Reading("power_w", float(gives_w), now), now)
        model.advance(now)
        named = "gives more than its limit allows" in model.problems(now)
        assert named == (not follows and minute >= 10)
    # It comes back to its limit.
    now += timedelta(minutes=5)
    model.report(Reading("power_w", 490.0, now), now)
    model.advance(now)
    assert model.problems(now) == []


def test_what_it_gives_is_neither_a_load_nor_booked() -> None:
    model, _ = limited(500)
    for minute in range(0, 60, 5):
        now = from_unix(NOW + minute * 60)
        model.report(Reading("power_w", 480.0, now), now)
        model.report(Reading("energy_total_kwh", 1000.0 + minute, now), now)
        model.advance(now)
    assert (model.meter.drawn.power_w(now), model.pop_booked()) == (0.0, [])


@pytest.mark.parametrize(("gives_w", "held_down"), [(100, False), (449, False), (470, True)])
def test_only_what_it_gives_freely_says_what_the_roof_can(gives_w: float, held_down: bool) -> None:
    model, _ = limited(500)
    now = from_unix(NOW + 60)
    model.report(Reading("power_w", float(gives_w), now), now)
    assert model.is_limited(now) == held_down
    later = from_unix(NOW + 4 * HOUR)
    model.report(Reading("power_w", 5000.0, later), later)
    assert not model.is_limited(later)
