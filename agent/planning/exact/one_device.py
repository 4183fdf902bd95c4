"""The exact plan of one flexible device: which method proves it."""

from dataclasses import replace

from agent.planning.exact import contiguous, interruptible
from agent.planning.exact.assignment import plan_assignment
from agent.planning.exact.decompose import plan_apart
from agent.planning.exact.minimum_times import plan_with_minimum_times
from agent.planning.exact.objectives import ServedSpan, Task
from agent.planning.exact.outcome import Outcome
from agent.planning.exact.priced_switching import plan_priced_switching


def plan_device(task: Task) -> Outcome:
    """Demands that ask for nothing are left out."""
    device = task.device
    going_on = next((i for i, demand in enumerate(device.demands) if demand.under_way), None)
    if going_on is not None:
        return _block_goes_on(task, going_on)
    asked = [i for i, demand in enumerate(device.demands) if demand.needed_s]
    if len(asked) in (0, len(device.demands)):
        return _search(task)
    some = task.of(replace(device, demands=tuple(device.demands[i] for i in asked)))
    outcome = _search(some)
    spans = _renamed(outcome.spans, asked)
    if device.grid_s and task.judge(spans).devices[device.id].shortfall:
        # A step of the grid that one demand may not fill may be filled by another.
        return _search(task)
    return replace(outcome, spans=spans)


def _renamed(spans: list[ServedSpan], indices: list[int]) -> list[ServedSpan]:
    return [(a, b, None if i is None else indices[i]) for a, b, i in spans]


def _block_goes_on(task: Task, index: int) -> Outcome:
    """The block under way from now to its end, the other demands after it."""
    device = task.device
    end = max(device.demands[index].max_s, device.mandatory_s)
    if device.grid_s:
        end += (device.demands[index].anchor - end) % device.grid_s
    spans: list[ServedSpan] = [(0, end, index)]
    others = [i for i, one in enumerate(device.demands) if i != index and one.needed_s]
    if not others:
        return Outcome(spans, proved=True)
    demands = tuple(
        replace(device.demands[i], earliest=max(device.demands[i].earliest, end)) for i in others
    )
    # The run goes on or ends here: what follows at once is no start.
    rest = replace(
        device,
        demands=demands,
        mandatory_s=0,
        running=False,
        on_since=None,
        blocked_s=end + device.min_off_s,
    )
    return Outcome(spans + _renamed(_search(task.of(rest)).spans, others))


def _search(task: Task) -> Outcome:
    device = task.device
    if not device.demands and not device.mandatory_s and not device.incumbent.cost:
        return Outcome([], proved=True)
    apart = plan_apart(task, _search)
    if apart is not None:
        return apart
    if interruptible.fits(device):
        spans = interruptible.plan_interruptible(task)
        if spans is not None:
            return Outcome(spans, proved=True)
    if contiguous.fits(device):
        return Outcome(contiguous.plan_contiguous(task), proved=True)
    if device.wants_nothing:
        return Outcome([(0, device.mandatory_s, None)] if device.mandatory_s else [], proved=True)
    assigned = plan_assignment(task)
    if assigned is not None:
        return assigned
    priced = plan_priced_switching(task)
    if priced is not None and (priced.proved or priced.aims_proved):
        return priced
    return plan_with_minimum_times(task)
