"""What is claimed of a plan is proved of that plan, not of a solution that rounding lost."""

from dataclasses import replace
from decimal import Decimal

import pytest

from agent.energy.situation import StorageTarget, TemperatureSpan
from agent.planning.engine import Deadline, Proposal
from agent.planning.joint.engine import JointEngine
from agent.planning.joint.highs import Highs
from agent.planning.joint.memory import Memory
from agent.planning.joint.mending import mended_values
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import ArrayKernel
from agent.planning.joint.search import Search
from agent.planning.judge import judge
from agent.planning.problem import problem_of
from agent.planning.segments import Segment
from tests.agent.planning.joint.homes import (
    HOUR,
    NOW,
    battery,
    car,
    demand,
    home,
    joint_plan,
    site,
    spans,
    tank,
)


def test_aims_are_proved_only_of_a_plan_that_reaches_them() -> None:
    one = home([0.1, 0.2], car(demand(2, 2)), site=site(import_limit_w=Decimal(2000)))
    problem = problem_of(one)
    search = Search(problem, Deadline.never(), ArrayKernel(), Memory())
    search.held, search.held_proved = {"shortfall0": 0.0}, True
    power = problem.units.power(Decimal(2000))

    search.consider({"car": (Segment(0, HOUR // 2, power, 0),)})
    short = search.proposal()
    search.consider({"car": (Segment(0, HOUR, power, 0),)})
    full = search.proposal()

    assert short is not None
    assert not short.aims_proved
    assert full is not None
    assert full.aims_proved


@pytest.mark.parametrize("with_minimum", [False, True], ids=["split", "minimum times"])
def test_whenever_the_time_ends_nothing_is_drawn_for_nobody(*, with_minimum: bool) -> None:
    """Plans on the way: the second car cannot be full in time; the first draws no more for it."""
    first = car(demand(6, 3), name="first", kw=6, least_kw=1.4)
    second = car(demand(6, 3), name="second", kw=4, least_kw=4)
    prices, limit_w = [0.2, 0.3, 0.1, 0.2], 4000
    if with_minimum:
        first = car(demand(6, 5), name="first", kw=6, least_kw=1.4)
        second = replace(car(demand(6, 1), name="second", kw=2, least_kw=2), min_on_s=1200)
        prices, limit_w = [0.3, -0.1, -0.1, 0.1, 0.2, 0.1], 3000
    limited = site(import_limit_w=Decimal(limit_w), base_load=spans(*6 * [0.37]))
    problem = problem_of(home(prices, first, second, site=limited))
    excess: list[float] = []

    def report(proposal: Proposal) -> None:
        devices = judge(problem, proposal.schedule).devices
        excess.append(problem.units.kwh(sum(one.excess for one in devices.values())))

    found = JointEngine(report).plan(problem, Deadline.never(), None)

    assert found is not None
    assert excess
    assert max(excess) < 0.005


def test_a_solution_that_breaks_a_rule_is_no_reason_to_stop() -> None:
    """To a programme without whole numbers the car is fed by the roof of the battery, while the
    battery is fed by the grid. What it misses at least without the rules is no aim that holds, and
    what it costs then is no bound of a plan that misses more."""
    fed = replace(
        battery(0, size=8, kw=4, grid_charge=False),
        id="fed",
        targets=(StorageTarget(NOW + 2 * HOUR, Decimal(6)),),
    )
    house = home(
        [0.2, 0.1, 0.3, 0.4],
        battery(0, size=6, kw=4),
        fed,
        car(demand(6, 4), kw=4),
        site=site(base_load=spans(*4 * [1.0]), import_limit_w=Decimal(9000)),
    )
    problem = problem_of(house)
    found = JointEngine().plan(problem, Deadline.never(), None)
    assert found is not None
    plan = judge(problem, found.schedule)
    assert not plan.faults
    assert found.aims_proved
    assert found.bound is not None
    assert found.bound <= plan.objective
    # What the battery takes in the first hour it gives in the second.
    missed = plan.devices["fed"].target_kwh
    assert missed == pytest.approx(6 - 3, abs=0.01)


def test_rounding_a_solution_takes_nothing_from_the_programme() -> None:
    """A car of 4 kW or nothing beside a roof of 1 kW: to be rounded, it is given on and off in more
    cells, and may still be on in all of them afterwards."""
    one = car(demand(2.2, 2), kw=4, least_kw=4)
    house = home([0.3, 0.1], one, site=site(pv=spans(1, 1), import_limit_w=Decimal(9000)))
    programme = Programme(problem_of(house), strict=True)
    highs = Highs(programme.house.milp)
    money = programme.house.money
    relaxed = highs.solve(money, 60, relaxed=True)
    assert relaxed.values is not None
    mended = mended_values(programme, highs, relaxed.values, lambda: 60.0)
    assert mended is not None
    device = programme.flexible["car"]
    assert device.opened
    for k in device.opened:
        assert programme.house.milp.upper[device.on[k]] == 1.0
    true = float(joint_plan(house).objective)
    assert highs.solve(money, 60).bound + programme.house.constant <= true + 1e-6


def test_many_cells_at_the_least_temperature_are_comfort() -> None:
    """A tank that is kept at its minimum for a day: what floats are wrong by adds up to nothing."""
    cold = (TemperatureSpan(NOW, NOW + 24 * HOUR, Decimal(20)),)
    kept = tank(50, loss_w_per_c=Decimal("1.5"), outdoor=cold)
    day = home([0.2 + 0.01 * (k % 5) for k in range(24)], kept, site=site(pv=spans(*24 * [0.02])))
    problem = problem_of(day)
    found = JointEngine().plan(problem, Deadline.never(), None)
    assert found is not None
    plan = judge(problem, found.schedule)
    assert not any(plan.aims)
    assert found.aims_proved
