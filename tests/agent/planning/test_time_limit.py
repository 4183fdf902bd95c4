"""A plan is there within its time whatever the size: time is counted in calls, not by a clock."""

import random
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from types import FrameType

import pytest

from agent.energy.plan import Plan
from agent.energy.situation import (
    ComfortSpan,
    Demand,
    Device,
    Flexible,
    Planner,
    PowerSpan,
    PreviousPlan,
    ProfileSegment,
    Program,
    RateSpan,
    Site,
    Situation,
    Storage,
    TemperatureSpan,
    Thermal,
)
from agent.planning import make_plan
from agent.planning.calm import calmest
from agent.planning.candidates import clipped_incumbent
from agent.planning.engine import Deadline
from agent.planning.joint.engine import JointEngine
from agent.planning.judge import judge
from agent.planning.problem import problem_of
from agent.planning.rule import RuleEngine
from tests.agent.planning.tale import HOUR, NOW, house

QUARTER = 900
DAYS = 2
# Seconds of the counted clock; a call counts as so much of one.
LIMIT_S, CALL_S = 1.0, 2e-6


class Work:
    """A monotonic clock that goes on with every call that the code under test makes."""

    def __init__(self) -> None:
        self.calls = 0

    def seconds(self) -> float:
        return self.calls * CALL_S

    @contextmanager
    def counted(self) -> Iterator[None]:
        def count(frame: FrameType, event: str, argument: object) -> None:
            self.calls += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            yield
        finally:
            sys.setprofile(before)


def planned(situation: Situation, limit_s: float = LIMIT_S) -> tuple[Plan, float]:
    """The plan, and the seconds of counted work that it took."""
    work = Work()
    with work.counted():
        plan = make_plan(situation, work.seconds, limit_s)
    return plan, work.seconds()


def rates(chance: random.Random, count: int) -> tuple[RateSpan, ...]:
    return tuple(
        RateSpan(
            NOW + k * QUARTER,
            NOW + (k + 1) * QUARTER,
            Decimal(chance.randrange(-100, 500)) / 1000,
            Decimal(1),
        )
        for k in range(count)
    )


def flexible(chance: random.Random, name: str, demands: int) -> Flexible:
    """Minimum times, blocks, caps, what is only worth something: all that makes runs hard."""

    def one() -> Demand:
        earliest = NOW + chance.randrange(0, 32) * HOUR
        return Demand(
            Decimal(chance.randrange(100, 3000)) / 1000,
            deadline=earliest + chance.randrange(4, 96) * QUARTER,
            earliest=earliest,
            contiguous=chance.random() < 0.4,
            price_cap=chance.choice([None, Decimal("0.2")]),
        )

    return Flexible(
        name,
        Decimal(chance.choice([1000, 3300, 7400])),
        Decimal(800),
        tuple(one() for _ in range(demands)),
        chance.randrange(3),
        chance.choice([600, 1801]),
        chance.choice([0, 901]),
        Decimal("0.03"),
    )


def crowded(devices: int, demands: int, import_limit_w: Decimal) -> Situation:
    chance = random.Random(3)
    return Situation(
        NOW,
        "Europe/Berlin",
        "EUR",
        rates(chance, DAYS * 96),
        site=Site(import_limit_w),
        devices=tuple(flexible(chance, f"d{k}", demands) for k in range(devices)),
    )


def everything(count: int) -> Situation:
    chance = random.Random(5)
    end = NOW + DAYS * 24 * HOUR
    many = crowded(count, 16, import_limit_w=Decimal(15000))
    devices = list(many.devices)
    for k in range(count):
        devices.append(
            Storage(f"b{k}", Decimal(10), Decimal(4), Decimal(5000), Decimal(5000), export=True)
        )
        devices.append(
            Thermal(
                f"h{k}",
                Decimal(3000),
                Decimal(20),
                Decimal(4),
                min_power_w=Decimal(800),
                min_on_s=1200,
                min_off_s=900,
                loss_w_per_c=Decimal(180),
                comfort=(ComfortSpan(NOW, end, Decimal(20), Decimal(22)),),
                outdoor=(TemperatureSpan(NOW, end, Decimal(2)),),
            )
        )
        profile = tuple(
            ProfileSegment(chance.randrange(30, 4000), Decimal(chance.randrange(10, 2500)))
            for _ in range(20)
        )
        devices.append(Program(f"p{k}", profile, NOW + chance.randrange(6, 46) * HOUR))
    return replace(many, devices=tuple(devices))


