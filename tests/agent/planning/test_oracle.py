"""The exact engine against every on/off pattern, on thousands of tiny random situations."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.contracts.situation.reading import read_situation
from agent.contracts.situation.writing import situation_document
from agent.energy.plan import Plan, Status
from agent.energy.situation import Demand, Flexible, RateSpan, Situation
from agent.planning import make_plan
from agent.planning.exact import breakpoints
from tests.agent.planning.oracle import Tiny, best, levels, runs_of
from tests.agent.planning.tale import NOW

SECONDS = 9
# One second at this power is 0.001 kWh.
POWER_W = 3600

prices = st.lists(st.one_of(st.sampled_from([-1, 0, 1, 2, 3]), st.none()), min_size=1, max_size=7)


@st.composite
def tinies(draw: st.DrawFn) -> Tiny:
    given_prices = tuple(None if p is None else Fraction(p, 10) for p in draw(prices))
    known = [price for price in given_prices if price is not None]
    last = max((k for k, price in enumerate(given_prices) if price is not None), default=-1)
    hard = draw(st.integers(0, 3)) > 0
    earliest = draw(st.integers(0, 2))
    grid = draw(st.sampled_from([0, 0, 0, 2]))
    past = hard and not earliest and not grid
    deadline = draw(st.integers(-1 if past else 3, 6))
    going = draw(st.integers(0, 5))
    tiny = Tiny(
        prices=given_prices[: last + 1],
        mean=sum(known, Fraction(0)) / len(known) if known else Fraction(0),
        need=draw(st.integers(1, 3)),
        earliest=earliest,
        deadline=deadline,
        hard=hard,
        contiguous=draw(st.integers(0, 3)) == 0,
        value=Fraction(0) if hard else Fraction(draw(st.sampled_from([5, 15, 25])), 100),
        min_on=draw(st.sampled_from([0, 0, 2, 3])),
        min_off=draw(st.sampled_from([0, 0, 1, 2])),
        start_cost=Fraction(draw(st.sampled_from([0, 0, 5, 20])), 100),
        grid=grid,
        on_for=draw(st.integers(0, 3)) if going == 0 else None,
        off_for=draw(st.integers(0, 3)) if going == 1 else None,
    )
    # What a cap leaves to be served late is another story, told in test_one_device.
    roomy = hard and deadline - earliest >= tiny.need + 3 and tiny.on_for is None
    if roomy and draw(st.booleans()):
        tiny = replace(tiny, cap=Fraction(1, 10))
    return tiny


def situation_of(tiny: Tiny, scale: int) -> Situation:
    """The same with each second `scale` seconds long."""
    rates = tuple(
        RateSpan(NOW + k * scale, NOW + (k + 1) * scale, _decimal(price))
        for k, price in enumerate(tiny.prices)
        if price is not None
    )
    demand = Demand(
        energy_kwh=Decimal(tiny.need * scale) / 1000,
        earliest=NOW + tiny.earliest * scale if tiny.earliest or tiny.grid else None,
        deadline=NOW + tiny.deadline * scale,
        contiguous=tiny.contiguous,
        hard=tiny.hard,
        price_cap=None if tiny.cap is None else _decimal(tiny.cap),
        value_per_kwh=None if tiny.hard else _decimal(tiny.value),
    )
    device = Flexible(
        id="load",
        max_power_w=Decimal(POWER_W),
        min_power_w=Decimal(POWER_W),
        demands=(demand,),
        min_on_s=tiny.min_on * scale,
        min_off_s=tiny.min_off * scale,
        start_cost=_decimal(tiny.start_cost) * scale / 1000,
        grid_s=tiny.grid * scale,
        on_since=None if tiny.on_for is None else NOW - tiny.on_for * scale,
        off_since=None if tiny.off_for is None else NOW - tiny.off_for * scale,
    )
    return Situation(NOW, "Europe/Berlin", "EUR", rates, devices=(device,))


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def pattern_of(plan: Plan, scale: int) -> tuple[bool, ...]:
    pattern = [False] * (SECONDS + 6)
    for slot in plan.devices[0].slots:
        assert (slot.start - NOW) % scale == (slot.end - NOW) % scale == 0
        for second in range((slot.start - NOW) // scale, (slot.end - NOW) // scale):
            pattern[second] = True
    return tuple(pattern)


common = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@settings(common, max_examples=1200)
@given(tinies())
def test_no_pattern_is_better(tiny: Tiny) -> None:
    plan = make_plan(situation_of(tiny, 1))
    assert plan.status is Status.OPTIMAL
    mine = levels(tiny, runs_of(pattern_of(plan, 1)))
    assert mine is not None, "a rule is broken"
    assert mine == best(tiny, SECONDS)
    assert abs(plan.objective - _decimal(mine[5]) / 1000) < Decimal("1e-8")


@settings(common, max_examples=700)
@given(tinies())
def test_nor_where_each_step_is_long_and_the_search_has_to_find_the_instants(tiny: Tiny) -> None:
    """Steps of 997 s: no pattern of steps is better, and seconds between them only help."""
    plan = make_plan(situation_of(tiny, 997))
    assert plan.status is Status.OPTIMAL
    reached = best(tiny, SECONDS)
    money = Fraction(plan.objective) * 1000 / 997
    device = plan.devices[0]
    assert Fraction(device.shortfall_kwh) * 1000 / 997 <= reached[0]
    if device.shortfall_kwh == 0 and not any(reached[:5]):
        assert money <= reached[5] + Fraction(1, 10**6)


@st.composite
def fine(draw: st.DrawFn) -> Tiny:
    """Prices that hold for several seconds, so that the best edges lie between them."""
    wide = draw(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.integers(2, 4)), max_size=3))
    first = draw(st.sampled_from([0, 1, 2, 3]))
    seconds = [price for price, width in [(first, 2), *wide] for _ in range(width)][:10]
    given_prices = tuple(Fraction(price, 10) for price in seconds)
    hard = draw(st.integers(0, 3)) > 0
    going = draw(st.integers(0, 5))
    capped = draw(st.integers(0, 2)) == 0
    return Tiny(
        prices=given_prices,
        mean=sum(given_prices, Fraction(0)) / len(given_prices),
        need=draw(st.integers(1, 3 if capped else 5)),
        earliest=draw(st.integers(0, 1)),
        deadline=draw(st.integers(9 if capped else 4, 10)),
        hard=hard,
        value=Fraction(0) if hard else Fraction(draw(st.sampled_from([5, 15, 25])), 100),
        min_on=draw(st.sampled_from([0, 2, 3])),
        min_off=draw(st.sampled_from([0, 1, 2, 3])),
        start_cost=Fraction(draw(st.sampled_from([0, 1, 5])), 100),
        cap=Fraction(1, 10) if capped else None,
        on_for=draw(st.integers(0, 3)) if going == 0 and not capped else None,
        off_for=draw(st.integers(0, 3)) if going == 1 else None,
    )


@settings(common, max_examples=200)
@given(fine())
def test_nor_where_edges_hang_between_prices(tiny: Tiny) -> None:
    """The search as over whole days: named instants, chains of minimum times, a free chain."""
    before = breakpoints.FEW_STEPS
    breakpoints.FEW_STEPS = -1
    try:
        plan = make_plan(situation_of(tiny, 1))
    finally:
        breakpoints.FEW_STEPS = before
    assert plan.status is Status.OPTIMAL
    mine = levels(tiny, runs_of(pattern_of(plan, 1)))
    assert mine is not None, "a rule is broken"
    assert mine == best(tiny, 11)


@settings(common, max_examples=200)
@given(tinies())
def test_a_saved_situation_gives_the_same_plan(tiny: Tiny) -> None:
    situation = situation_of(tiny, 60)
    again = read_situation(situation_document(situation))
    assert again == situation
    assert make_plan(again) == make_plan(situation)
