"""Plans so plain that nobody has to search for them.

The plan in force, cut to what is left of it; on until done; one block; each demand in the best time
of its own window. A candidate that breaks a rule is dropped by whoever judges it.
"""

from collections.abc import Iterator, Sequence

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.engine import Deadline
from agent.planning.exact.objectives import ServedSpan, Task, segments_of
from agent.planning.exact.own_windows import own_window_plans
from agent.planning.exact.until_done import assigned, by_deadline, merged_runs, until_done
from agent.planning.problem import Problem
from agent.planning.segments import Run, Schedule, Segment, joined


def plain_candidates(problem: Problem, deadline: Deadline) -> Iterator[Schedule]:
    old = clipped_incumbent(problem)
    if old is not None:
        yield old
    if problem.coupled or len(problem.models) != 1:
        return
    model = problem.models[0]
    if isinstance(model, ScaledDevice):
        task = Task(problem, model, deadline)
        yield {model.id: segments_of(model, until_done(model))}
        if model.coupled_in_time or model.grid_s or len(model.demands) > 1:
            # Else one look of the exact engine is as quick.
            for spans in own_window_plans(task):
                yield {model.id: segments_of(model, spans)}


def clipped_incumbent(problem: Problem) -> Schedule | None:
    """What is left of the plan in force; None where there is none."""
    now = problem.situation.now
    previous = {plan.id: plan.slots for plan in problem.situation.planner.previous}
    if not any(model.id in previous for model in problem.models):
        return None
    schedule: dict[str, tuple[Segment, ...]] = {}
    for model in problem.models:
        own = [
            Segment(max(0, slot.start - now), slot.end - now, problem.units.power(slot.power_w))
            for slot in previous.get(model.id, ())
            if slot.end > now
        ]
        if isinstance(model, ScaledDevice):
            runs = [(one.start, one.end) for one in joined(own) if one.power > 0]
            if problem.coupled:
                schedule[model.id] = _served(model, own)
            else:
                schedule[model.id] = segments_of(model, _refitted(model, merged_runs(runs)))
        elif isinstance(model, ScaledProgram):
            schedule[model.id] = joined(one for one in own if one.power)
        else:
            schedule[model.id] = joined(own)
    return schedule


def _served(device: ScaledDevice, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments of several powers, each for the demand that is due first and not yet full."""
    left = {i: demand.energy for i, demand in enumerate(device.demands)}
    out = []
    for start, end, power, _ in segments:
        at = start
        for i in by_deadline(device):
            if at >= end or not power:
                break
            demand = device.demands[i]
            begin = max(at, demand.earliest)
            until = min(end, begin - (-left[i] // power))
            if until > begin and left[i] > 0:
                out.append(Segment(begin, until, power, i))
                left[i] -= power * (until - begin)
                at = until
    return joined(out)


def _refitted(device: ScaledDevice, runs: list[Run]) -> list[ServedSpan]:
    """The old runs for the demands as they are now: cut where these are full, else prolonged."""
    if device.mandatory_s and (not runs or runs[0][0] > 0):
        runs = [(0, device.mandatory_s), *runs]
    needed = sum(demand.needed_s for demand in device.demands)
    have = sum(end - start for start, end in runs)
    fitted = [list(run) for run in runs]
    for run in reversed(fitted):
        surplus = have - needed
        if surplus <= 0:
            break
        floor = max(device.min_on_s, device.mandatory_s - run[0] if run[0] == 0 else 0, 0)
        cut = min(surplus, max(0, run[1] - run[0] - floor))
        if surplus >= run[1] - run[0] and not (run[0] == 0 and device.running):
            cut = run[1] - run[0]
        run[1] -= cut
        have -= cut
    for k, run in enumerate(fitted):
        if have >= needed:
            break
        last = fitted[k + 1][0] - max(1, device.min_off_s) if k + 1 < len(fitted) else 1 << 40
        more = min(needed - have, max(0, last - run[1])) if run[1] > run[0] else 0
        run[1] += more
        have += more
    return assigned(device, [(a, b) for a, b in merged_runs([(a, b) for a, b in fitted if b > a])])
