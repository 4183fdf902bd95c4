"""What capped hard demands may get after their deadline: what they would miss without all caps."""

from dataclasses import replace

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.engine import Deadline
from agent.planning.exact.objectives import Task
from agent.planning.exact.one_device import plan_device
from agent.planning.joint.allowances import with_allowances as joint_allowances
from agent.planning.problem import Problem


def with_allowances(problem: Problem, deadline: Deadline) -> Problem:
    """The first demand in the list misses least of all, then the second, and so on."""
    if problem.coupled:
        return joint_allowances(problem, deadline)
    for model in problem.models:
        if isinstance(model, ScaledDevice) and _is_tight(model):
            task = Task(problem, model, deadline).of(model)
            problem = problem.with_model(_allowed(task))
    return problem


def _is_tight(device: ScaledDevice) -> bool:
    """Whether a capped demand might miss something without caps too."""
    room = device.blocked_s + device.min_on_s + device.mandatory_s
    room += 2 * device.grid_s + device.min_off_s
    room += sum(demand.needed_s for demand in device.demands)
    return any(
        demand.allowance_s is not None
        and demand.needed_s
        and demand.deadline - demand.earliest < room
        for demand in device.demands
    )


def _allowed(task: Task) -> ScaledDevice:
    """What the first demands miss together without the next one, each next one misses beyond that.

    So it is exactly where seconds do not depend on each other (which can be had together is a
    matroid); minimum times may want more.
    """
    device = task.device
    total = _missing(task, device.without_caps())
    demands = []
    before = 0
    for k, demand in enumerate(device.demands, 1):
        upto = total
        if not demand.hard:
            # It misses nothing.
            upto = before
        elif total > before and any(one.hard for one in device.demands[k:]):
            if not task.deadline.over():
                first = replace(device, demands=device.demands[:k])
                upto = min(total, _missing(task, first.without_caps()))
            elif demand.allowance_s is None:
                upto = before
        if demand.allowance_s is not None:
            demand = replace(demand, allowance_s=max(0, min(upto - before, demand.needed_s)))
        before = max(before, upto)
        demands.append(demand)
    return replace(device, demands=tuple(demands))


def _missing(task: Task, device: ScaledDevice) -> int:
    """Seconds that are missing at the deadlines of the best plan."""
    own = task.of(device)
    missing = own.judge(plan_device(own).spans).devices[device.id].missing
    return sum(-(-miss // device.power) for miss in missing)
