"""Houses whose devices share a limit: a plan by rule that keeps it."""

from dataclasses import replace
from decimal import Decimal

from agent.energy.plan import Engine, Plan, Status
from agent.energy.situation import (
    ComfortSpan,
    Flexible,
    Hygiene,
    PowerSpan,
    ProfileSegment,
    Program,
    Site,
    Situation,
    Storage,
    StorageTarget,
    TemperatureSpan,
    Thermal,
)
from agent.planning import make_plan
from tests.agent.planning.joint.homes import ALL_ENGINES
from tests.agent.planning.tale import HOUR, NOW, demand, hours_on, house

DAY = 24 * HOUR


def car(name: str, kwh: float, deadline_h: float, priority: int = 0) -> Flexible:
    needs = (demand(kwh, deadline_h),)
    return Flexible(name, Decimal(7000), Decimal(1400), needs, priority=priority)


def battery(**more: object) -> Storage:
    ten, five = Decimal(10), Decimal(5)
    return Storage("battery", ten, five, Decimal(3000), Decimal(3000), **more)  # type: ignore[arg-type]


def limited(limit_w: int, base_w: int = 500, pv_w: int = 0) -> Site:
    def all_day(power: int) -> tuple[PowerSpan, ...]:
        return (PowerSpan(NOW, NOW + 5 * DAY, Decimal(power)),)

    return Site(
        import_limit_w=Decimal(limit_w),
        base_load=all_day(base_w),
        pv=all_day(pv_w) if pv_w else (),
    )


def peak_w(plan: Plan) -> Decimal:
    return max(span.import_w for span in plan.site)


def heater(**more: object) -> Thermal:
    return Thermal(
        "heat_pump",
        Decimal(3000),
        Decimal(20),
        Decimal(4),
        min_power_w=Decimal(500),
        loss_w_per_c=Decimal(200),
        comfort=(ComfortSpan(NOW, NOW + DAY, Decimal(20), Decimal(22)),),
        outdoor=(TemperatureSpan(NOW, NOW + DAY, Decimal(0)),),
        cop=((Decimal(0), Decimal(3)),),
        **more,  # type: ignore[arg-type]
    )


def test_two_cars_share_a_limit_and_both_leave_in_time() -> None:
    prices = [0.3, 0.1, 0.1, 0.3, 0.3, 0.3]
    plan = make_plan(house(prices, car("a", 7, 6), car("b", 7, 6, 1), site=limited(8000)))
    assert plan.status is Status.RULE
    assert all(device.deadline_met for device in plan.devices)
    assert peak_w(plan) <= 8000
    assert hours_on(plan, 1) == [(1, 2)]


def test_without_prices_all_waits_as_long_as_it_may_by_rule() -> None:
    dishwasher = Program(
        "dishwasher", (ProfileSegment(HOUR, Decimal(2000)),), deadline=NOW + 8 * HOUR
    )
    switched = Flexible("boiler", Decimal(2000), demands=(demand(4, 8),), min_on_s=1800)
    idle = Flexible("pump", Decimal(2000))
    devices = (car("ev", 7, 8), dishwasher, switched, idle)
    plan = make_plan(house([], *devices, site=limited(20_000)), engines=ALL_ENGINES)
    assert [hours_on(plan, k) for k in range(4)] == [[(7, 8)], [(7, 8)], [(6, 8)], []]
    assert plan.status is Status.RULE
    assert plan.engine is Engine.RULE
    assert [one.status for one in plan.devices[:3]] == [Status.RULE] * 3
    assert plan.devices[3].status is Status.OPTIMAL
    # Alone that is proved.
    alone = make_plan(house([], *devices))
    assert [hours_on(alone, k) for k in range(4)] == [[(7, 8)], [(7, 8)], [(6, 8)], []]
    assert alone.status is Status.OPTIMAL


