"""Minimum times and a plan in force: never dearer than going on with it, and on a grid the best."""

import random
from dataclasses import replace
from decimal import Decimal
from functools import cache
from math import floor

import pytest

from agent.energy.plan import Plan, Status
from agent.energy.situation import Flexible, Planner, PowerSpan, PreviousPlan, RateSpan, Situation
from agent.planning import make_plan
from tests.agent.planning.tale import NOW, demand, load

CHANGE = Decimal("0.01")
COSTS = Planner(change_cost=CHANGE)


def drawn(rng: random.Random, hours: int, device: Flexible) -> Situation:
    """A price each quarter hour."""
    rates = tuple(
        RateSpan(NOW + k * 900, NOW + (k + 1) * 900, Decimal(rng.randrange(50, 400)) / 1000)
        for k in range(4 * hours)
    )
    return Situation(NOW, "Europe/Berlin", "EUR", rates, devices=(device,))


def slots_of(plan: Plan) -> tuple[PowerSpan, ...]:
    return tuple(PowerSpan(s.start, s.end, s.power_w) for s in plan.devices[0].slots)


def later(situation: Situation, plan: Plan, rng: random.Random) -> Situation:
    """A little later: other prices, as much wanted as was left, the plan in force."""
    now = situation.now + rng.choice([60, 300, 437])
    rates = tuple(
        replace(one, price=one.price + Decimal(rng.randrange(-30, 30)) / 1000)
        for one in situation.import_rates
    )
    [device] = situation.devices
    assert isinstance(device, Flexible)
    slots = slots_of(plan)
    ran_s = sum(max(0, min(s.end, now) - s.start) for s in slots)
    done = device.max_power_w * ran_s / 3_600_000
    since = next((s.start for s in slots if s.start < now < s.end), None)
    [need] = device.demands
    left = replace(need, energy_kwh=(need.energy_kwh - done).quantize(Decimal("0.000001")))
    device = replace(device, demands=(left,), on_since=since)
    planner = replace(COSTS, previous=(PreviousPlan(device.id, slots),))
    return replace(situation, now=now, import_rates=rates, devices=(device,), planner=planner)


def going_on(situation: Situation) -> float:
    """What it costs to keep to the plan in force, which serves all that is left: nothing changes
    and everything is in time."""
    [device], [previous] = situation.devices, situation.planner.previous
    assert isinstance(device, Flexible)
    total = 0.0
    for slot in previous.slots:
        for rate in situation.import_rates:
            low, high = max(slot.start, rate.start, situation.now), min(slot.end, rate.end)
            kwh = float(device.max_power_w) * max(0, high - low) / 3.6e6
            total += kwh * float(rate.price)
    return total


@pytest.mark.parametrize("seed", range(8))
def test_it_is_never_dearer_than_going_on(seed: int) -> None:
    rng = random.Random(seed)
    rules = {"min_on_s": rng.choice([900, 1500, 3600]), "min_off_s": rng.choice([0, 700, 1800])}
    if seed % 2:
        rules["grid_s"] = 300
    # In whole steps of the grid.
    kwh = rng.randrange(4, 20) * 0.25
    device = load(demand(kwh, 12), **rules)
    first = drawn(rng, 12, device)
    now = later(first, make_plan(first), rng)
    plan = make_plan(now)
    assert plan.devices[0].deadline_met
    assert float(plan.objective) <= going_on(now) + 1e-6