@pytest.mark.parametrize(
    "situation",
    [
        crowded(16, 16, import_limit_w=Decimal(11000)),
        crowded(48, 32, import_limit_w=Decimal(11000)),
        everything(6),
    ],
    ids=["16 x 16", "48 x 32", "all kinds"],
)
def test_a_crowd_under_a_limit_is_planned_in_time(situation: Situation) -> None:
    plan, took = planned(situation)
    # Reading the sizes and judging and writing what is planned has no choice.
    assert took <= 1.5 * LIMIT_S
    assert len(plan.devices) == len(situation.devices)
    limit = situation.site.import_limit_w
    assert limit is not None
    assert all(span.import_w <= limit for span in plan.site)


def stays(count: int) -> tuple[Demand, ...]:
    """Two hours' need in each of so many windows, one behind the other."""
    return tuple(
        Demand(Decimal(3), earliest=NOW + k * 3 * HOUR, deadline=NOW + (k * 3 + 9) * HOUR)
        for k in range(count)
    )


def test_to_let_a_car_of_many_stays_switch_less_takes_no_more_than_there_is_time() -> None:
    chance = random.Random(6)
    car = Flexible("ev", Decimal(7400), Decimal(1400), stays(64), min_on_s=600)
    situation = Situation(
        NOW,
        "Europe/Berlin",
        "EUR",
        rates(chance, 15 * 96),
        site=Site(import_limit_w=Decimal(8000)),
        devices=(car,),
    )
    plan, took = planned(situation)
    assert took <= 1.2 * LIMIT_S
    assert plan.devices[0].deadline_met


def test_to_see_what_may_stay_of_a_plan_takes_no_more_than_there_is_time() -> None:
    count = 5
    cars = tuple(
        Flexible(
            f"c{k}", Decimal(3000), Decimal(1400), (Demand(Decimal(2), deadline=NOW + 40 * HOUR),)
        )
        for k in range(count)
    )
    old = tuple(PreviousPlan(one.id, (PowerSpan(NOW, NOW + HOUR, Decimal(2000)),)) for one in cars)
    change = Planner(change_cost=Decimal("0.0001"), previous=old)
    limit = Site(import_limit_w=Decimal(90_000))
    problem = problem_of(house([0.9] + [0.1, 0.2] * 20, *cars, site=limit, planner=change))
    kept = clipped_incumbent(problem, Deadline.never())
    found = RuleEngine().plan(problem, Deadline.never(), None)
    assert kept is not None
    assert found is not None
    both = judge(problem, found.schedule), judge(problem, kept)

    def calls(looks: int) -> int:
        """When time is over after so many looks at the clock."""
        left = looks

        def clock() -> float:
            nonlocal left
            left -= 1
            return 0.0 if left > 0 else 1.0

        work = Work()
        with work.counted():
            calmest(*both, Deadline(clock, 0.5))
        return work.calls

    # In vain it looks at one device or two after that, not at all of them.
    assert calls(2) < calls(1000) / count


def test_what_would_take_hundreds_of_megabytes_is_left_to_the_other_engines() -> None:
    """Sixty demands of each of two cars, all in the same day: a million entries."""
    wanted = Demand(Decimal("0.3"), deadline=NOW + 24 * HOUR)
    cars = [
        Flexible(name, Decimal(7000), Decimal(1400), (wanted,) * 60, min_on_s=1800)
        for name in ("one", "two")
    ]
    situation = replace(crowded(0, 0, Decimal(8000)), devices=tuple(cars))
    work = Work()
    with work.counted():
        assert JointEngine().plan(problem_of(situation), Deadline.never(), None) is None
    assert work.calls < 2_000_000


def test_in_haste_what_is_first_is_served_and_what_is_not_is_late() -> None:
    situation = crowded(16, 16, import_limit_w=Decimal(11000))
    plan, _ = planned(situation, LIMIT_S / 4)
    assert sum(device.energy_kwh for device in plan.devices) > 0
    assert any(not one.deadline_met and one.shortfall_kwh > 0 for one in plan.devices)


@pytest.mark.parametrize("looks", [0, 1, 5, 25, 200, 2000])
def test_whenever_time_is_over_the_rule_has_a_plan_that_keeps_every_rule(looks: int) -> None:
    left = looks

    def clock() -> float:
        nonlocal left
        left -= 1
        return 0.0 if left > 0 else 1.0

    problem = problem_of(everything(2))
    proposal = RuleEngine().plan(problem, Deadline(clock, 0.5), None)
    assert proposal is not None
    assert not judge(problem, proposal.schedule).faults


