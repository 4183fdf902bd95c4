"""Where it pays to sell and a battery may not: directions set by linear programmes alone."""

from agent.planning.engine import Deadline
from agent.planning.joint.highs import Highs
from agent.planning.joint.memory import Memory
from agent.planning.joint.patterns import enter_like
from agent.planning.joint.programme import Programme
from agent.planning.joint.recursion import ArrayKernel
from agent.planning.joint.search import Search
from agent.planning.problem import problem_of
from agent.planning.rule import RuleEngine
from tests.bench.houses import drawn, price_files, situation


def test_directions_that_break_each_other_are_set_at_once() -> None:
    """In this house each one that is set pushes flows into the next cell, for longer than it is
    followed; without a plan of its own it was left with the rule's for seconds."""
    problem = problem_of(situation(drawn("four", 3, price_files())))
    search = Search(problem, Deadline.never(), ArrayKernel(), Memory())
    proposal = RuleEngine().plan(problem, Deadline.never(), None)
    assert proposal is not None
    by_rule = search.consider(proposal.schedule)
    assert by_rule is not None
    programme = Programme(problem, strict=True)
    highs = Highs(programme.house.milp)
    relaxed = highs.solve(programme.house.money, 60.0, relaxed=True)
    assert relaxed.values is not None
    programme.tighten_directions(relaxed.values)
    enter_like(search, programme, highs)
    assert search.best is not None
    assert search.best.misses_more(by_rule.aims) <= 0
    saved = problem.units.currency(by_rule.objective - search.best.objective)
    assert saved > 1
