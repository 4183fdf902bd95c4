"""One device at a time: what it serves, put to the judge."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Measured
from agent.planning.engine import Deadline
from agent.planning.judge import Judged, judge
from agent.planning.problem import Problem
from agent.planning.segments import Run, Segment
from agent.planning.timeline import Timeline

# (start, end, demand): on at full power, and for whom; None in a run that must go on for nobody.
ServedSpan = tuple[int, int, int | None]


@dataclass(frozen=True)
class Task:
    """One flexible device of an alone problem, and until when there is time for it.

    `known`: a plan of this device that is there already; empty where there is none.
    """

    problem: Problem
    device: ScaledDevice
    deadline: Deadline
    known: tuple[ServedSpan, ...] = ()

    @property
    def timeline(self) -> Timeline:
        return self.problem.timeline

    def of(self, device: ScaledDevice, timeline: Timeline | None = None) -> "Task":
        """The same time for another device, or at other prices."""
        problem = replace(
            self.problem, models=(device,), timeline=timeline or self.problem.timeline
        )
        return Task(problem, device, self.deadline)

    def within(self, part: float) -> "Task":
        """The same with a part of the time that is left."""
        return replace(self, deadline=self.deadline.share(part))

    def judge(self, spans: Sequence[ServedSpan]) -> Judged:
        return judge(self.problem, {self.device.id: segments_of(self.device, spans)})


def segments_of(device: ScaledDevice, spans: Sequence[ServedSpan]) -> tuple[Segment, ...]:
    return tuple(Segment(start, end, device.power, demand) for start, end, demand in spans)


def runs_of(spans: Sequence[ServedSpan]) -> list[Run]:
    """Spans that touch are one run."""
    runs: list[Run] = []
    for start, end, _ in spans:
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def aim_seconds(device: ScaledDevice, measured: Measured) -> tuple[int, int, int, int, int]:
    """Missing, never served, too much, late, unknown: in seconds at full power."""
    power = device.power
    return (
        sum(-(-miss // power) for miss in measured.missing),
        measured.never // power,
        measured.excess // power,
        measured.late // power,
        measured.unknown // power,
    )
