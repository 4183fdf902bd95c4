"""One Situation, one plan: which engine takes it."""

from agent.energy.plan import Plan
from agent.energy.situation import Flexible, Program, Situation
from agent.planning.assemble import Part, flexible_part, program_part, whole_plan
from agent.planning.flexible import solve
from agent.planning.load import load_of
from agent.planning.program import plan_program, profile_of
from agent.planning.timeline import Timeline


def make_plan(situation: Situation) -> Plan:
    """The best plan that can be made. Raises nothing; `took_ms` is 0, the caller knows the time."""
    timeline = Timeline(situation)
    parts: list[Part] = []
    for device in situation.devices:
        if isinstance(device, Flexible):
            load = load_of(situation, device, timeline)
            parts.append(flexible_part(timeline, solve(timeline, load)))
        elif isinstance(device, Program):
            profile = profile_of(situation, device, timeline)
            run = plan_program(timeline, profile)
            parts.append(program_part(timeline, device.id, profile, run))
    return whole_plan(situation, timeline, parts)