def best(situation: Situation, steps: int, needed: int, least: int, pause: int) -> float:
    """Money of the best plan on steps of 300 s: every way, one step after the other."""
    [device], [previous] = situation.devices, situation.planner.previous
    assert isinstance(device, Flexible)
    kw, change = float(device.max_power_w) / 1000, float(CHANGE)
    prices = [
        next(float(r.price) for r in situation.import_rates if r.start <= NOW + 300 * k < r.end)
        for k in range(steps)
    ]
    old = {
        "on": [s.start - NOW for s in previous.slots],
        "off": [s.end - NOW for s in previous.slots],
    }

    def edge(kind: str, k: int) -> float:
        """A new edge costs; one that stands for an old one saves what missing that would cost."""
        near = sum(abs(300 * k - one) <= 120 for one in old[kind])
        # At the horizon nothing counts any more.
        return -change * near if near else change * (k < steps)

    @cache
    def cost(k: int, on: bool, lasted: int, left: int) -> float:
        """`lasted`: steps in this state, as far as they matter."""
        if left > steps - k:
            return float("inf")
        if k == steps:
            return edge("off", k) if on and lasted >= least else 0.0 if not on else float("inf")
        found = [float("inf")]
        stays, goes = min(lasted + 1, max(least, pause)), 1
        if on:
            if left:
                found.append(kw / 12 * prices[k] + cost(k + 1, True, stays, left - 1))
            if lasted >= least:
                found.append(edge("off", k) + cost(k + 1, False, goes, left))
        else:
            found.append(cost(k + 1, False, stays, left))
            if left and lasted >= pause:
                begun = edge("on", k) + kw / 12 * prices[k]
                found.append(begun + cost(k + 1, True, goes, left - 1))
        return min(found)

    missed = change * (len(old["on"]) + len(old["off"]))
    return missed + cost(0, False, max(least, pause), needed)


@pytest.mark.parametrize("seed", range(6))
def test_on_a_grid_it_is_the_best_and_proved(seed: int) -> None:
    """Where the need is no whole number of steps, the last one is taken whole."""
    rng = random.Random(seed)
    least, pause, needed = rng.choice([3, 5]), rng.choice([1, 4]), rng.randrange(10, 40)
    # Not a second more than so many steps.
    kwh = floor((needed - rng.choice([0, 0.4])) / 12 * 1e6) / 1e6
    device = load(
        demand(kwh, 10),
        min_on_s=300 * least - rng.choice([0, 100]),
        min_off_s=300 * pause - rng.choice([0, 60]),
        grid_s=300,
    )
    starts = sorted(rng.sample(range(0, 36000 - 3600, 3600), 3))
    slots = tuple(PowerSpan(NOW + a + 90, NOW + a + 2490, Decimal(1000)) for a in starts)
    planner = replace(COSTS, previous=(PreviousPlan("load", slots),))
    situation = replace(drawn(rng, 10, device), planner=planner)
    plan = make_plan(situation)
    assert plan.status is Status.OPTIMAL
    assert plan.bound == plan.objective
    known = best(situation, 120, needed, least, pause)
    assert float(plan.objective) == pytest.approx(known, abs=1e-6)
    assert all((s.start - NOW) % 300 == 0 for s in plan.devices[0].slots if s.start > NOW)


def test_a_run_may_be_as_short_as_one_that_stands_for_an_old_one_may_be() -> None:
    """Four minutes of it, begun a minute early while that is cheap, spare two changes."""
    known = [0.05, 0.1, 0.3, 0.3504, 0.0672, 0.3571]
    doubtful = [0.3, 0.521, -0.041, 0.1, 0.5589, 0.1292]
    priced = [(price, 1.0) for price in known] + [(price, 0.5) for price in doubtful]
    rates = tuple(
        RateSpan(NOW + k * 900, NOW + (k + 1) * 900, Decimal(str(price)), Decimal(confidence))
        for k, (price, confidence) in enumerate(priced)
    )
    device = Flexible(
        id="load0",
        max_power_w=Decimal(7200),
        min_power_w=Decimal(2400),
        demands=(demand(3.6, 2.5),),
    )
    old = PreviousPlan("load0", (PowerSpan(NOW + 1800, NOW + 2100, Decimal(7200)),))
    planner = Planner(
        estimate_margin_per_kwh=Decimal("0.1"),
        change_cost=Decimal("0.05"),
        change_until=NOW + 6300,
        previous=(old,),
    )
    plan = make_plan(
        Situation(NOW, "Europe/Berlin", "EUR", rates, devices=(device,), planner=planner)
    )
    assert plan.status is Status.OPTIMAL
    runs = [(s.start - NOW, s.end - NOW) for s in plan.devices[0].slots]
    assert (1740, 1800) in runs
    # 11 minutes at 0.05, one at 0.1, three at 0.3, 15 at -0.041 that may be 0.05 more; two changes.
    assert float(plan.objective) == pytest.approx(0.3022, abs=1e-6)
