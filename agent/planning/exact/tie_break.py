"""The last tie rule: of plans that are equal otherwise, the one with the longer first run."""

from agent.planning.exact.objectives import ServedSpan, Task, runs_of


def longer_first(task: Task, spans: list[ServedSpan]) -> list[ServedSpan]:
    """Moves ends between runs of one demand while nothing else changes."""
    demands = task.device.demands
    if len(demands) != 1 or demands[0].contiguous or any(who is None for _, _, who in spans):
        return spans
    runs = [list(run) for run in runs_of(spans)]
    if len(runs) < 2:
        return spans
    best = task.judge(spans)
    for i in range(len(runs)):
        for k in range(i + 1, len(runs)):
            for length in _lengths(task, runs, i, k):
                if task.deadline.over():
                    return [(a, b, 0) for a, b in runs]
                moved = [list(run) for run in runs]
                moved[i][1] += length
                moved[k][1] -= length
                found = task.judge([(a, b, 0) for a, b in moved])
                if not found.faults and found.order <= best.order:
                    runs, best = moved, found
                    break
    return [(a, b, 0) for a, b in runs]


def _lengths(task: Task, runs: list[list[int]], i: int, k: int) -> list[int]:
    """By how much the end of run i may move on and that of run k back, the most first."""
    device, timeline = task.device, task.timeline
    step = device.grid_s or 1
    room = runs[i + 1][0] - max(1, device.min_off_s) - runs[i][1]
    spare = runs[k][1] - runs[k][0] - max(1, device.min_on_s)
    most = min(room, spare) // step * step
    if most <= 0:
        return []
    ahead = [edge - runs[i][1] for edge in timeline.edges(runs[i][1] + 1, runs[i][1] + most)]
    behind = [runs[k][1] - edge for edge in timeline.edges(runs[k][1] - most, runs[k][1] - 1)]
    found = {most, *(x // step * step for x in (*ahead, *behind))}
    # Only where money stays the same: what moves costs the same on both sides.
    return sorted(
        (
            x
            for x in found
            if 0 < x <= most
            and timeline.choice_until(runs[i][1] + x) - timeline.choice_until(runs[i][1])
            <= timeline.choice_until(runs[k][1]) - timeline.choice_until(runs[k][1] - x)
        ),
        reverse=True,
    )
