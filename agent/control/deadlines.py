"""Deadlines at risk: told when they are, and anew when it gets worse."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.energy.plan import Plan
from agent.energy.sentences import sentence
from agent.energy.situation import Flexible
from agent.home.planning_input import SATISFIED_TOLERANCE_KWH, PlanningInput, tolerance_kwh
from agent.report.event_queue import EventQueue

# Told anew when a tenth more or a kWh more will be missing (wire contract, section 1a); a tenth
# of nearly nothing is nothing.
WORSE_BY_SHARE = Decimal("0.1")
WORSE_BY_AT_LEAST_KWH = Decimal("0.5")
WORSE_BY_KWH = Decimal(1)
# By how much two plans may differ and are the same.
PLANNED_WITHIN_KWH = Decimal("0.005")


@dataclass(slots=True)
class DeadlineWatch:
    """`at_risk`: by device the deadline that the last plan misses, and by how many kWh."""

    events: EventQueue
    at_risk: dict[str, tuple[int, Decimal]] = field(default_factory=dict, init=False)
    _told: dict[str, tuple[int, Decimal]] = field(default_factory=dict, init=False)

    def look(
        self, inputs: Mapping[str, PlanningInput], plan: Plan, stalled: Collection[str] = ()
    ) -> None:
        """Say of each device of the plan what will be missing at its deadline.

        Of the `stalled`, which take nothing of what is planned, all that they need will be.
        """
        self.at_risk = {}
        for item in plan.devices:
            wanted = inputs.get(item.id)
            deadline = wanted.goal.ready_by if wanted else None
            missing = item.shortfall_kwh
            if wanted is not None and item.id in stalled:
                missing = max(missing, wanted.goal.energy_kwh or missing)
            if missing < _worth_a_word(wanted) or deadline is None:
                continue
            self.at_risk[item.id] = deadline, missing
            told = self._told.get(item.id)
            if told is not None and told[0] == deadline and not _is_worse(told[1], missing):
                continue
            self._told[item.id] = deadline, missing
            text = sentence("{missing:.1f} kWh will be missing", missing=float(missing))
            if missing < SATISFIED_TOLERANCE_KWH:
                text = sentence("{missing:.0f} Wh will be missing", missing=float(1000 * missing))
            self.events.event("deadline_at_risk", item.id, text)


def _worth_a_word(wanted: PlanningInput | None) -> Decimal:
    device = wanted.device if wanted else None
    if not isinstance(device, Flexible):
        return SATISFIED_TOLERANCE_KWH
    return max(tolerance_kwh(int(device.max_power_w)), PLANNED_WITHIN_KWH)


def _is_worse(told: Decimal, missing: Decimal) -> bool:
    more = max(WORSE_BY_AT_LEAST_KWH, told * WORSE_BY_SHARE)
    return missing - told >= min(more, WORSE_BY_KWH)
