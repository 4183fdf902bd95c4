"""Plans so plain that nobody has to search for them.

The plan in force, cut to what is left of it; and alone: on until done, one block, each demand in
the best time of its own window, a program where it costs least. A candidate that breaks a rule is
dropped by whoever judges it.
"""

from collections.abc import Iterator

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.engine import Deadline
from agent.planning.exact.objectives import ServedSpan, Task, segments_of
from agent.planning.exact.own_windows import own_window_plans
from agent.planning.exact.program_start import best_start
from agent.planning.exact.until_done import assigned, merged_runs, until_done
from agent.planning.problem import Problem
from agent.planning.rule.keeping import kept_plan, old_slots
from agent.planning.segments import Run, Schedule, Segment, joined


def plain_candidates(problem: Problem, deadline: Deadline) -> Iterator[Schedule]:
    if problem.coupled or len(problem.models) != 1:
        return
    model = problem.models[0]
    if isinstance(model, ScaledProgram):
        # It cannot be taken back once it has started, whatever is planned a minute later.
        yield {model.id: model.segments_from(best_start(problem, model))}
    elif isinstance(model, ScaledDevice):
        task = Task(problem, model, deadline)
        yield {model.id: segments_of(model, until_done(model))}
        if model.coupled_in_time or model.grid_s or len(model.demands) > 1:
            # Else one look of the exact engine is as quick.
            for spans in own_window_plans(task):
                yield {model.id: segments_of(model, spans)}


def clipped_incumbent(problem: Problem, deadline: Deadline) -> Schedule | None:
    """What is left of the plan in force; None where there is none."""
    if all(old_slots(problem, model) is None for model in problem.models):
        return None
    if problem.coupled:
        return kept_plan(problem, deadline)
    schedule: dict[str, tuple[Segment, ...]] = {}
    for model in problem.models:
        own = joined(one for one in old_slots(problem, model) or () if one.power > 0)
        if isinstance(model, ScaledDevice):
            runs = [(one.start, one.end) for one in own]
            own = segments_of(model, _refitted(model, merged_runs(runs)))
        schedule[model.id] = own
    return schedule


def _refitted(device: ScaledDevice, runs: list[Run]) -> list[ServedSpan]:
    """The old runs for the demands as they are now: cut where these are full, else prolonged, by
    whole steps of the device's grid."""
    if device.mandatory_s and (not runs or runs[0][0] > 0):
        runs = [(0, device.mandatory_s), *runs]
    step = device.grid_s or 1
    needed = sum(demand.needed_s for demand in device.demands)
    have = sum(end - start for start, end in runs)
    fitted = [list(run) for run in runs]
    for run in reversed(fitted):
        surplus = (have - needed) // step * step
        if surplus <= 0:
            break
        floor = max(device.min_on_s, device.mandatory_s - run[0] if run[0] == 0 else 0, 0)
        cut = min(surplus, max(0, run[1] - run[0] - floor)) // step * step
        if surplus >= run[1] - run[0] and not (run[0] == 0 and device.running):
            cut = run[1] - run[0]
        run[1] -= cut
        have -= cut
    for k, run in enumerate(fitted):
        if have >= needed:
            break
        last = fitted[k + 1][0] - max(1, device.min_off_s) if k + 1 < len(fitted) else 1 << 40
        missing = -(-(needed - have) // step) * step
        more = min(missing, max(0, last - run[1]) // step * step) if run[1] > run[0] else 0
        run[1] += more
        have += more
    return assigned(device, [(a, b) for a, b in merged_runs([(a, b) for a, b in fitted if b > a])])
