"""A program: starts once, runs through; the best start.

Exact: between two candidates the cost is linear in the start, so the best start is one at which an
edge of the profile meets an edge of the prices, of the window or of the previous plan.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from agent.energy.situation import Program, Situation
from agent.planning.load import SAME_EDGE_S, OldEdges, money_unit, old_edges
from agent.planning.timeline import Timeline, scaled


@dataclass(frozen=True, slots=True)
class Segment:
    start: int
    end: int
    power: int
    power_w: Decimal


@dataclass(frozen=True, slots=True)
class Run:
    """A program from one start; `segments` and money are those from now on."""

    start: int
    end: int
    segments: tuple[Segment, ...]
    unit: int
    energy: int
    missing: int
    cost: int
    objective: int
    running: bool
    met: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """The program in whole seconds from now; `parts` are (from, to, power, power in W)."""

    parts: tuple[tuple[int, int, int, Decimal], ...]
    length: int
    earliest: int
    deadline: int
    started: int | None
    unit: int
    old: OldEdges


def profile_of(situation: Situation, program: Program, timeline: Timeline) -> Profile:
    now = situation.now
    power_scale, unit = money_unit(timeline, [part.power_w for part in program.profile])
    at, parts = 0, []
    for part in program.profile:
        power = scaled(part.power_w, power_scale)
        parts.append((at, at + part.duration_s, power, part.power_w))
        at += part.duration_s
    change_cost = scaled(situation.planner.change_cost, unit)
    return Profile(
        parts=tuple(parts),
        length=at,
        earliest=max(0, program.earliest - now) if program.earliest is not None else 0,
        deadline=program.deadline - now,
        started=None if program.started_at is None else program.started_at - now,
        unit=unit,
        old=old_edges(situation, program.id, Decimal(0), change_cost, timeline.horizon),
    )


def plan_program(timeline: Timeline, profile: Profile) -> Run:
    if profile.started is not None:
        return run_from(timeline, profile, profile.started)
    last = profile.deadline - profile.length
    if last <= profile.earliest:
        # What cannot meet its deadline starts at once.
        return run_from(timeline, profile, profile.earliest)
    starts = sorted(_candidates(timeline, profile, last))
    return run_from(timeline, profile, min(starts, key=_order(timeline, profile)))


def _candidates(timeline: Timeline, profile: Profile, last: int) -> set[int]:
    edges = timeline.edges(profile.earliest, profile.deadline)
    if profile.old.cost:
        edges += [profile.old.until - 1, profile.old.until]
        for kind in (True, False):
            for edge in profile.old.edges[kind]:
                for moved in (edge - SAME_EDGE_S, edge + SAME_EDGE_S):
                    edges += [moved - 1, moved, moved + 1]
    marks = {0, *(end for _, end, _, _ in profile.parts)}
    found = {profile.earliest, last}
    found.update(edge - mark for edge in edges for mark in marks)
    return {start for start in found if profile.earliest <= start <= last}


def _order(timeline: Timeline, profile: Profile) -> Callable[[int], tuple[int, int, int, int]]:
    """Sort key of a start that meets the deadline: the aims and ties of a plan."""
    any_unknown = timeline.unknown_until(profile.deadline) > timeline.unknown_until(
        profile.earliest
    )

    def key(start: int) -> tuple[int, int, int, int]:
        cost = unknown = instants = 0
        before = timeline.choice_until(start)
        for low, high, power, _ in profile.parts:
            after = timeline.choice_until(start + high)
            cost += power * (after - before)
            before = after
            if any_unknown and power:
                a, b = start + low, start + high
                unknown += power * (timeline.unknown_until(b) - timeline.unknown_until(a))
                instants += timeline.unknown_instants(a, b)
        if profile.old.cost:
            runs = _powered(profile, start)
            cost += profile.old.change([a for a, _ in runs], [b for _, b in runs])
        return unknown, cost, -instants, start

    return key


def _powered(profile: Profile, start: int) -> list[tuple[int, int]]:
    """When it draws power; what ended before now is left out."""
    runs: list[tuple[int, int]] = []
    for low, high, power, _ in profile.parts:
        a, b = start + low, start + high
        if not power or b < 0:
            continue
        if runs and runs[-1][1] == a:
            runs[-1] = (runs[-1][0], b)
        else:
            runs.append((a, b))
    return runs


def run_from(timeline: Timeline, profile: Profile, start: int) -> Run:
    running = profile.started is not None
    energy = missing = cost = objective = 0
    segments = []
    for low, high, power, power_w in profile.parts:
        a, b = max(0, start + low), start + high
        if b <= a:
            continue
        segments.append(Segment(a, b, power, power_w))
        energy += power * (b - a)
        missing += power * max(0, b - max(a, profile.deadline))
        cost += power * (timeline.price_until(b) - timeline.price_until(a))
        objective += power * (timeline.choice_until(b) - timeline.choice_until(a))
    runs = _powered(profile, start)
    on = [a for a, _ in runs if a >= 0 and not (running and a == start)]
    changes = profile.old.change(on, [b for _, b in runs])
    return Run(
        start=start,
        end=start + profile.length,
        segments=tuple(segments),
        unit=profile.unit,
        energy=energy,
        missing=missing,
        cost=cost,
        objective=changes if running else objective + changes,
        running=running,
        met=start + profile.length <= profile.deadline,
    )
