"""Plans so plain that nobody has to search for them.

The plan in force, cut to what is left of it; on until done; one block; each demand in the best time
of its own window. A candidate that breaks a rule is dropped by whoever judges it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.engine import Deadline
from agent.planning.exact import contiguous, interruptible
from agent.planning.exact.objectives import ServedSpan, Task, segments_of
from agent.planning.problem import Problem
from agent.planning.segments import Run, Schedule, Segment, joined


def plain_candidates(problem: Problem) -> Iterator[Schedule]:
    old = clipped_incumbent(problem)
    if old is not None:
        yield old
    if problem.coupled or len(problem.models) != 1:
        return
    model = problem.models[0]
    if isinstance(model, ScaledDevice):
        task = Task(problem, model, Deadline.never())
        for spans in (_until_done(model), _one_block(task), _own_windows(task)):
            if spans is not None:
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
                schedule[model.id] = segments_of(model, _refitted(model, _merged(runs)))
        elif isinstance(model, ScaledProgram):
            schedule[model.id] = joined(one for one in own if one.power)
        else:
            schedule[model.id] = joined(own)
    return schedule


def _merged(runs: Sequence[Run]) -> list[Run]:
    out: list[Run] = []
    for start, end in sorted(runs):
        if out and out[-1][1] >= start:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out


def _served(device: ScaledDevice, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Segments of several powers, each for the demand that is due first and not yet full."""
    left = {i: demand.energy for i, demand in enumerate(device.demands)}
    out = []
    for start, end, power, _ in segments:
        at = start
        for i in _by_deadline(device):
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


def _by_deadline(device: ScaledDevice) -> list[int]:
    return sorted(range(len(device.demands)), key=lambda i: (device.demands[i].deadline, i))


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
    return _assigned(device, [(a, b) for a, b in _merged([(a, b) for a, b in fitted if b > a])])


def _assigned(device: ScaledDevice, runs: Sequence[Run]) -> list[ServedSpan]:
    """Runs for the demands, the one that is due first before others."""
    left = {i: demand.needed_s for i, demand in enumerate(device.demands)}
    out: list[ServedSpan] = []
    for start, end in runs:
        at = start
        while at < end:
            open_ = [i for i in _by_deadline(device) if left[i] > 0]
            who = next((i for i in open_ if device.demands[i].earliest <= at), None)
            later = [device.demands[i].earliest for i in open_ if device.demands[i].earliest > at]
            until = min([end, *later])
            if who is not None:
                until = min(until, at + left[who])
                left[who] -= until - at
                out.append((at, until, who))
            elif at < device.mandatory_s:
                until = min(until, device.mandatory_s)
                out.append((at, until, None))
            elif out and out[-1][1] == at and out[-1][2] is not None:
                # Nobody needs it: the last that was served takes the rest of the run.
                out[-1] = (out[-1][0], until, out[-1][2])
            at = until
    return out


def _until_done(device: ScaledDevice) -> list[ServedSpan]:
    """Every hard demand without a cap as early as it may be, the one that is due first before."""
    order = [
        i
        for i in _by_deadline(device)
        if device.demands[i].hard and device.demands[i].cap is None and device.demands[i].needed_s
    ]
    if not order:
        return [(0, device.mandatory_s, None)] if device.mandatory_s else []
    plain = replace(device, demands=tuple(device.demands[i] for i in order))
    runs: list[Run] = [(0, device.mandatory_s)] if device.mandatory_s else []
    at = max(device.mandatory_s, device.blocked_s)
    left = sum(one.needed_s for one in plain.demands)
    if device.mandatory_s:
        begun = _assigned(plain, runs)
        left -= sum(b - a for a, b, i in begun if i is not None)
    for demand in sorted(plain.demands, key=lambda one: one.earliest):
        start = max(at, demand.earliest)
        if runs and start > runs[-1][1] and start - runs[-1][1] < device.min_off_s:
            start = runs[-1][1] + device.min_off_s
        if not runs and device.running and 0 < start < device.min_off_s:
            start = device.min_off_s
        if device.grid_s:
            start += (demand.anchor - start) % device.grid_s
        length = min(left, demand.needed_s)
        if length <= 0:
            continue
        length = max(length, device.min_on_s if not runs or runs[-1][1] < start else 0)
        end = start + length
        if device.grid_s:
            end += (demand.anchor - end) % device.grid_s
        runs = _merged([*runs, (start, end)])
        at = end
        left -= length
    return [(a, b, None if i is None else order[i]) for a, b, i in _assigned(plain, runs)]


def _one_block(task: Task) -> list[ServedSpan] | None:
    """One demand in one piece, where that costs least."""
    device = task.device
    if len(device.demands) != 1 or device.running:
        return None
    demand = device.demands[0]
    if not demand.hard or demand.cap is not None or not demand.needed_s:
        return None
    whole = replace(device, demands=(replace(demand, contiguous=True),))
    return contiguous.plan_contiguous(task.of(whole))


def _own_windows(task: Task) -> list[ServedSpan] | None:
    """Each demand, by deadline, in the best time of its own window that others have left."""
    device = task.device
    if device.running or device.grid_s or len(device.demands) < 2:
        return None
    taken: list[ServedSpan] = []
    for i in _by_deadline(device):
        demand = device.demands[i]
        after = [b + device.min_off_s for _, b, _ in taken]
        first = max([demand.earliest, device.blocked_s, *after])
        alone = replace(device, demands=(replace(demand, earliest=first),), blocked_s=first)
        own = task.of(alone)
        if not demand.needed_s:
            continue
        if device.coupled_in_time or demand.contiguous:
            if not demand.hard or demand.cap is not None:
                continue
            spans = contiguous.plan_contiguous(own)
        else:
            free = replace(alone, blocked_s=0)
            found = interruptible.plan_interruptible(task.of(free))
            if found is None:
                return None
            spans = found
        taken += [(a, b, i) for a, b, _ in spans]
    return sorted(taken, key=lambda span: span[0])
