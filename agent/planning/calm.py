"""What a new plan leaves as it was: what stands stays where changing it saves too little. Coupled.

In a house whose devices touch each other many plans are nearly as good, and each reading makes
another one the best. What storage does and how much a car takes has no edges that cost something,
so change costs alone do not hold it.
"""

from dataclasses import dataclass

from agent.planning.devices.storage import ScaledStorage
from agent.planning.engine import Deadline
from agent.planning.judge import Judged, judge
from agent.planning.problem import Model
from agent.planning.rule.keeping import kept_plan
from agent.planning.segments import Segment

# What a run that moves leaves where it was, each a change.
EDGES_OF_A_RUN = 2


@dataclass(frozen=True, slots=True)
class Savings:
    """What another plan has to save: so many changes for each device that would do something new,
    `EDGES_OF_A_RUN` in all at least. Storage has no edges that a change cost counts."""

    of_appliance: int = 0
    of_storage: int = 0


OF_ONE_RUN = Savings()
# For those who tell devices what to do: each revision is one more that may be missed.
OF_EACH_DEVICE = Savings(EDGES_OF_A_RUN, 2 * EDGES_OF_A_RUN)


def calmest(
    best: Judged, kept: Judged | None, deadline: Deadline, savings: Savings = OF_ONE_RUN
) -> Judged:
    """The plan in force, where a better one saves less than it has to.

    Where it saves more, as few devices as possible do something new: one after the other is given
    what the best plan has for it, that helps most, until the others are not worth moving.
    """
    problem = best.problem
    cost = problem.units.money(problem.situation.planner.change_cost)
    if kept is None or not cost or not problem.coupled:
        return best
    moved = [m for m in problem.models if kept.schedule.get(m.id) != best.schedule.get(m.id)]

    def is_enough(plan: Judged) -> bool:
        edges = sum(
            savings.of_storage if isinstance(one, ScaledStorage) else savings.of_appliance
            for one in moved
        )
        enough = best.objective + max(EDGES_OF_A_RUN, edges) * cost
        return plan.objective < enough and plan.misses_more(best.aims) <= 0

    if is_enough(kept):
        return kept
    anew: dict[str, tuple[Segment, ...]] = {}
    while len(moved) > 1 and not deadline.over():
        nearest: tuple[Model, Judged] | None = None
        for one in moved:
            if deadline.over():
                return best
            schedule = {**anew, one.id: best.schedule.get(one.id, ())}
            plan = judge(problem, kept_plan(problem, deadline, schedule))
            if not plan.faults and (nearest is None or plan.beats(nearest[1])):
                nearest = one, plan
        if nearest is None:
            break
        one, plan = nearest
        anew[one.id] = best.schedule.get(one.id, ())
        moved.remove(one)
        if is_enough(plan):
            return plan
    return best
