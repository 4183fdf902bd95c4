"""The idle house: nothing but a run that must go on, at the least power that it may."""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.problem import Model, Problem
from agent.planning.segments import Segment


def idle_segments(problem: Problem, model: Model) -> tuple[Segment, ...]:
    """What an idle device draws; programs under way are base load, storage does nothing."""
    if isinstance(model, ScaledDevice) and model.mandatory_s:
        power = model.min_power if problem.coupled else model.power
        return (Segment(0, model.mandatory_s, power),)
    if isinstance(model, ScaledThermal) and model.mandatory_s:
        until = min(model.mandatory_s, problem.timeline.horizon)
        return (Segment(0, until, model.min_power),)
    return ()
