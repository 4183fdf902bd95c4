"""One Situation, one plan: which engine takes it."""

from agent.energy.plan import Plan
from agent.energy.situation import Flexible, Program, Situation
from agent.planning.assemble import Part, flexible_part, program_part, whole_plan
from agent.planning.flexible import as_soon_as_possible, solve
from agent.planning.load import load_of
from agent.planning.program import plan_program, profile_of
from agent.planning.rule_plan import rule_plan
from agent.planning.timeline import Timeline


def make_plan(situation: Situation) -> Plan:
    """The best plan that can be made. Raises nothing; `took_ms` is 0, the caller knows the time."""
    timeline = Timeline(situation)
    if not is_alone(situation):
        return rule_plan(situation, timeline)
    parts = [_part(situation, timeline, device) for device in situation.devices]
    return whole_plan(situation, timeline, [part for part in parts if part is not None])


def make_rule_plan(situation: Situation) -> Plan:
    """The rule's plan: kept for when nothing better was there in time. Raises nothing."""
    return rule_plan(situation, Timeline(situation))


def is_alone(situation: Situation) -> bool:
    """Whether no device touches another: no limit, PV, capacity charge, storage or heat."""
    site = situation.site
    shared = site.import_limit_w is not None or bool(site.import_limits)
    shared = shared or site.export_limit_w is not None
    shared = shared or bool(site.pv) or site.capacity_charge is not None
    return not shared and all(isinstance(one, (Flexible, Program)) for one in situation.devices)


def _part(situation: Situation, timeline: Timeline, device: object) -> Part | None:
    if isinstance(device, Program):
        profile = profile_of(situation, device, timeline)
        return program_part(timeline, device.id, profile, plan_program(timeline, profile))
    if not isinstance(device, Flexible):
        return None
    load = load_of(situation, device, timeline)
    try:
        solved = solve(timeline, load)
    except Exception:  # noqa: BLE001 - whatever a search did not foresee, there is always a plan
        solved = as_soon_as_possible(timeline, load)
    return flexible_part(timeline, solved)
