"""Where a price is flat devices go on seldom: nothing is dearer and nothing missed for it."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from agent.energy.situation import (
    ComfortSpan,
    Flexible,
    Hygiene,
    Planner,
    PowerSpan,
    PreviousPlan,
    Situation,
)
from agent.planning.engine import Deadline
from agent.planning.judge import Judged, judge
from agent.planning.problem import problem_of
from agent.planning.segments import Segment, runs_of
from agent.planning.tidying import tidied
from tests.agent.planning.joint.homes import (
    HOUR,
    NOW,
    battery,
    car,
    demand,
    home,
    joint_plan,
    site,
    spans,
    tank,
)

QUARTER = 900
# From eleven in the morning: cheap from ten at night to six.
TWO_LEVELS = (*[0.32] * 11, *[0.19] * 8, *[0.32] * 5)
# The first quarter hour of the night.
NIGHT = 44

# Watts by quarter hour from now.
Powers = Mapping[int, int]


def judged(situation: Situation, powers: Mapping[str, Powers]) -> Judged:
    """As an engine may find it that cares for money alone."""
    problem = problem_of(situation)
    flexible = {one.id for one in situation.devices if isinstance(one, Flexible)}
    schedule = {
        id: tuple(
            Segment(
                k * QUARTER,
                (k + 1) * QUARTER,
                watts * problem.units.power_scale,
                0 if id in flexible else None,
            )
            for k, watts in sorted(own.items())
        )
        for id, own in powers.items()
    }
    plan = judge(problem, schedule)
    assert not plan.faults
    return plan


def tidy(plan: Judged, deadline: Deadline | None = None) -> Judged:
    """With what it may never do."""
    out = tidied(plan, plan.objective, deadline or Deadline.never())
    assert not out.faults
    assert out.objective <= plan.objective
    assert out.misses_more(plan.aims) <= 0
    return out


def every(step: int, first: int, count: int, watts: int) -> dict[int, int]:
    return {first + step * k: watts for k in range(count)}


def starts(plan: Judged, ids: Iterable[str]) -> list[int]:
    return [plan.devices[id].starts for id in ids]


def night_house(**more: object) -> Situation:
    """A car that can take all of the connection, a heat pump that runs for three hours, a tank and
    a store."""
    return home(
        TWO_LEVELS,
        car(demand(24, 19), kw=11, least_kw=4.14),
        car(demand(6, 24), name="pump", kw=2, least_kw=2),
        tank(
            min_power_w=Decimal(2000),
            comfort=(
                ComfortSpan(NOW, NOW + 20 * HOUR, Decimal(50), Decimal(54)),
                ComfortSpan(NOW + 20 * HOUR, NOW + 24 * HOUR, Decimal(54), Decimal(56)),
            ),
        ),
        battery(2, size=10, kw=3, final_value_per_kwh=0.25),
        site=site(import_limit_w=Decimal(8000)),
        **more,
    )


SCATTERED: Mapping[str, Powers] = {
    "car": every(2, NIGHT, 12, 8000),
    "pump": every(2, NIGHT + 1, 12, 2000),
    "tank": every(6, NIGHT + 1, 4, 2000),
    "battery": every(6, NIGHT + 3, 3, 3000),
}


def test_a_flat_night_takes_one_run_of_each() -> None:
    plan = judged(night_house(), SCATTERED)
    assert starts(plan, ("car", "pump", "tank")) == [12, 12, 4]
    out = tidy(plan)
    assert starts(out, ("car", "pump", "tank")) == [1, 1, 1]
    # And the store charges at a stretch.
    assert len(runs_of(out.devices["battery"].segments)) == 1
    assert out.cost == plan.cost


def test_a_car_charges_at_one_power_but_for_the_rest() -> None:
    situation = home(
        TWO_LEVELS,
        car(demand(9.25, 19), kw=11, least_kw=4.14),
        site=site(import_limit_w=Decimal(8000)),
    )
    watts = (8000, 7000, 8000, 6000, 8000)
    plan = judged(situation, {"car": {NIGHT + k: power for k, power in enumerate(watts)}})
    own = tidy(plan).devices["car"].segments
    scale = plan.problem.units.power_scale
    assert [one.power // scale for one in own] == [8000, 5000]


def test_two_cars_take_turns_once() -> None:
    cars = [car(demand(10, 19), name=name, kw=7, least_kw=1.4) for name in ("one", "two")]
    situation = home(TWO_LEVELS, *cars, site=site(import_limit_w=Decimal(8000)))
    scattered = {"one": every(4, NIGHT, 8, 5000), "two": every(4, NIGHT + 2, 8, 5000)}
    out = tidy(judged(situation, scattered))
    assert starts(out, ("one", "two")) == [1, 1]


def test_an_afternoon_of_sun_is_one_run() -> None:
    situation = home(
        [0.32] * 8,
        car(demand(6, 8), kw=3, least_kw=1.4),
        sells=[0.08] * 8,
        site=site(pv=spans(0, *[3.5] * 6, 0), base_load=spans(*[0.5] * 8)),
    )
    out = tidy(judged(situation, {"car": every(3, 4, 8, 3000)}))
    assert starts(out, ["car"]) == [1]


def test_what_the_sun_lacks_is_taken_beside_it() -> None:
    """All of the surplus, and from the grid no more than before."""
    sun = (0, 0.6, 1.2, 1.8, 1.2, 0.6)
    situation = home(
        [0.32] * 6,
        car(demand(8.65, 6), kw=4),
        sells=[0.08] * 6,
        site=site(pv=spans(*sun)),
    )
    watts = {4 * h + k: round(1000 * kw) for h, kw in enumerate(sun) for k in range(4) if kw}
    plan = judged(situation, {"car": watts | dict.fromkeys((0, 2, 8, 14), 4000)})
    out = tidy(plan)
    assert starts(out, ["car"]) == [1]


def test_a_start_less_is_worth_no_dearer_hour() -> None:
    prices = [0.2, 0.3, 0.2, 0.3, 0.2, 0.3]
    situation = home(prices, car(demand(6, 6), least_kw=2), site=site(import_limit_w=Decimal(2000)))
    plan = judged(situation, {"car": {k: 2000 for k in range(24) if k // 4 % 2 == 0}})
    assert tidy(plan) is plan


def test_minimum_times_are_kept() -> None:
    """Two runs that are left need an hour between them."""
    prices = [0.2, 0.3, 0.2, 0.2]
    device = replace(car(demand(4, 4), least_kw=2), min_on_s=1800, min_off_s=3600)
    situation = home(prices, device, site=site(import_limit_w=Decimal(2000)))
    out = tidy(
        judged(situation, {"car": {0: 2000, 1: 2000, 2: 2000, 3: 2000, **every(1, 10, 4, 2000)}})
    )
    assert starts(out, ["car"]) == [1]
    assert out.cost == judged(situation, {"car": every(1, 8, 8, 2000)}).cost


def test_hygiene_makes_a_tank_no_hotter_for_a_start_less() -> None:
    """Until it is back in its band no maximum binds; what is drawn later is not heated then."""
    store = tank(
        min_power_w=Decimal(2000),
        comfort=(
            ComfortSpan(NOW, NOW + 10 * HOUR, Decimal(50), Decimal(56)),
            ComfortSpan(NOW + 10 * HOUR, NOW + 12 * HOUR, Decimal(54), Decimal(56)),
        ),
        draw=(PowerSpan(NOW + 5 * HOUR, NOW + 9 * HOUR, Decimal(1250)),),
        hygiene=Hygiene(NOW + 4 * HOUR, Decimal(60), 1800),
    )
    situation = home([0.3] * 12, store, site=site(import_limit_w=Decimal(8000)))
    powers = dict.fromkeys((*range(10), *range(36, 40)), 2000)
    plan = judged(situation, {"tank": powers})
    assert starts(plan, ["tank"]) == [2]
    assert tidy(plan).schedule == plan.schedule


def test_when_time_is_over_the_plan_is_as_it_was() -> None:
    plan = judged(night_house(), SCATTERED)
    assert tidy(plan, Deadline.passed()) is plan


def test_places_that_are_all_too_cold_are_not_looked_at_beyond_the_time() -> None:
    """Ten days in which each quarter hour of heat is needed where it is: 40,000 pairs of runs."""
    days, ticks = 10, itertools.count()
    held = ComfortSpan(NOW, NOW + days * 24 * HOUR, Decimal("49.9"), Decimal("51.1"))
    drawn = PowerSpan(NOW, NOW + days * 24 * HOUR, Decimal(400))
    store = tank(min_power_w=Decimal(2000), comfort=(held,), draw=(drawn,))
    situation = home([0.3] * 24 * days, store, site=site(import_limit_w=Decimal(8000)))
    plan = judged(situation, {"tank": every(5, 0, days * 24 * 4 // 5, 2000)})
    assert tidy(plan, Deadline.after(lambda: next(ticks), 500)) is plan
    assert 500 < next(ticks) < 510


def test_the_same_plan_becomes_the_same() -> None:
    one, other = (tidy(judged(night_house(), SCATTERED)) for _ in range(2))
    assert one.schedule == other.schedule


def test_whoever_plans_a_flat_night_goes_on_once() -> None:
    cars = [car(demand(10, 19), name=name, kw=7, least_kw=1.4) for name in ("one", "two")]
    plan = joint_plan(home(TWO_LEVELS, *cars, site=site(import_limit_w=Decimal(8000))))
    assert [device.starts for device in plan.devices] == [1, 1]


def test_a_plan_in_force_stays_though_it_switches_often() -> None:
    """Where what changes costs something; what is told is told once."""
    old = [
        PowerSpan(NOW + k * QUARTER, NOW + (k + 1) * QUARTER, Decimal(2000))
        for k in (NIGHT, NIGHT + 4, NIGHT + 9, NIGHT + 13)
    ]
    situation = home(
        TWO_LEVELS,
        car(demand(2, 19), least_kw=2),
        site=site(import_limit_w=Decimal(8000)),
        planner=Planner(change_cost=Decimal("0.01"), previous=(PreviousPlan("car", tuple(old)),)),
    )
    [device] = joint_plan(situation).devices
    assert [(slot.start, slot.end) for slot in device.slots] == [
        (one.start, one.end) for one in old
    ]


def test_who_is_served_late_switches_no_more_than_others_before_that() -> None:
    """Two cars under a limit that has room for one: all is full until the deadline."""
    cars = [
        replace(car(demand(6, 2), name=name, kw=4), priority=priority)
        for name, priority in (("first", 1), ("second", 0))
    ]
    situation = home([0.4, 0.3, 0.2, 0.1], *cars, site=site(import_limit_w=Decimal(4000)))
    turns: dict[str, Powers] = {
        "first": dict.fromkeys((0, 2, 3, 5, 6, 7), 4000),
        "second": dict.fromkeys((1, 4, 8, 9, 10, 11), 4000),
    }
    before = judged(situation, turns)
    plan = tidied(before, before.objective, Deadline.never())
    starts = [plan.devices[one.id].starts for one in cars]
    assert [before.devices[one.id].starts for one in cars] == [3, 3]
    assert sum(starts) <= 3
    assert plan.misses_more(before.aims) == 0
    assert plan.objective == before.objective
