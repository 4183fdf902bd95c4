"""Starts and changes that cost something, against every pattern of minutes."""

from decimal import Decimal
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.energy.situation import (
    Demand,
    Flexible,
    Planner,
    PowerSpan,
    PreviousPlan,
    RateSpan,
    Situation,
)
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.engine import Deadline
from agent.planning.exact.objectives import Task
from agent.planning.exact.priced_switching import plan_priced_switching
from agent.planning.incumbent import edges_of
from agent.planning.problem import problem_of
from tests.agent.planning.tale import NOW

MINUTE = 60
MINUTES = 13
# A minute at this power is 0.06 kWh.
POWER_W = 3600


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A few minutes, with old runs as long as it takes for their edges to count, or shorter."""
    prices = draw(st.lists(st.sampled_from([0, 1, 2, 3, 5]), min_size=MINUTES, max_size=MINUTES))
    rates = tuple(
        RateSpan(NOW + k * MINUTE, NOW + (k + 1) * MINUTE, Decimal(price) / 10)
        for k, price in enumerate(prices)
    )
    first = draw(st.integers(3, MINUTES))
    windows = [(0, first)]
    if first < MINUTES and draw(st.booleans()):
        begin = draw(st.integers(0, first + 1))
        if max(begin, first) < MINUTES:
            windows.append((begin, MINUTES))
    demands = tuple(
        Demand(
            Decimal(draw(st.integers(1, max(1, (b - a) // 2)))) * 6 / 100,
            NOW + a * MINUTE,
            NOW + b * MINUTE,
        )
        for a, b in windows
    )
    slots: list[PowerSpan] = []
    at = draw(st.integers(-4, 4))
    while at < MINUTES and len(slots) < 3:
        length = draw(st.integers(2, 6))
        slots.append(PowerSpan(NOW + at * MINUTE, NOW + (at + length) * MINUTE, Decimal(POWER_W)))
        at += length + draw(st.integers(2, 7))
    until = draw(st.sampled_from([None, 5, 9]))
    planner = Planner(
        change_cost=Decimal(draw(st.sampled_from([0, 5, 20, 50]))) / 1000,
        change_until=None if until is None else NOW + until * MINUTE,
        previous=(PreviousPlan("load", tuple(slots)),) if draw(st.booleans()) else (),
    )
    since = draw(st.sampled_from([None, None, 1, 5]))
    device = Flexible(
        "load",
        Decimal(POWER_W),
        Decimal(POWER_W),
        demands,
        start_cost=Decimal(draw(st.sampled_from([0, 10, 30]))) / 1000,
        on_since=None if since is None else NOW - since * MINUTE,
    )
    return Situation(NOW, "Europe/Berlin", "EUR", rates, planner=planner, devices=(device,))


def least(situation: Situation) -> Decimal | None:
    """The least objective of all patterns of minutes in which everything is had in time."""
    [device] = situation.devices
    assert isinstance(device, Flexible)
    needs = [int(demand.energy_kwh * 100 / 6) for demand in device.demands]
    planner = situation.planner
    running = device.on_since is not None
    old = edges_of(
        [(slot.start - NOW, slot.end - NOW) for plan in planner.previous for slot in plan.slots]
    )
    until = planner.change_until or situation.import_rates[-1].end
    best: Decimal | None = None
    for pattern in product((0, 1), repeat=MINUTES):
        if sum(pattern) != sum(needs) or not _in_time(device, needs, pattern):
            continue
        power = Decimal(POWER_W) * MINUTE / 3_600_000
        cost = sum(
            (
                rate.price * power
                for rate, on in zip(situation.import_rates, pattern, strict=True)
                if on
            ),
            Decimal(0),
        )
        runs: list[tuple[int, int]] = []
        for k, on in enumerate(pattern):
            if on and k and pattern[k - 1]:
                runs[-1] = (runs[-1][0], (k + 1) * MINUTE)
            elif on:
                runs.append((k * MINUTE, (k + 1) * MINUTE))
        cost += device.start_cost * (len(runs) - (running and pattern[0]))
        if planner.previous:
            since = None if device.on_since is None else device.on_since - NOW
            new = edges_of(runs, since)
            for kind in (True, False):
                for mine, theirs in ((new[kind], old[kind]), (old[kind], new[kind])):
                    for at, lasts in mine:
                        same = any(
                            lasts and other_lasts and abs(at - other) <= 120
                            for other, other_lasts in theirs
                        )
                        if 0 <= at < until - NOW and not same:
                            cost += planner.change_cost
        if best is None or cost < best:
            best = cost
    return best


def _in_time(device: Flexible, needs: list[int], pattern: tuple[int, ...]) -> bool:
    """Whether the demands, the first before the second, fit these minutes."""
    served = 0
    for k, on in enumerate(pattern):
        if on:
            who = 0 if served < needs[0] else 1
            demand = device.demands[who]
            assert demand.earliest is not None
            assert demand.deadline is not None
            if not demand.earliest <= NOW + k * MINUTE < demand.deadline:
                return False
            served += 1
    return True


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(situations())
def test_no_pattern_of_minutes_is_cheaper(situation: Situation) -> None:
    problem = problem_of(situation)
    [device] = problem.models
    assert isinstance(device, ScaledDevice)
    task = Task(problem, device, Deadline.never())
    found = plan_priced_switching(task)
    if found is None:
        return
    expected = least(situation)
    assert expected is not None
    judged = task.judge(found.spans)
    exact = problem.units.currency(judged.objective)
    assert abs(Decimal(exact.numerator) / Decimal(exact.denominator) - expected) < Decimal("1e-9")
    assert found.proved
