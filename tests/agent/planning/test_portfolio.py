"""The best of all candidates wins, whoever made it, and nobody is believed."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.energy.plan import Engine as EngineName
from agent.energy.plan import Status
from agent.energy.situation import Planner, PowerSpan, PreviousPlan, Site, Situation
from agent.planning import make_plan
from agent.planning.candidates import clipped_incumbent
from agent.planning.engine import Deadline, Proposal
from agent.planning.judge import judge
from agent.planning.portfolio import ENGINES, Entry
from agent.planning.problem import Problem, problem_of
from agent.planning.segments import Schedule, Segment
from tests.agent.planning.tale import HOUR, NOW, demand, hours_on, house, load

QUARTER = 900


def kept(situation: Situation, cost: str, *runs: tuple[float, float]) -> Situation:
    """With a plan in force (hours from now) and what a change of it costs."""
    slots = tuple(
        PowerSpan(NOW + round(a * HOUR), NOW + round(b * HOUR), Decimal(1000)) for a, b in runs
    )
    planner = Planner(change_cost=Decimal(cost), previous=(PreviousPlan("load", slots),))
    return replace(situation, planner=planner)


class Fixed:
    """An engine that says what it was told to say."""

    def __init__(self, proposal: Proposal | None) -> None:
        self.proposal = proposal

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        return self.proposal


class Broken:
    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        raise RuntimeError("a fault that nobody foresaw")


def with_engine(engine: Fixed | Broken) -> tuple[Entry, ...]:
    return (*ENGINES, Entry(EngineName.JOINT, engine))


def test_an_engine_that_breaks_a_rule_is_not_heard() -> None:
    outside = {"load": (Segment(0, HOUR, 1_000_000, 0),)}
    situation = house([0.01, 0.3, 0.3], load(demand(1, 3, earliest_h=1)))
    plan = make_plan(situation, engines=with_engine(Fixed(Proposal(outside, None, True))))
    assert hours_on(plan) == [(1, 2)]


def test_an_engine_that_fails_costs_nobody_a_plan_and_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = make_plan(house([0.3, 0.1], load(demand(1, 2))), engines=with_engine(Broken()))
    assert hours_on(plan) == [(1, 2)]
    assert plan.status is Status.OPTIMAL
    assert "the joint engine failed" in caplog.text
    assert "a fault that nobody foresaw" in caplog.text


def test_a_bound_above_the_plan_is_cut_to_it() -> None:
    dear = Fixed(Proposal({}, 10**30))
    plan = make_plan(house([0.3, 0.1], load(demand(1, 2))), engines=with_engine(dear))
    assert plan.gap == 0


def test_what_is_left_of_the_plan_in_force_is_a_candidate() -> None:
    situation = kept(house([0.3] * 6, load(demand(2, 6))), "0.1", (-1, 1), (2, 4))
    old = clipped_incumbent(problem_of(situation), Deadline.never())
    assert old is not None
    # The hour before now is gone, and of the rest no more than is needed.
    assert [(one.start, one.end) for one in old["load"]] == [(0, HOUR), (2 * HOUR, 3 * HOUR)]


def test_the_plan_in_force_goes_on_where_more_is_needed_than_before() -> None:
    situation = kept(house([0.3] * 6, load(demand(3, 6))), "0.1", (1, 2))
    old = clipped_incumbent(problem_of(situation), Deadline.never())
    assert old is not None
    assert [(one.start, one.end) for one in old["load"]] == [(HOUR, 4 * HOUR)]


def test_what_whole_seconds_bring_too_much_after_a_deadline_is_not_missed_before_it() -> None:
    """Coupled, a run at its least power for whole seconds gives a little more than is lacking."""
    car = load(demand(2.000001, 2), min_power_w=Decimal(900))
    situation = house([0.3] * 4, car, site=Site(import_limit_w=Decimal(5000)))
    slots = (PowerSpan(NOW, NOW + 2 * HOUR, Decimal(1000)),)
    planner = Planner(change_cost=Decimal("0.01"), previous=(PreviousPlan("load", slots),))
    old = clipped_incumbent(problem_of(replace(situation, planner=planner)), Deadline.never())
    assert old is not None
    in_time = [one for one in old["load"] if one.end <= 2 * HOUR]
    assert sum(one.end - one.start for one in in_time) == 2 * HOUR
    assert {one.power for one in in_time} == {1_000_000}


@st.composite
def old_plans(draw: st.DrawFn) -> Situation:
    """A day of uneven prices, and a plan in force that still gives the energy."""
    prices = draw(st.lists(st.integers(0, 40), min_size=24, max_size=24))
    starts = sorted(draw(st.sets(st.integers(0, 22), min_size=1, max_size=4)))
    device = load(demand(len(starts), 24))
    minimum = draw(st.sampled_from([0, QUARTER]))
    device = replace(device, min_on_s=minimum, min_off_s=minimum)
    situation = house([price / 100 for price in prices], device)
    cost = draw(st.sampled_from(["0.01", "0.1", "0.5"]))
    return kept(situation, cost, *((start, start + 1) for start in starts))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(old_plans())
def test_a_new_plan_is_never_worse_than_keeping_the_old_one(situation: Situation) -> None:
    problem = problem_of(situation)
    old = clipped_incumbent(problem, Deadline.never())
    assert old is not None
    before = judge(problem, old)
    plan = make_plan(situation)
    if not before.faults and not any(before.aims):
        exact = problem.units.currency(before.objective)
        assert plan.objective <= Decimal(exact.numerator) / Decimal(exact.denominator)
    assert plan.bound <= plan.objective


def every_code(situations: Iterable[Situation]) -> Iterable[tuple[str, ...]]:
    """Of a device as a whole; those of single runs name their span."""
    for situation in situations:
        for device in make_plan(situation).devices:
            yield tuple(reason.code for reason in device.why if "end" not in reason.numbers)


def test_no_fact_is_told_twice_and_nothing_late_is_called_cheapest() -> None:
    situations = (
        house([0.3, 0.1], load(demand(3, 2))),
        house([0.3, 0.1, 0.2], load(demand(1, 3, price_cap=0.15), demand(1, 3))),
        house([], load(demand(1, 4))),
        house([0.3, 0.1], load(demand(5, 2, hard=False, value_per_kwh=0.2))),
    )
    for codes in every_code(situations):
        assert len(set(codes)) == len(codes)
        assert not {"cheapest", "shortfall"} <= set(codes)
