"""On until done: every hard demand as early as it may be, the one that is due first before."""

from collections.abc import Sequence
from dataclasses import replace

from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.exact.objectives import ServedSpan
from agent.planning.segments import Run


def until_done(device: ScaledDevice) -> list[ServedSpan]:
    """Demands without a cap only: where others may be served is not known before."""
    order = [
        i
        for i in by_deadline(device)
        if device.demands[i].hard and device.demands[i].cap is None and device.demands[i].needed_s
    ]
    if not order:
        return [(0, device.mandatory_s, None)] if device.mandatory_s else []
    plain = replace(device, demands=tuple(device.demands[i] for i in order))
    runs: list[Run] = [(0, device.mandatory_s)] if device.mandatory_s else []
    at = max(device.mandatory_s, device.blocked_s)
    # Where the one before is full: handing over within a run is no switching.
    full: int | None = None
    left = sum(one.needed_s for one in plain.demands)
    if device.mandatory_s:
        begun = assigned(plain, runs)
        left -= sum(b - a for a, b, i in begun if i is not None)
    for demand in sorted(plain.demands, key=lambda one: one.earliest):
        if full is not None and demand.earliest <= at:
            start = max(full, demand.earliest)
        else:
            start = _may_start(device, demand, at, runs)
        length = min(left, demand.needed_s)
        if length <= 0:
            continue
        length = max(length, device.min_on_s if not runs or runs[-1][1] < start else 0)
        full = end = start + length
        if device.grid_s:
            end += (demand.anchor - end) % device.grid_s
        runs = merged_runs([*runs, (start, end)])
        at = end
        left -= length
    return [(a, b, None if i is None else order[i]) for a, b, i in assigned(plain, runs)]


def _may_start(device: ScaledDevice, demand: ScaledDemand, at: int, runs: Sequence[Run]) -> int:
    """The first instant from `at` at which it may go on for this demand."""
    start = max(at, demand.earliest)
    if runs and start > runs[-1][1]:
        start = max(start, runs[-1][1] + device.min_off_s)
    elif not runs and device.running and start > 0:
        start = max(start, device.min_off_s)
    if device.grid_s:
        start += (demand.anchor - start) % device.grid_s
    return start


def assigned(device: ScaledDevice, runs: Sequence[Run]) -> list[ServedSpan]:
    """Runs for the demands, the one that is due first before others."""
    left = {i: demand.needed_s for i, demand in enumerate(device.demands)}
    out: list[ServedSpan] = []
    for start, end in runs:
        at = start
        while at < end:
            open_ = [i for i in by_deadline(device) if left[i] > 0]
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


def by_deadline(device: ScaledDevice) -> list[int]:
    return sorted(range(len(device.demands)), key=lambda i: (device.demands[i].deadline, i))


def merged_runs(runs: Sequence[Run]) -> list[Run]:
    out: list[Run] = []
    for start, end in sorted(runs):
        if out and out[-1][1] >= start:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out
