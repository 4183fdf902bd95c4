"""The best start of a program.

Exact: between two candidates the cost is linear in the start, so the best start is one at which an
edge of the profile meets an edge of the prices, of the window or of the previous plan.
"""

from agent.planning.devices.program import ScaledProgram, changes_of
from agent.planning.incumbent import LASTING_S, SAME_EDGE_S
from agent.planning.problem import Problem


def best_start(problem: Problem, program: ScaledProgram) -> int:
    if program.started is not None:
        return program.started
    last = program.deadline - program.length
    if last <= program.earliest:
        # What cannot meet its deadline starts at once.
        return program.earliest
    return min(_candidates(problem, program, last), key=lambda at: _worth(problem, program, at))


def _candidates(problem: Problem, program: ScaledProgram, last: int) -> list[int]:
    edges = problem.timeline.edges(program.earliest, program.deadline)
    incumbent = program.incumbent
    if incumbent.cost:
        edges += [incumbent.until - 1, incumbent.until, LASTING_S]
        for kind in (True, False):
            for edge in incumbent.edges[kind]:
                for moved in (edge - SAME_EDGE_S, edge + SAME_EDGE_S):
                    edges += [moved - 1, moved, moved + 1]
    marks = {0, *(phase.end for phase in program.phases)}
    found = {program.earliest, last}
    found.update(edge - mark for edge in edges for mark in marks)
    return sorted(start for start in found if program.earliest <= start <= last)


def _worth(problem: Problem, program: ScaledProgram, start: int) -> tuple[int, int, int, int]:
    """Aims and ties of a start that meets the deadline."""
    timeline = problem.timeline
    cost = unknown = instants = 0
    before = timeline.choice_until(start)
    dark = timeline.unknown_until(start)
    for phase in program.phases:
        b = start + phase.end
        after, darker = timeline.choice_until(b), timeline.unknown_until(b)
        cost += phase.power * (after - before)
        if phase.power and darker > dark:
            unknown += phase.power * (darker - dark)
            instants += timeline.unknown_instants(start + phase.start, b)
        before, dark = after, darker
    if program.incumbent.cost:
        cost += program.incumbent.cost * changes_of(program, start)
    return unknown, cost, -instants, start
