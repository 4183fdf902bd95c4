"""What one plan is made from, and for whom. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.energy.situation import Site, Situation
from agent.home.planning_input import PlanningInput
from agent.home.situation import PriceForecast

# Of a house in which each device is planned for itself.
ALONE = Site()


@dataclass(frozen=True, slots=True)
class PlanCycle:
    """`user_triggered` are devices of which a person, or something as sudden, has asked something;
    `urgent` those whose request cannot wait, `changed` those that caused this plan.
    """

    now: datetime
    inputs: Mapping[str, PlanningInput]
    prices: PriceForecast
    situation: Situation
    user_triggered: frozenset[str]
    urgent: frozenset[str]
    changed: frozenset[str]

    @property
    def is_shared(self) -> bool:
        """Does one device touch another, by a limit or by what the roof gives?"""
        return self.situation.site != ALONE