def test_who_cannot_be_served_in_time_is_served_late() -> None:
    plan = make_plan(house([0.1] * 3, car("a", 7, 1), car("b", 7, 1, 1), site=limited(8000)))
    late, first = plan.devices
    assert first.deadline_met
    assert not late.deadline_met
    assert late.energy_kwh == 7
    assert peak_w(plan) <= 8000


def test_a_house_that_breaks_the_limit_alone_gets_nothing_on_top() -> None:
    site = limited(3000, base_w=4000)
    plan = make_plan(house([0.1] * 4, car("a", 7, 4), site=site))
    assert plan.devices[0].energy_kwh == 0
    assert peak_w(plan) == 4000


def test_a_program_waits_for_room() -> None:
    washer = Program("washer", (ProfileSegment(HOUR, Decimal(2000)),), NOW + 6 * HOUR)
    site = limited(8000, base_w=0)
    plan = make_plan(house([0.1, 0.3, 0.3, 0.3], car("a", 7, 4, 5), washer, site=site))
    assert hours_on(plan, 0) == [(0, 1)]
    assert hours_on(plan, 1)[0][0] >= 1
    assert plan.devices[1].deadline_met


def test_a_battery_serves_the_house_by_itself() -> None:
    plan = make_plan(house([0.3] * 4, battery(), site=limited(8000)))
    slots = plan.devices[0].slots
    assert {slot.mode for slot in slots} == {"auto"}
    assert all(slot.power_w == -500 for slot in slots)


def test_a_target_is_charged_in_the_cheapest_time_before_it() -> None:
    goal = StorageTarget(NOW + 4 * HOUR, Decimal(7))
    plan = make_plan(house([0.3, 0.1, 0.3, 0.3, 0.3], battery(targets=(goal,)), site=limited(8000)))
    charging = [slot for slot in plan.devices[0].slots if slot.power_w > 0]
    assert sum(slot.power_w * (slot.end - slot.start) for slot in charging) == 2000 * HOUR
    assert all(NOW + HOUR <= slot.start < NOW + 2 * HOUR for slot in charging)
    stored = [s.energy_kwh for s in plan.devices[0].slots if s.end == NOW + 4 * HOUR]
    assert stored == [7]


def test_heat_holds_the_comfort_minimum() -> None:
    plan = make_plan(house([0.3] * 12, heater()))
    temperatures = [slot.temperature_c for slot in plan.devices[0].slots]
    assert all(t is None or t >= Decimal("19.99") for t in temperatures)
    assert plan.devices[0].energy_kwh > 0


def test_a_tank_is_hot_for_its_hygiene_and_no_longer() -> None:
    rule = Hygiene(NOW + 8 * HOUR, Decimal(60), HOUR)
    tank = Thermal(
        "tank",
        Decimal(2000),
        Decimal(50),
        Decimal("0.3"),
        loss_w_per_c=Decimal(2),
        outdoor=(TemperatureSpan(NOW, NOW + DAY, Decimal(20)),),
        hygiene=rule,
    )
    slots = make_plan(house([0.3] * 12, tank)).devices[0].slots
    assert slots[-1].end <= rule.by
    assert slots[-1].temperature_c is not None
    assert abs(slots[-1].temperature_c - 60) < Decimal("0.1")


def test_a_bound_is_never_above_the_objective() -> None:
    devices = (car("a", 7, 4), battery(), heater())
    situation = house([0.3, -0.1, 0.2, 0.1], *devices, site=limited(8000, pv_w=2000))
    plan = make_plan(situation)
    assert plan.bound <= plan.objective
    assert plan.gap >= 0


def test_every_part_of_a_house_can_be_missing() -> None:
    whole = house([0.3, 0.1], car("a", 7, 4), battery(), heater(), site=limited(8000))
    for count in range(len(whole.devices) + 1):
        plan = make_plan(replace(whole, devices=whole.devices[:count], import_rates=()))
        assert len(plan.devices) == count


def test_no_device_at_all() -> None:
    plan = make_plan(Situation(NOW, "Europe/Berlin", "EUR"))
    assert (plan.status, plan.devices, plan.horizon) == (Status.OPTIMAL, (), NOW)
