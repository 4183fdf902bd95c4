"""What nobody feels: how far the plan in force may miss comfort before it is given up."""

from datetime import timedelta
from decimal import Decimal

import pytest

from agent.energy.plan import Plan
from agent.energy.rates import Rate
from agent.energy.situation import ComfortSpan, PowerSpan, PreviousPlan, Situation, Thermal
from agent.home.planning_input import Override, PlanningInput
from agent.home.situation import PriceForecast, build_situation
from agent.planning import make_plan
from integrations.registry import AgentConfig
from tests.agent.home.test_kinds import EVENING
from tests.agent.home.test_situation import HOUR, NOW, TARIFF

HOURS = 6
PRICES = PriceForecast(
    "GBP", "Europe/London", [Rate(EVENING, EVENING + timedelta(hours=HOURS), Decimal("0.30"))]
)
# It heats in the second hour, by a degree.
IN_FORCE = (PowerSpan(NOW + HOUR, NOW + 2 * HOUR, Decimal(500)),)
COMFORT = (
    ComfortSpan(NOW, NOW + 3 * HOUR, Decimal(50), Decimal(54)),
    ComfortSpan(NOW + 3 * HOUR, NOW + 9 * HOUR, Decimal(45), Decimal(60)),
)
UNFELT_C = 0.5


def tank(celsius: float) -> Thermal:
    """A degree for each half kWh, no losses; half a degree is drawn an hour."""
    return Thermal(
        "tank",
        Decimal(1000),
        Decimal(str(celsius)),
        Decimal("0.5"),
        comfort=COMFORT,
        draw=(PowerSpan(NOW, NOW + 9 * HOUR, Decimal(250)),),
    )


def situation(
    celsius: float,
    *,
    exactly: tuple[str, ...] = (),
    change_cost: float = 0.01,
    override: Override | None = None,
) -> Situation:
    config = AgentConfig.model_validate({"tariff": TARIFF, "planner": {"change_cost": change_cost}})
    asked = PlanningInput(tank(celsius), override=override, unfelt_c=UNFELT_C)
    old = (PreviousPlan("tank", IN_FORCE),)
    return build_situation(config, PRICES, {"tank": asked}, old, EVENING, exactly=exactly)


def band(made: Situation, hours: float) -> tuple[float, float]:
    [store] = made.devices
    assert isinstance(store, Thermal)
    at = NOW + round(hours * HOUR)
    [piece] = [one for one in store.comfort if one.start <= at < one.end]
    assert piece.min_c is not None
    assert piece.max_c is not None
    return float(piece.min_c), float(piece.max_c)


def heats(plan: Plan) -> list[tuple[float, float]]:
    slots = [one for one in plan.devices[0].slots if one.power_w > 0]
    return [((one.start - NOW) / HOUR, (one.end - NOW) / HOUR) for one in slots]


@pytest.mark.parametrize(
    ("celsius", "early", "later"),
    [
        # half a degree is left in an hour, or nothing; a tenth is missing, or too much; or more
        (51, (50, 54), (50, 54)),
        (50.5, (49.5, 54), (50, 54)),
        (50.4, (49.5, 54), (50, 54)),
        (49.8, (50, 54), (49.5, 54)),
        (54.3, (50, 54), (50, 54.5)),
        (55.2, (50, 54), (50, 54)),
    ],
)
def test_a_limit_has_slack_where_the_plan_in_force_is_a_little_beyond_it(
    celsius: float, early: tuple[float, float], later: tuple[float, float]
) -> None:
    """At the end of an hour, before it is heated, and of the next one."""
    made = situation(celsius)
    assert band(made, 1) == early
    assert band(made, 2) == later
    assert band(made, 3) == (45, 60)


def test_there_is_no_slack_where_something_was_asked_or_nothing_is_in_force() -> None:
    assert band(situation(50.4), 1) == (49.5, 54)
    assert band(situation(50.4, exactly=("tank",)), 1) == (50, 54)
    assert band(situation(50.4, change_cost=0), 1) == (50, 54)
    boosted = Override("boost", EVENING + timedelta(hours=1), "boost", 1000)
    assert band(situation(50.4, override=boosted), 1) == (50, 54)


@pytest.mark.parametrize(("celsius", "stands"), [(50.5, True), (50.4, True), (49.8, False)])
def test_a_tenth_of_a_degree_moves_no_run(celsius: float, stands: bool) -> None:
    plan = make_plan(situation(celsius))
    assert (heats(plan)[0] == (1, 2)) is stands
