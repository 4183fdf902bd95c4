"""A demand that cannot be had in time: on from the first instant that it may be, until done.

Proved where even so it is not full by its deadline: nobody has more of it in time, and what is late
cannot come earlier. Unknown time and money, old plans among it, do not matter before that.
"""

from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.exact.outcome import Outcome


def plan_overdue(task: Task) -> Outcome | None:
    """None where it may be had in time, or where caps and blocks say otherwise."""
    device = task.device
    if len(device.demands) != 1:
        return None
    demand = device.demands[0]
    if not demand.hard or demand.cap is not None or demand.contiguous:
        return None
    spans: list[ServedSpan] = []
    served = 0
    at = 0
    if device.mandatory_s:
        begin = min(demand.earliest, device.mandatory_s)
        served = min(device.mandatory_s - begin, demand.needed_s)
        parts = [(0, begin, None), (begin, begin + served, 0)]
        parts.append((begin + served, device.mandatory_s, None))
        spans = [part for part in parts if part[1] > part[0]]
        at = device.mandatory_s
    begin = max(at, demand.earliest, device.blocked_s)
    goes_on = device.running and begin == at
    if device.running and not goes_on:
        begin = max(begin, at + device.min_off_s)
    if not goes_on and device.grid_s:
        begin += (demand.anchor - begin) % device.grid_s
    left = demand.needed_s - served
    if left <= 0 or begin + left < demand.deadline:
        return None
    length = left if goes_on else max(left, device.min_on_s)
    if device.grid_s:
        length += (demand.anchor - begin - length) % device.grid_s
    spans.append((begin, begin + length, 0))
    if spans[-1][0] == spans[0][1] and len(spans) == 2 and spans[0][2] == 0:
        spans = [(spans[0][0], spans[-1][1], 0)]
    return Outcome(spans, proved=True)
