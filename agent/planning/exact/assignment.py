"""Several interruptible demands (placeholder until the assignment lands)."""

from agent.planning.exact.objectives import Task
from agent.planning.exact.outcome import Outcome


def plan_assignment(task: Task) -> Outcome | None:
    del task
    return None
