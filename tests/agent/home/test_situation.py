"""The Situation: what stands in it of the site and of what is in force."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from agent.contracts.situation.reading import read_situation
from agent.contracts.situation.writing import situation_document
from agent.energy.instants import to_unix_floor
from agent.energy.rates import Rate
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule, ScheduleSlot
from agent.energy.situation import Flexible, PowerSpan, PreviousPlan, Situation
from agent.energy.steps import Steps
from agent.home.planning_input import Override, PlanningInput
from agent.home.plans_in_force import PlansInForce
from agent.home.situation import PriceForecast, build_situation
from integrations.registry import AgentConfig
from tests.agent.home.test_battery import at, battery
from tests.agent.home.test_kinds import EV, EVENING, ask, car

NOW = to_unix_floor(EVENING)
MINUTE = 60
MINUTE, HOUR = 60, 3600
PRICES = PriceForecast(
    "GBP", "Europe/London", [Rate(EVENING, EVENING + timedelta(hours=2), Decimal("0.2"))]
)
TARIFF = {"source": "fixed", "timezone": "Europe/London", "currency": "GBP", "import": 0.2}


def situation(
    inputs: Mapping[str, PlanningInput], previous: tuple[PreviousPlan, ...] = (), **sites: Any
) -> Situation:
    config = AgentConfig.model_validate({"tariff": TARIFF, "planner": {"change_cost": 0.01}})
    return build_situation(config, PRICES, inputs, previous, EVENING, **sites)


def schedule(kind: DeviceType, *slots: tuple[int, int, int, str]) -> Schedule:
    made = [
        ScheduleSlot(NOW + a, NOW + b, "charge", power, Decimal(1), None, why)
        for a, b, power, why in slots
    ]
    rule, default = OfflineRule(900, "idle", 0), DefaultCommand("idle", 0)
    span = (NOW, NOW, NOW + 86_400)
    return Schedule("one", kind, 1, *span, "GBP", tuple(made), default, rule)


def test_a_car_alone_has_no_site() -> None:
    asked = {"ev": ask(EV, car(50), EVENING)}
    assert situation(asked, base_load=Steps.constant(500)).site.base_load == ()


def test_a_move_has_to_save_something_unless_the_owner_says_otherwise() -> None:
    config = AgentConfig.model_validate({"tariff": TARIFF})
    asked = {"ev": ask(EV, car(50), EVENING)}
    assert build_situation(config, PRICES, asked, (), EVENING).planner.change_cost == Decimal(
        "0.01"
    )
    off = AgentConfig.model_validate({"tariff": TARIFF, "planner": {"change_cost": 0}})
    free = build_situation(off, PRICES, asked, (), EVENING, limit=Steps.constant(8000))
    assert free.planner.change_cost == 0


def test_minimum_times_are_calm_enough_for_a_device_of_its_own() -> None:
    device = ask(EV, car(50), EVENING).device
    assert isinstance(device, Flexible)
    asked = {"ev": PlanningInput(replace(device, min_on_s=600))}
    old = (PreviousPlan("ev", ()), PreviousPlan("other", ()))
    config = AgentConfig.model_validate({"tariff": TARIFF})
    alone = build_situation(config, PRICES, asked, old, EVENING)
    shared = build_situation(config, PRICES, asked, old, EVENING, limit=Steps.constant(8000))
    assert [plan.id for plan in alone.planner.previous] == ["other"]
    assert [plan.id for plan in shared.planner.previous] == ["ev", "other"]


def test_a_battery_or_a_roof_brings_the_house_into_it_and_a_boost_is_its_load() -> None:
    override = Override("boost", EVENING + timedelta(hours=1), "boost", 3000)
    asked = {
        "battery": ask(battery(), at(battery(), 50), EVENING),
        "ev": PlanningInput(None, override=override),
    }
    pv = Steps((0, NOW + HOUR), (0.0, 2000.0))
    site = situation(asked, base_load=Steps.constant(500), pv=pv).site
    assert site.base_load == (
        PowerSpan(NOW, NOW + HOUR, Decimal(3500)),
        PowerSpan(NOW + HOUR, NOW + 2 * HOUR, Decimal(500)),
    )
    assert [(span.start, span.power_w) for span in site.pv] == [
        (NOW, Decimal(0)),
        (NOW + HOUR, Decimal(2000)),
    ]
    assert site.import_limits == ()
    assert situation({}, pv=pv).site.pv != ()


def test_what_devices_hold_is_in_force_but_not_what_a_person_asked_for_at_once() -> None:
    held = {
        "ev": schedule(
            DeviceType.EVSE, (0, HOUR, 7000, "boost"), (2 * HOUR, 3 * HOUR, 7000, "cheapest")
        ),
        "inverter": schedule(DeviceType.PV_INVERTER, (0, HOUR, 3000, "cheapest")),
    }
    [previous] = PlansInForce().of(held, None, NOW)
    assert previous.id == "ev"
    assert previous.slots == (PowerSpan(NOW + 2 * HOUR, NOW + 3 * HOUR, Decimal(7000)),)
    planner = situation({}, (previous,)).planner
    assert planner.change_cost == Decimal("0.01")
    assert planner.previous == (previous,)


def test_of_a_battery_all_that_it_was_told_is_in_force() -> None:
    told = ((0, 1, 5000), (1, 2, 0), (4, 5, -2000))
    slots = [(a * HOUR, b * HOUR, power, "cheapest") for a, b, power in told]
    held = {"battery": schedule(DeviceType.BATTERY, *slots)}
    [previous] = PlansInForce().of(held, None, NOW)
    assert previous.slots == tuple(
        PowerSpan(NOW + a * HOUR, NOW + b * HOUR, Decimal(power)) for a, b, power in told
    )


def test_runs_that_wander_a_little_with_every_plan_do_not_get_far() -> None:
    plans = PlansInForce()
    for moved in (0, 120, 240, 360):
        slot = (2 * HOUR - moved, 3 * HOUR - moved, 7000, "change_kept")
        [previous] = plans.of({"ev": schedule(DeviceType.EVSE, slot)}, None, NOW)
        # Two minutes are the same edge; what is farther away is a new one.
        kept = moved // 240 * 240
        assert previous.slots == (
            PowerSpan(NOW + 2 * HOUR - kept, NOW + 3 * HOUR - kept, Decimal(7000)),
        )


def test_of_touching_runs_one_that_settles_does_not_reach_into_the_next() -> None:
    plans = PlansInForce()
    for first, second in (((2, 150), (150, 240)), ((2, 149), (149, 240)), ((2, 149), (149, 243))):
        slots = [
            (first[0] * MINUTE, first[1] * MINUTE, 11000, "cheapest"),
            (second[0] * MINUTE, second[1] * MINUTE, 1400, "cheapest"),
        ]
        [previous] = plans.of({"ev": schedule(DeviceType.EVSE, *slots)}, None, NOW)
        one, other = previous.slots
        assert one.end == other.start
        assert read_situation(situation_document(situation({}, (previous,)))) is not None