def test_more_time_makes_no_plan_worse() -> None:
    situation = crowded(4, 6, import_limit_w=Decimal(9000))
    problem = problem_of(situation)

    def order(limit_s: float) -> tuple[int | float, ...]:
        work = Work()
        with work.counted():
            proposal = RuleEngine().plan(problem, Deadline.after(work.seconds, limit_s), None)
        assert proposal is not None
        return judge(problem, proposal.schedule).order

    assert order(30.0) <= order(0.05)


def test_a_deadline_in_ten_years_makes_no_work_of_ten_years() -> None:
    far = NOW + 3650 * 24 * HOUR
    chance = random.Random(1)
    need = Demand(Decimal(10000), deadline=far)
    situation = Situation(
        NOW,
        "Europe/Berlin",
        "EUR",
        rates(chance, DAYS * 96),
        site=Site(import_limit_w=Decimal(9000), pv=(PowerSpan(NOW, NOW + HOUR, Decimal(500)),)),
        devices=(Flexible("ev", Decimal(7400), Decimal(0), (need,)),),
    )
    plan, took = planned(situation)
    assert took <= LIMIT_S
    assert plan.devices[0].energy_kwh == pytest.approx(10000, abs=Decimal("0.005"))
    assert plan.devices[0].deadline_met


def test_a_store_that_keeps_no_warmth_is_planned_all_the_same() -> None:
    end = NOW + DAYS * 24 * HOUR
    leaky = Thermal(
        "shed",
        Decimal(3000),
        Decimal(20),
        Decimal("0.001"),
        loss_w_per_c=Decimal(999_999_999),
        comfort=(ComfortSpan(NOW, end, Decimal(20), Decimal(22)),),
        outdoor=(TemperatureSpan(NOW, end, Decimal(2)),),
    )
    few = rates(random.Random(1), 8)
    plan = make_plan(Situation(NOW, "Europe/Berlin", "EUR", few, devices=(leaky,)))
    assert [device.id for device in plan.devices] == ["shed"]


CELLS = 6000


def many_rates(device: Device, site: Site | None = None) -> Situation:
    """Edges of the rates beside those of the clock: each quarter hour is two cells."""
    shifted = tuple(
        replace(one, start=one.start - 450, end=one.end - 450)
        for one in rates(random.Random(3), CELLS // 2)
    )
    return Situation(NOW, "Europe/Berlin", "EUR", shifted, site=site or Site(), devices=(device,))


CAR = Flexible("ev", Decimal(7400), Decimal(1400), (Demand(Decimal(20), deadline=NOW + 24 * HOUR),))
BATTERY = Storage("battery", Decimal(10), Decimal(4), Decimal(5000), Decimal(5000))
LIMITS = tuple(
    PowerSpan(NOW + 37 + k * HOUR, NOW + 37 + k * HOUR + 2400, Decimal(3000)) for k in range(1000)
)
MANY = {
    "a battery": many_rates(BATTERY),
    "a car under limits": many_rates(CAR, Site(import_limits=LIMITS)),
    "a heat pump": many_rates(everything(1).devices[2]),
}


@pytest.mark.parametrize("name", MANY)
def test_years_of_rates_take_little_time_and_memory(name: str) -> None:
    situation = MANY[name]
    tracemalloc.start()
    plan = make_plan(situation)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(device.deadline_met for device in plan.devices)
    # Of a cell, from the problem to the plan; a heat pump has slots in most of them.
    assert most / CELLS < (900 if name == "a heat pump" else 500)
    work = Work()
    with work.counted():
        make_plan(situation)
    assert work.calls / CELLS < (240 if name == "a heat pump" else 115)


def test_what_is_served_weeks_late_is_in_the_plan() -> None:
    """Alone late energy is served however late, far beyond the last price."""
    needs = tuple(Demand(Decimal(100), deadline=NOW + HOUR) for _ in range(3))
    situation = Situation(
        NOW,
        "Europe/Berlin",
        "EUR",
        rates(random.Random(4), 96),
        devices=(Flexible("boiler", Decimal(1000), demands=needs), CAR),
    )
    plan = make_plan(situation)
    late = plan.devices[0]
    assert not late.deadline_met
    assert late.energy_kwh == 300
    assert late.slots[-1].end == NOW + 300 * HOUR
    assert plan.site[-1].end >= NOW + 300 * HOUR
