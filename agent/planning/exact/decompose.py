"""Demands whose windows lie apart are planned one group at a time: nothing couples them.

Where the best plan of a group, late energy included, ends long enough before the windows of the
next group begin, no plan of one changes what the other may do or costs. All aims are sums over the
groups, so the best of each is the best of all, ties included. A group that reaches into the next
one is joined with it. With a plan in force groups lie so far apart that no old edge is near two of
them and the time between them counts as off; each group has the old edges near it.
"""

from collections.abc import Callable
from dataclasses import replace

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.exact.outcome import Outcome
from agent.planning.incumbent import LASTING_S, SAME_EDGE_S

Search = Callable[[Task], Outcome]


def plan_apart(task: Task, search: Search) -> Outcome | None:
    """As `search` gives it; None where all demands are one group."""
    device = task.device
    # Runs that touch would be one run: a second lies between groups at least.
    gap = max(device.min_off_s, LASTING_S + 1 if device.incumbent.cost else 1)
    groups = _groups(device, gap)
    if len(groups) < 2:
        return None
    spans: list[ServedSpan] = []
    bound: int | None = 0
    proved, aims_proved, at = True, True, 0
    while at < len(groups):
        members = groups[at]
        if len(members) == len(device.demands):
            return None
        part = replace(device, demands=tuple(device.demands[i] for i in members))
        if at:
            part = replace(part, running=False, on_since=None, mandatory_s=0, blocked_s=0)
            part = replace(part, off_since=None)
        low = _begin(device, groups[at]) - SAME_EDGE_S if at else None
        high = _begin(device, groups[at + 1]) - SAME_EDGE_S if at + 1 < len(groups) else None
        part = replace(part, incumbent=device.incumbent.between(low, high))
        share = 1 / (len(groups) - at)
        own = Task(task.problem, part, task.deadline.share(share)).of(part)
        found = search(own)
        end = max((end for _, end, _ in found.spans), default=0)
        if at + 1 < len(groups) and end + gap > _begin(device, groups[at + 1]):
            groups[at : at + 2] = [members + groups[at + 1]]
            continue
        objective = own.judge(found.spans).objective
        least = objective if found.proved else found.bound
        bound = None if least is None or bound is None else bound + min(least, objective)
        spans += [(a, b, None if i is None else members[i]) for a, b, i in found.spans]
        proved = proved and found.proved
        aims_proved = aims_proved and (found.proved or found.aims_proved)
        at += 1
    return Outcome(spans, None if proved else bound, proved, aims_proved)


def _begin(device: ScaledDevice, members: list[int]) -> int:
    return min(device.demands[i].earliest for i in members)


def _groups(device: ScaledDevice, gap: int) -> list[list[int]]:
    """Indices of demands by windows that lie apart, in time order."""
    groups: list[list[int]] = []
    end = 0
    for index in sorted(range(len(device.demands)), key=lambda i: device.demands[i].earliest):
        demand = device.demands[index]
        if groups and demand.earliest < end + gap:
            groups[-1].append(index)
        else:
            groups.append([index])
        end = max(end, demand.deadline, device.mandatory_s, device.blocked_s)
    return groups
