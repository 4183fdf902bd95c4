"""Two plans made one after the other, where the first is a load of the second, as one. Pure."""

from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Plan, Status
from agent.energy.steps import Steps, combined

LEAST_COST = Decimal("0.01")
STATUSES = tuple(Status)


def drawn_w(plan: Plan) -> Steps:
    """What its devices take together at each instant, W."""
    draws = [
        Steps.of_spans([(slot.start, slot.end, float(slot.power_w))], 0)
        for device in plan.devices
        for slot in device.slots
    ]
    return combined([Steps.constant(0), *draws], sum)


def joined_plan(first: Plan, second: Plan) -> Plan:
    """`second` was made with what `first` draws as a load of the house: costs add up.

    The proof is that of each in its turn; of what both together could do at best it says nothing.
    """
    cost, baseline = first.cost + second.cost, first.baseline_cost + second.baseline_cost
    objective, bound = first.objective + second.objective, first.bound + second.bound
    weaker = max((first, second), key=lambda plan: STATUSES.index(plan.status))
    return replace(
        second,
        status=weaker.status,
        engine=weaker.engine,
        cost=cost,
        baseline_cost=baseline,
        objective=objective,
        bound=bound,
        gap=(objective - bound) / max(abs(cost), abs(baseline), LEAST_COST),
        horizon=max(first.horizon, second.horizon),
        took_ms=first.took_ms + second.took_ms,
        devices=(*first.devices, *second.devices),
    )
