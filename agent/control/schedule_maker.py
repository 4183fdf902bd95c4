"""From a plan to what one device should hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.control.boosts import calm_power
from agent.control.device_manager import DeviceManager
from agent.control.least_times import with_least_times
from agent.control.site import Site
from agent.dispatch.blocks import BlockHistory
from agent.dispatch.schedules import ScheduleContext, schedule_for
from agent.energy.instants import to_unix_ceil
from agent.energy.plan import DevicePlan, Plan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Schedule
from agent.energy.situation import Situation
from agent.home.baseline import uncontrolled_cost
from agent.home.kinds import KINDS
from agent.home.planning_input import PlanningInput
from agent.home.situation import PriceForecast


@dataclass(frozen=True, slots=True)
class ScheduleMaker:
    """Makes schedules; publishes nothing."""

    profiles: Mapping[str, DeviceProfile]
    devices: DeviceManager
    site: Site

    def schedule(
        self,
        device: str,
        item: PlanningInput,
        plan: Plan | None,
        situation: Situation | None,
        prices: PriceForecast | None,
        now: datetime,
    ) -> Schedule:
        """What the device should hold by `plan`, which was made for `situation`.

        By its wish alone where there is no plan.
        """
        profile, section = self.profiles[device], self.devices.section(device)
        part = part_of(plan, device)
        model = self.devices.model(device)
        most_w = None
        if model.following.learned_power_w is not None or model.tapering_w(now) is not None:
            # Planned with what it takes, allowed its most: else it could never take more again.
            most_w = profile.min_power_w if self.site.limited else profile.max_power_w
        kind = KINDS[section.type]
        slots = kind.slots(profile, part, most_w=most_w) if part else ()
        if part is None and plan is not None and situation is not None:
            slots = kind.site_slots(profile, plan, situation)
        if self.site.limited:
            slots = [calm_power(profile, slot) for slot in slots]
        context = ScheduleContext(
            now=to_unix_ceil(now),
            horizon=plan.horizon if plan else 0,
            currency=plan.currency if plan else "",
            baseline_cost=uncontrolled_cost(
                item.device, profile.max_power_w, now, prices.import_rates if prices else ()
            ),
            blocks=BlockHistory(*model.block_history(now)),
        )
        schedule = schedule_for(profile, item, part, slots, context)
        return with_least_times(schedule, profile, model, item, context.now)


def part_of(plan: Plan | None, device: str) -> DevicePlan | None:
    """The part of one device; None where the plan has none."""
    if plan is None:
        return None
    return next((item for item in plan.devices if item.id == device), None)
