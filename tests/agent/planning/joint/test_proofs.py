"""What is claimed of a plan is proved of that plan, not of a solution that rounding lost."""

from decimal import Decimal

from agent.planning.engine import Deadline
from agent.planning.joint.memory import Memory
from agent.planning.joint.recursion import ArrayKernel
from agent.planning.joint.search import Search
from agent.planning.problem import problem_of
from agent.planning.segments import Segment
from tests.agent.planning.joint.homes import HOUR, car, demand, home, site


def test_aims_are_proved_only_of_a_plan_that_reaches_them() -> None:
    one = home([0.1, 0.2], car(demand(2, 2)), site=site(import_limit_w=Decimal(2000)))
    problem = problem_of(one)
    search = Search(problem, Deadline.never(), ArrayKernel(), Memory())
    search.least = {"shortfall0": 0.0}
    power = problem.units.power(Decimal(2000))

    search.consider({"car": (Segment(0, HOUR // 2, power, 0),)})
    short = search.proposal()
    search.consider({"car": (Segment(0, HOUR, power, 0),)})
    full = search.proposal()

    assert short is not None
    assert not short.aims_proved
    assert full is not None
    assert full.aims_proved
