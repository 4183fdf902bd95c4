"""From a plan to what devices should hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.control.boosts import calm_power
from agent.control.device_manager import DeviceManager
from agent.control.least_times import with_least_times
from agent.control.plan_cycle import PlanCycle
from agent.control.site import Site
from agent.dispatch.blocks import BlockHistory
from agent.dispatch.dispatcher import Wanted
from agent.dispatch.due import Leeway
from agent.dispatch.schedules import ScheduleContext, schedule_for
from agent.energy.instants import to_unix_ceil
from agent.energy.plan import DevicePlan, Plan
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Schedule, ScheduleSlot
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

    def wanted(
        self,
        cycle: PlanCycle,
        plan: Plan,
        now: datetime,
        *,
        asked_anew: Collection[str],
        waiting: Collection[str],
    ) -> dict[str, Wanted]:
        """What each device should hold by the cycle's plan; nothing of those left as they are.

        One that a person has overridden keeps the person's choice, one that does not follow keeps
        its schedule until it is tried again, and one that was asked something else since
        (`asked_anew`) what it was told for that. Who has got a part of what was planned (`waiting`)
        is given the rest.
        """
        out = {}
        for device, item in cycle.inputs.items():
            model, asked = self.devices.model(device), device in cycle.user_triggered
            if device in asked_anew or model.opted_out(now):
                continue
            gets_rest = device in waiting
            if model.following.holds_still(now) and not (asked or gets_rest):
                continue
            urgent = device in cycle.urgent
            wished = item.override is not None or urgent
            if model.switching.own.is_left_alone(now) and not (wished or gets_rest):
                # What it does now it does by itself, and a new revision might end it.
                continue
            schedule = self.schedule(device, item, plan, cycle.situation, cycle.prices, now)
            # Under a limit the others need to know what it leaves.
            tapers = not (asked or self.site.limited) and model.tapering_w(now) is not None
            leeway = Leeway(
                ignore_drift=not asked,
                settles=cycle.is_shared,
                tapers=tapers,
                by_energy=not self.site.limited,
            )
            out[device] = Wanted(schedule, urgent=urgent, leeway=leeway)
        return out

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
        profile = self.profiles[device]
        part = part_of(plan, device)
        model = self.devices.model(device)
        most_w = None
        if model.following.learned_power_w is not None or model.tapering_w(now) is not None:
            # Planned with what it takes, allowed its most: else it could never take more again.
            most_w = profile.min_power_w if self.site.limited else profile.max_power_w
        slots = self.slots(device, plan, situation, most_w=most_w)
        if self.site.limited:
            slots = [calm_power(profile, slot) for slot in slots]
        context = ScheduleContext(
            now=to_unix_ceil(now),
            horizon=plan.horizon if plan else 0,
            currency=(plan.currency if plan else "") or (prices.currency if prices else ""),
            baseline_cost=uncontrolled_cost(
                item.device, profile.max_power_w, now, prices.import_rates if prices else ()
            ),
            blocks=BlockHistory(*model.block_history(now)),
        )
        schedule = schedule_for(profile, item, part, slots, context)
        return with_least_times(schedule, profile, model, item, context.now)

    def slots(
        self,
        device: str,
        plan: Plan | None,
        situation: Situation | None,
        *,
        most_w: int | None = None,
    ) -> Sequence[ScheduleSlot]:
        """What the plan says of one device, in the device's words; `most_w` as for its kind."""
        profile, part = self.profiles[device], part_of(plan, device)
        kind = KINDS[self.devices.section(device).type]
        if part is not None:
            return kind.slots(profile, part, most_w=most_w)
        if plan is None or situation is None:
            return ()
        return kind.site_slots(profile, plan, situation)


def part_of(plan: Plan | None, device: str) -> DevicePlan | None:
    """The part of one device; None where the plan has none."""
    if plan is None:
        return None
    return next((item for item in plan.devices if item.id == device), None)
