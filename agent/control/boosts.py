"""What a person asked for at once, under a limit: a load of the plan like any other. Pure.

The rule is that of the wire contract's section 2 ("What a person asked"): the limit holds, the
others yield, and where it does not fit it gets what is left.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from agent.dispatch.group_limit import GroupHeadroom
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DeviceType, ScheduleSlot
from agent.energy.steps import Steps, combined
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput

POWER_STEP_W = 100
# A boost ends where the limit falls, and is given anew so long before: without a gap in it.
RENEWED_BEFORE_S = 60
NOTHING = Steps.constant(0)


def allocated_in_both(
    inputs: Mapping[str, PlanningInput],
    profiles: Mapping[str, DeviceProfile],
    models: Mapping[str, DeviceModel],
    headroom: Steps,
    now: datetime,
    group: GroupHeadroom | None = None,
) -> tuple[dict[str, PlanningInput], dict[str, str]]:
    """`allocated` below the limit of a group, and then below that of the whole house; and by
    device why it gets less than it asked, empty where it does not."""
    out = dict(inputs)
    if group is not None:
        models_of_it = group.among(models)
        out |= allocated(group.among(inputs), profiles, models_of_it, group.power_w, now)
    out = allocated(out, profiles, models, headroom, now)
    return out, {name: _less_than_asked(inputs[name], out[name]) for name in inputs}


def _less_than_asked(asked: PlanningInput, given: PlanningInput) -> str:
    if not boosts(asked) or asked.override is None or given.override is None:
        return ""
    power_w, asked_w = given.override.power_w, asked.override.power_w
    if power_w >= asked_w:
        return ""
    return f"the limit leaves {power_w} W of the {asked_w} W that were asked"


def allocated(
    inputs: Mapping[str, PlanningInput],
    profiles: Mapping[str, DeviceProfile],
    models: Mapping[str, DeviceModel],
    headroom: Steps,
    now: datetime,
) -> dict[str, PlanningInput]:
    """The inputs with the power that each boost gets."""
    out = dict(inputs)
    start = to_unix_floor(now)
    fixed = set(unswitchable(profiles, models, now))
    taken = sum(profiles[name].max_power_w for name in fixed if not boosts(inputs.get(name)))
    boosting = [name for name, item in inputs.items() if boosts(item)]
    boosting.sort(key=lambda name: (name not in fixed, -profiles[name].priority))
    rooms, kept, ends = {}, {}, {}
    for name in boosting:
        override = inputs[name].override
        assert override is not None
        ends[name] = _end(headroom, start, max(start + 1, to_unix_floor(override.until)))
        rooms[name] = int(headroom.lowest(start, ends[name]))
        # Every car keeps its 6 A as far as they fit; the rest goes by priority, but for a run whose
        # least time is not over.
        car = profiles[name].type is DeviceType.EVSE
        least = min(profiles[name].min_power_w, override.power_w) if car else 0
        kept[name] = least if least <= rooms[name] - taken else 0
        taken += kept[name]
    for name in boosting:
        item, profile = inputs[name], profiles[name]
        assert item.override is not None
        taken -= kept[name]
        asked = item.override.power_w
        power = profile.allowed_w(min(asked, max(0, rooms[name] - taken)))
        until = min(item.override.until, from_unix(ends[name]))
        out[name] = replace(item, override=replace(item.override, power_w=power, until=until))
        taken += power
    return out


def _end(headroom: Steps, start: int, until: int) -> int:
    """Up to where a boost has what there is now: the next fall of the headroom, not one at hand."""
    at_hand = min(until, start + 2 * RENEWED_BEFORE_S)
    level = headroom.lowest(start, at_hand)
    falls = (edge for edge in headroom.between(at_hand - 1, until) if headroom.value(edge) < level)
    return next(falls, until)


def unswitchable(
    profiles: Mapping[str, DeviceProfile], models: Mapping[str, DeviceModel], now: datetime
) -> list[str]:
    """Who must go on: programs under way, and runs whose least time is not over."""
    out = []
    for name, model in models.items():
        profile = profiles[name]
        if profile.type is DeviceType.PROGRAM:
            if model.session.started_at is not None:
                out.append(name)
            continue
        on_since = model.switching.on_since
        ran_s = (now - on_since).total_seconds() if on_since else profile.min_on_s
        if ran_s < profile.min_on_s:
            out.append(name)
    return out


def running_programs(
    profiles: Mapping[str, DeviceProfile], models: Mapping[str, DeviceModel], now: datetime
) -> Steps:
    """What programs under way draw at most: their schedules no longer say so."""
    spans = []
    start = to_unix_floor(now)
    for name, model in models.items():
        profile, began = profiles[name], model.session.started_at
        if profile.type is DeviceType.PROGRAM and began is not None:
            end = max(start + 60, to_unix_floor(began) + profile.run_s)
            spans.append((start, end, float(profile.max_power_w)))
    return combined([Steps.of_spans([span], 0) for span in spans], sum) if spans else NOTHING


def calm_power(profile: DeviceProfile, slot: ScheduleSlot) -> ScheduleSlot:
    """Rounded down, so that a few watts of headroom more or less are no new revision."""
    if profile.min_power_w >= profile.max_power_w or slot.power_w >= profile.most_w(slot.power_w):
        return slot
    power = max(profile.least_w(slot.power_w), slot.power_w // POWER_STEP_W * POWER_STEP_W)
    return replace(slot, power_w=min(slot.power_w, power))


def boosts(item: PlanningInput | None) -> bool:
    """Does a person want it to run now?"""
    return item is not None and item.override is not None and item.override.mode == "boost"
