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
        return joint_allowances(problem)
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
    device = task.device
    free = task.of(device.without_caps())
    missing = free.judge(plan_device(free).spans).devices[device.id].missing
    # Together they miss as little as can be; who of them does is decided by the list.
    total = sum(-(-miss // device.power) for miss in missing)
    demands = []
    for demand in device.demands:
        if demand.allowance_s is not None:
            share = max(0, min(total, demand.needed_s))
            demand = replace(demand, allowance_s=share)
            total -= share
        demands.append(demand)
    return replace(device, demands=tuple(demands))
