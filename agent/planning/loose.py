"""A lower bound where a search cannot end: the device without its minimum times."""

from dataclasses import replace

from agent.planning.load import Load
from agent.planning.points import Points
from agent.planning.relaxed import Model, passes_of
from agent.planning.timeline import Timeline
from agent.planning.weights import Weights


def loose_bound(timeline: Timeline, load: Load, named: list[int], weights: Weights) -> int:
    """All aims in one number, at most those of any plan.

    Without minimum times and with the need paid for by the second, runs begin and end at named
    instants, so leaving out all others loses nothing.
    """
    free = replace(load, min_on=0, min_off=0, grid=0)
    model = Model(timeline, free, Points(named, named, True, False), weights)
    return max(one.root for one in passes_of(model))
