"""What a new plan leaves as it was: what stands stays where changing it saves too little. Coupled.

In a house whose devices touch each other many plans are nearly as good, and each reading makes
another one the best. What storage does and how much a car takes has no edges that cost something,
so change costs alone do not hold it.
"""

from agent.planning.engine import Deadline
from agent.planning.judge import Judged, judge
from agent.planning.rule.keeping import kept_plan
from agent.planning.segments import Segment

# What a run that moves leaves where it was, each a change.
EDGES_OF_A_RUN = 2


def calmest(best: Judged, kept: Judged | None, deadline: Deadline) -> Judged:
    """The plan in force, where a better one saves less than moving one run costs: two edges.

    Where it saves more, as few devices as possible do something new: one after the other is given
    what the best plan has for it, that helps most, until the others are not worth moving.
    """
    problem = best.problem
    cost = problem.units.money(problem.situation.planner.change_cost)
    if kept is None or not cost or not problem.coupled:
        return best
    enough = best.objective + EDGES_OF_A_RUN * cost

    def is_enough(plan: Judged) -> bool:
        return plan.objective < enough and plan.misses_more(best.aims) <= 0

    if is_enough(kept):
        return kept
    moved = [m.id for m in problem.models if kept.schedule.get(m.id) != best.schedule.get(m.id)]
    anew: dict[str, tuple[Segment, ...]] = {}
    while len(moved) > 1 and not deadline.over():
        nearest: tuple[str, Judged] | None = None
        for id in moved:
            plan = judge(
                problem, kept_plan(problem, deadline, {**anew, id: best.schedule.get(id, ())})
            )
            if not plan.faults and (nearest is None or plan.beats(nearest[1])):
                nearest = id, plan
        if nearest is None:
            break
        id, plan = nearest
        if is_enough(plan):
            return plan
        anew[id] = best.schedule.get(id, ())
        moved.remove(id)
    return best
