"""The Situations of one turn of the planning loop.

Usually one for the whole home. Where a limit of the grid binds only a group of devices, those
outside it are planned first, and what they draw is a load of the house beside which the group is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.config import Config
from agent.control.limit_control import LimitControl
from agent.control.plan_cycle import PlanCycle
from agent.control.site import Site
from agent.energy.plan import Plan
from agent.energy.profile import DeviceProfile
from agent.energy.situation import PreviousPlan, Situation
from agent.energy.steps import Steps, combined
from agent.home.joined_plans import drawn_w
from agent.home.planning_input import PlanningInput
from agent.home.situation import PriceForecast, build_situation

NOTHING = Steps.constant(0)


@dataclass(frozen=True, slots=True)
class SituationMaker:
    """What is known of the house and what each device wants, as what the planner is given."""

    config: Config
    profiles: Mapping[str, DeviceProfile]
    site: Site
    limits: LimitControl

    def of_all(
        self,
        inputs: Mapping[str, PlanningInput],
        prices: PriceForecast,
        previous: Sequence[PreviousPlan],
        now: datetime,
        exactly: Collection[str],
    ) -> Situation:
        """`exactly`: for whom a person asked, so that calm has no say."""
        limit = self.limits.for_plan(inputs, now)
        return self._made(inputs, prices, previous, now, exactly, limit, NOTHING)

    def outside_group(self, cycle: PlanCycle) -> PlanCycle | None:
        """The devices that are planned first; None where all are planned together."""
        names = self.limits.planned_before(cycle.inputs)
        if not names:
            return None
        limit = self.limits.for_plan(cycle.inputs, cycle.now, unbound=True)
        return self._part_of(cycle, names, limit, NOTHING)

    def inside_group(self, cycle: PlanCycle, first: Plan) -> PlanCycle:
        """The others, beside what the plan of `outside_group` draws."""
        before, load = {part.id for part in first.devices}, drawn_w(first)
        names = [one.id for one in cycle.situation.devices if one.id not in before]
        limit = self.limits.for_plan(cycle.inputs, cycle.now, load)
        return self._part_of(cycle, names, limit, load)

    def _part_of(
        self, cycle: PlanCycle, names: Collection[str], limit: Steps | None, load: Steps
    ) -> PlanCycle:
        previous = cycle.situation.planner.previous
        situation = self._made(
            cycle.inputs, cycle.prices, previous, cycle.now, cycle.user_triggered, limit, load
        )
        devices = tuple(one for one in situation.devices if one.id in names)
        return replace(cycle, situation=replace(situation, devices=devices))

    def _made(
        self,
        inputs: Mapping[str, PlanningInput],
        prices: PriceForecast,
        previous: Sequence[PreviousPlan],
        now: datetime,
        exactly: Collection[str],
        limit: Steps | None,
        load: Steps,
    ) -> Situation:
        return build_situation(
            self.config,
            prices,
            inputs,
            previous,
            now,
            limit=limit,
            base_load=combined([self.site.base_load(), load], sum),
            pv=self.site.power.pv(),
            pv_curtailable=any(profile.produces for profile in self.profiles.values()),
            exactly=exactly,
        )
