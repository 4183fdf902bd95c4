"""The rule in houses that share a limit: every plan of it keeps the rules of the model."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.energy.situation import (
    ComfortSpan,
    Demand,
    Device,
    Flexible,
    PowerSpan,
    ProfileSegment,
    Program,
    RateSpan,
    Site,
    Situation,
    Storage,
    StorageTarget,
    TemperatureSpan,
    Thermal,
)
from agent.planning import make_plan
from agent.planning.engine import Deadline
from agent.planning.judge import judge
from agent.planning.problem import problem_of
from agent.planning.rule import RuleEngine
from tests.agent.planning.tale import HOUR, NOW, hours_on, house

HOURS = 8


def spans(*powers: int) -> tuple[PowerSpan, ...]:
    """One power an hour from now."""
    return tuple(
        PowerSpan(NOW + k * HOUR, NOW + (k + 1) * HOUR, Decimal(power))
        for k, power in enumerate(powers)
    )


def pump(*, min_on_s: int = 2700, start_c: str = "19.8", **more: object) -> Thermal:
    return Thermal(
        "pump",
        Decimal(3000),
        Decimal(start_c),
        Decimal(4),
        min_power_w=Decimal(800),
        min_on_s=min_on_s,
        min_off_s=900,
        loss_w_per_c=Decimal(180),
        gains_w=Decimal(300),
        comfort=(
            ComfortSpan(NOW, NOW + 2 * HOUR, Decimal(19), Decimal(23)),
            ComfortSpan(NOW + 2 * HOUR, NOW + HOURS * HOUR, Decimal(21), Decimal(23)),
        ),
        outdoor=(TemperatureSpan(NOW, NOW + HOURS * HOUR, Decimal(3)),),
        cop=((Decimal(3), Decimal(3)),),
        **more,  # type: ignore[arg-type]
    )


def car(id: str, kwh: float, deadline_h: float, **more: object) -> Flexible:
    wanted = Demand(Decimal(str(kwh)), deadline=NOW + round(deadline_h * HOUR))
    return Flexible(id, Decimal(7400), Decimal(1380), (wanted,), **more)  # type: ignore[arg-type]


def test_heat_comes_before_the_limit_is_taken_by_the_house() -> None:
    site = Site(import_limit_w=Decimal(5000), base_load=spans(600, 600, 3900, 3900, 700, 700))
    situation = house([0.3] * HOURS, pump(), site=site)
    problem = problem_of(situation)
    proposal = RuleEngine().plan(problem, Deadline.never(), None)
    assert proposal is not None
    found = judge(problem, proposal.schedule)
    assert not found.faults
    assert found.aims[0] == 0
    assert found.devices["pump"].comfort_c_h < 0.01


def test_a_home_is_planned_though_there_is_no_time() -> None:
    problem = problem_of(house([0.3] * HOURS, pump(), car("ev", 8, 6)))
    proposal = RuleEngine().plan(problem, Deadline.passed(), None)
    assert proposal is not None
    found = judge(problem, proposal.schedule)
    assert not found.faults
    assert not any(found.aims[:4])
    assert found.devices["pump"].comfort_c_h < 0.01


def test_of_years_a_house_is_kept_warm_for_days_though_there_is_no_time() -> None:
    days = 200
    held = replace(
        pump(),
        comfort=(ComfortSpan(NOW, NOW + days * 24 * HOUR, Decimal(19), Decimal(23)),),
        outdoor=(TemperatureSpan(NOW, NOW + days * 24 * HOUR, Decimal(3)),),
    )
    cars = [car(f"ev{k}", 8, 6) for k in range(3)]
    problem = problem_of(house([0.3] * 24 * days, held, *cars))
    proposal = RuleEngine().plan(problem, Deadline.passed(), None)
    assert proposal is not None
    assert not judge(problem, proposal.schedule).faults
    # As warm as it must be until then; after that nobody has looked.
    last = max(one.end for one in proposal.schedule["pump"])
    assert 9 * 24 * HOUR < last < 12 * 24 * HOUR


def test_the_car_that_leaves_first_is_charged_first_where_both_fit() -> None:
    site = Site(import_limit_w=Decimal(12000), base_load=spans(*[500] * 12))
    big = Flexible(
        "big",
        Decimal(11000),
        Decimal(4140),
        (Demand(Decimal(40), deadline=NOW + 11 * HOUR),),
        priority=1,
    )
    plan = make_plan(house([0.2] * 12, big, car("small", 8.5, 1.25), site=site))
    assert all(device.deadline_met for device in plan.devices)
    assert hours_on(plan, 1)[0][0] == 0


def test_a_demand_of_the_day_after_does_not_come_before_a_near_deadline() -> None:
    """Of a device that has a demand due even sooner, under a limit that carries one of both."""
    today, tomorrow = (
        Demand(Decimal(kwh), earliest=NOW + a * HOUR, deadline=NOW + b * HOUR)
        for kwh, a, b in ((10, 0, 4), (30, 4, 28))
    )
    heater = Flexible("heater", Decimal(5000), Decimal(5000), (today, tomorrow))
    vehicle = replace(car("ev", 30, 11), min_power_w=Decimal(4140))
    prices = [0.4] * 4 + [0.2] * 7 + [0.3] * 21
    situation = house(prices, heater, vehicle, site=Site(import_limit_w=Decimal(7500)))
    problem = problem_of(situation)
    proposal = RuleEngine().plan(problem, Deadline.passed(), None)
    assert proposal is not None
    assert not any(judge(problem, proposal.schedule).aims)


@st.composite
def houses(draw: st.DrawFn) -> Situation:
    base = draw(st.lists(st.sampled_from([200, 600, 2500, 4500]), min_size=HOURS, max_size=HOURS))
    roof = draw(st.lists(st.sampled_from([0, 0, 1500, 5000]), min_size=HOURS, max_size=HOURS))
    prices = draw(st.lists(st.integers(-5, 40), min_size=HOURS, max_size=HOURS))
    site = Site(
        import_limit_w=Decimal(draw(st.sampled_from([3000, 5000, 9000]))),
        export_limit_w=draw(st.sampled_from([None, Decimal(0), Decimal(2000)])),
        pv_curtailable=draw(st.booleans()),
        base_load=spans(*base),
        pv=spans(*roof),
    )
    times = draw(st.sampled_from([{}, {"min_on_s": 1800, "min_off_s": 900}, {"grid_s": 1800}]))
    block = Demand(Decimal(2), deadline=NOW + 6 * HOUR, contiguous=True)
    devices: list[Device] = [
        car("car", draw(st.sampled_from([1.37, 6, 30])), draw(st.sampled_from([2, 7])), **times),
        Flexible("block", Decimal(2000), Decimal(500), (block,)),
        Program(
            "washer",
            (ProfileSegment(1200, Decimal(2000)), ProfileSegment(1500, Decimal(150))),
            NOW + draw(st.sampled_from([1, 6])) * HOUR,
        ),
        Storage(
            "battery",
            Decimal(10),
            Decimal(draw(st.sampled_from([1, 5, 10]))),
            Decimal(3000),
            Decimal(3000),
            min_kwh=Decimal(1),
            charge_efficiency=Decimal("0.95"),
            discharge_efficiency=Decimal("0.95"),
            targets=draw(st.sampled_from([(), (StorageTarget(NOW + 5 * HOUR, Decimal(8)),)])),
            grid_charge=draw(st.booleans()),
        ),
        pump(on_since=draw(st.sampled_from([None, NOW - 600]))),
    ]
    chosen = [device for device in devices if draw(st.booleans())]
    exports = tuple(
        RateSpan(NOW + k * HOUR, NOW + (k + 1) * HOUR, Decimal(draw(st.integers(-5, 20))) / 100)
        for k in range(HOURS)
    )
    situation = house([price / 100 for price in prices], *chosen, site=site)
    late = draw(st.sampled_from([0, 61, 1234]))
    return replace(situation, export_rates=exports, now=NOW + late)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(houses())
def test_every_plan_keeps_the_rules_and_the_limit(situation: Situation) -> None:
    problem = problem_of(situation)
    proposal = RuleEngine().plan(problem, Deadline.never(), None)
    assert proposal is not None
    found = judge(problem, proposal.schedule)
    assert not found.faults
    if not any(getattr(model, "mandatory_s", 0) for model in problem.models):
        assert found.aims[0] == 0
    assert proposal.bound is not None
    assert proposal.bound <= found.objective
