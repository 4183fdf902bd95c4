"""What a plan says of itself: each sentence on its own house, and none against another."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.energy.plan import DevicePlan, Plan
from agent.energy.situation import (
    CapacityCharge,
    ComfortSpan,
    Hygiene,
    Planner,
    PowerSpan,
    PreviousPlan,
    Situation,
    StorageTarget,
)
from agent.planning import make_plan
from agent.planning.engine import Deadline
from agent.planning.judge import judge
from agent.planning.portfolio import ENGINES, plan_parts, whole
from agent.planning.presentation import plan_of
from agent.planning.problem import problem_of
from agent.planning.reasons.house import House
from agent.planning.reasons.shared import held_by_limit
from agent.planning.segments import Segment
from tests.agent.planning.joint.homes import (
    battery,
    car,
    home,
    joint_plan,
    site,
    spans,
    tank,
    washer,
)
from tests.agent.planning.rule.test_feasible import houses
from tests.agent.planning.said import contradictions
from tests.agent.planning.tale import HOUR, NOW, demand, house, load
from tests.agent.planning.test_portfolio import old_plans


def told(plan: Plan, code: str, index: int = 0) -> list[str]:
    return [reason.text for reason in plan.devices[index].why if reason.code == code]


def slot_codes(device: DevicePlan) -> list[str]:
    return [slot.reason for slot in device.slots]


def test_why_now_and_not_earlier_or_later() -> None:
    plan = make_plan(house([0.4, 0.3, 0.1, 0.2, 0.5, 0.5], load(demand(1, 6))))
    assert told(plan, "cheapest") == [
        "Waits until 13:00, when the energy costs least; "
        "everything at once would cost 0.30 EUR more.",
        "13:00 to 14:00: 2 hours earlier would cost 0.30 EUR more, 2 hours later 0.40 EUR more.",
    ]
    assert plan.devices[0].why[0].numbers["saves"] == Decimal("0.3")


def test_times_are_local_and_name_the_other_day() -> None:
    prices = [0.3] * 14 + [0.1, 0.3]
    plan = make_plan(house(prices, load(demand(1, 16)), zone="Asia/Tokyo"))
    assert told(plan, "cheapest")[0].startswith("Waits until Sat 09:00,")


def test_what_the_last_second_rounds_away_is_not_left_out() -> None:
    soft = demand(20, 6, hard=False, value_per_kwh=0.14)
    plan = make_plan(house([0.2, 0.14, 0.1, 0.12, 0.13, 0.3], load(soft, power_w=7400)))
    assert 0 < 20 - plan.devices[0].energy_kwh < Decimal("0.0021")
    assert told(plan, "not_worth") == []


def test_without_prices_it_waits_for_them_and_says_nothing_else() -> None:
    wanted = demand(10.5, 8)
    for devices in ((car(wanted, kw=7), washer(8), battery()), (car(wanted, kw=7), washer(8))):
        situation = house([], *devices)
        plan = joint_plan(situation)
        for device, waits in zip(plan.devices, ("17:30", "18:00"), strict=False):
            assert [reason.text for reason in device.why][1:] == [
                f"Waits for prices until {waits}: none ahead is known yet."
            ]
            assert device.why[0].code == "unknown"
        assert contradictions(situation, plan) == []


def test_what_cannot_wait_for_prices_does_not_say_that_it_waits() -> None:
    plan = make_plan(house([], car(demand(7, 1), kw=7), battery()))
    assert told(plan, "waits_for_prices") == []
    assert "Runs at once: no price ahead is known yet." in told(plan, "unknown")


def charge(peak_w: int = 3000, per_kw: str = "4") -> CapacityCharge:
    return CapacityCharge(Decimal(per_kw), peak_so_far_w=Decimal(peak_w))


def test_a_peak_that_holds_a_car_down_in_cheap_hours_is_named() -> None:
    base = site(base_load=spans(*[1] * 6), capacity_charge=charge())
    plan = joint_plan(home([0.5, 0.1, 0.2, 0.3, 0.4, 0.5], car(demand(6, 6), kw=7), site=base))
    assert slot_codes(plan.devices[0]) == ["cheapest", "peak", "peak"]
    assert plan.devices[0].slots[0].power_w == 2000
    assert told(plan, "peak") == [
        "Held at a peak of 3 kW from 12:00 to 15:00: each kW more would cost 4.00 EUR."
    ]
    assert any(
        "as far as the price of a higher peak allows" in one for one in told(plan, "cheapest")
    )


def test_a_peak_that_holds_a_car_down_is_named_where_no_hour_is_cheaper() -> None:
    base = site(base_load=spans(*[1] * 4), capacity_charge=charge())
    plan = joint_plan(home([0.2] * 4, car(demand(8, 4), kw=7), site=base))
    assert len(told(plan, "peak")) == 1


def test_a_peak_that_nobody_is_held_by_is_not_spoken_of() -> None:
    base = site(base_load=spans(*[1] * 4), capacity_charge=charge(9000))
    plan = joint_plan(home([0.2, 0.1, 0.3, 0.3], car(demand(7.5, 4), kw=7), site=base))
    assert told(plan, "peak") == []
    assert "peak" not in slot_codes(plan.devices[0])


def test_who_raises_the_peak_says_from_what_to_what_and_for_how_much() -> None:
    base = site(base_load=spans(*[1] * 4), capacity_charge=charge())
    block = demand(7, 4, contiguous=True)
    situation = home([0.3, 0.1, 0.3, 0.3], car(block, kw=7), washer(4, kw=2.5), site=base)
    plan = joint_plan(situation)
    assert told(plan, "peak") == ["Raises the peak from 3.5 kW to 8 kW, which costs 18.00 EUR."]
    assert told(plan, "peak", 1) == []
    alone = joint_plan(home([0.1], washer(1, kw=5), site=base))
    assert told(alone, "peak") == ["Raises the peak from 3 kW to 6 kW, which costs 12.00 EUR."]


def test_a_battery_that_keeps_the_peak_down_says_what_that_saves() -> None:
    base = site(base_load=spans(1, 5, 1, 1), capacity_charge=charge())
    plan = joint_plan(home([0.1] * 4, battery(2, kw=2), site=base))
    assert told(plan, "peak") == ["Keeps the peak at 3 kW instead of 5 kW, which saves 8.00 EUR."]


def test_what_is_not_worth_a_higher_peak_is_left_out_for_it() -> None:
    base = site(base_load=spans(*[3] * 2), capacity_charge=charge())
    soft = demand(2, 2, hard=False, value_per_kwh=0.5)
    plan = joint_plan(home([0.1, 0.1], car(soft), site=base))
    assert told(plan, "peak") == ["2.0 kWh are left out: they are not worth a higher peak."]


def test_who_lacks_a_few_milliwatts_is_not_held_by_the_limit() -> None:
    situation = home([0.1], car(demand(2, 1), kw=2), site=site(import_limit_w=Decimal(2000)))
    problem = problem_of(situation)
    nearly = Segment(0, HOUR, problem.models[0].power - 1, 0)  # type: ignore[union-attr]
    judged = judge(problem, {"car": (nearly,)})
    house_of_it = House(judged, Deadline.never())
    assert list(held_by_limit(house_of_it, "car", nearly.power + 1, set())) == []


def test_a_limit_that_holds_a_car_down_in_cheap_hours_is_its_code_in_dear_ones() -> None:
    base = site(base_load=spans(*[1] * 4), import_limit_w=Decimal(3000))
    plan = joint_plan(home([0.5, 0.1, 0.2, 0.3], car(demand(6, 4), kw=7), site=base))
    assert slot_codes(plan.devices[0]) == ["cheapest", "limit", "limit"]


def test_what_is_not_worth_it_names_the_price_and_the_value() -> None:
    wish = demand(2, None, hard=False, value_per_kwh=0.25)
    plan = make_plan(house([0.4, 0.1, 0.3], load(wish)))
    assert told(plan, "not_worth") == [
        "1.0 kWh are not worth it: the cheapest time left costs 0.30, the value is 0.25."
    ]


def test_what_was_kept_names_what_moving_would_save_and_cost() -> None:
    old = PreviousPlan("load", (PowerSpan(NOW + 2 * HOUR, NOW + 3 * HOUR, Decimal(1000)),))
    planner = Planner(change_cost=Decimal("0.05"), previous=(old,))
    plan = make_plan(house([0.3, 0.19, 0.2], load(demand(1, 3)), planner=planner))
    (text,) = told(plan, "change_kept")
    assert text.startswith("Kept as it was: moving would save 0.0")
    assert text.endswith("EUR in changes.")


def test_the_limit_that_holds_is_named_with_its_time() -> None:
    limits = spans(8, 2, 8)
    plan = joint_plan(
        home([0.3, 0.1, 0.3], car(demand(4, 3), kw=4), site=site(import_limits=limits))
    )
    assert told(plan, "limit") == ["Held by the 2 kW limit from 12:00 to 13:00."]


def test_a_car_waits_where_the_house_takes_the_room_in_the_cheap_hour() -> None:
    house_load = site(import_limit_w=Decimal(2500), base_load=spans(0.2, 2.4, 0.2, 0.2))
    plan = joint_plan(
        home([0.3, 0.1, 0.2, 0.4], car(demand(2, 4), kw=2, least_kw=1), site=house_load)
    )
    assert set(slot_codes(plan.devices[0])) == {"limit"}
    assert told(plan, "limit") == ["Cheaper times are taken: the import limit has no room there."]


def test_energy_of_the_roof_names_what_it_would_earn() -> None:
    plan = joint_plan(
        home(
            [0.3, 0.3, 0.3],
            car(demand(2, 3), kw=2),
            site=site(pv=spans(0, 3, 0)),
            sells=[0.05, 0.05, 0.05],
        )
    )
    assert told(plan, "surplus") == ["Runs on the roof: 2.0 kWh that would earn 0.10 EUR."]


def test_a_battery_says_what_it_paid_and_what_it_spares() -> None:
    plan = joint_plan(
        home(
            [0.2, 0.4],
            battery(0, 2, 1, charge_efficiency=0.8, wear_per_kwh=0.01),
            site=site(base_load=spans(0, 1)),
        )
    )
    assert told(plan, "covers_house") == [
        "Discharges 12:00 to 13:00: import costs 0.40 against 0.26 stored, losses and wear paid."
    ]
    assert told(plan, "store_ahead") == [
        "Charges 11:00 to 12:00 at 0.20 for 12:00, when import costs 0.40."
    ]
    assert plan.devices[0].why[-1].code == "saves"


def test_a_battery_that_does_nothing_says_that_prices_do_not_pay() -> None:
    flat = home([0.3, 0.31], battery(0, 2, 1, charge_efficiency=0.8))
    assert told(joint_plan(flat), "not_worth") == [
        "Does nothing: from 0.30 to 0.31 prices do not pay for its losses and wear."
    ]


def test_a_tank_heats_ahead_of_dear_time() -> None:
    warm = tank(50, loss_w_per_c=Decimal(5))
    plan = joint_plan(home([0.1, 0.1, 0.4, 0.4, 0.4, 0.4], warm))
    (text,) = told(plan, "store_ahead")[:1]
    assert "cheaper than at" in text


def test_a_program_says_what_starting_at_once_would_cost() -> None:
    plan = make_plan(house([0.4, 0.3, 0.1, 0.2], washer(4)))
    assert told(plan, "cheapest") == [
        "Starts at 13:00: the same run at once would cost 0.30 EUR more."
    ]


def test_a_shortfall_names_its_cause() -> None:
    plan = make_plan(house([0.3, 0.1], load(demand(3, 2))))
    assert told(plan, "shortfall") == [
        "1.0 kWh of 3.0 kWh are missing at 13:00: at full power there is time for 2.0 kWh."
    ]
    small = site(import_limit_w=Decimal(1000))
    plan = joint_plan(home([0.3, 0.1], car(demand(3, 2), kw=2), site=small))
    assert told(plan, "shortfall") == [
        "1.0 kWh of 3.0 kWh are missing at 13:00: the import limit leaves room for 2.0 kWh."
    ]


EVERY_KIND = home(
    [0.3, 0.12, 0.1, 0.25, 0.4, 0.35, 0.2, 0.15],
    car(demand(5, 6), kw=4, least_kw=1.4),
    battery(1, 4, 2, wear_per_kwh=0.01, targets=(StorageTarget(NOW + 5 * HOUR, Decimal(2)),)),
    tank(51, loss_w_per_c=Decimal(30), hygiene=Hygiene(NOW + 6 * HOUR, Decimal(53), HOUR)),
    washer(7),
    site=site(
        import_limit_w=Decimal(5000),
        base_load=spans(*[0.4] * 8),
        pv=spans(0, 0, 0, 2, 2, 1, 0, 0),
        capacity_charge=CapacityCharge(Decimal("0.1"), peak_so_far_w=Decimal(2000)),
    ),
    sells=[0.05] * 8,
)


def test_a_house_of_every_kind_says_nothing_that_cannot_be() -> None:
    assert contradictions(EVERY_KIND, make_plan(EVERY_KIND)) == []
    plain = replace(EVERY_KIND, site=replace(EVERY_KIND.site, capacity_charge=None))
    few = replace(plain, devices=(plain.devices[0], plain.devices[1]))
    assert contradictions(few, joint_plan(few)) == []


def test_without_time_there_are_still_reasons() -> None:
    problem = problem_of(EVERY_KIND)
    verdicts = plan_parts(problem, Deadline.never(), ENGINES[:1])
    late = Deadline.after(lambda: 0.0, -1)
    plan = plan_of(whole(problem, verdicts), verdicts, late)
    assert all(device.why for device in plan.devices)
    assert contradictions(EVERY_KIND, plan) == []


def test_a_lie_would_be_seen() -> None:
    situation = house([0.4, 0.3, 0.1, 0.2], load(demand(1, 4)))
    plan = make_plan(situation)
    assert contradictions(situation, plan) == []
    (device,) = plan.devices
    (slot,) = device.slots
    dear = replace(slot, start=NOW, end=NOW + HOUR, price=Decimal("0.4"))
    for lie in (
        replace(device, slots=(dear,)),
        replace(device, deadline_met=False),
        replace(device, why=(*device.why, device.why[0])),
        replace(device, why=(replace(device.why[0], numbers={"saves": Decimal("0.5")}),)),
        replace(device, why=(replace(device.why[0], numbers={"saves": Decimal("-0.1")}),)),
        replace(device, why=(replace(device.why[0], code="late"),)),
        replace(device, why=()),
    ):
        assert contradictions(situation, replace(plan, devices=(lie,)))


SEARCHED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)


@SEARCHED
@given(houses())
def test_no_sentence_of_a_shared_house_contradicts_another(situation: Situation) -> None:
    assert contradictions(situation, make_plan(situation)) == []


@SEARCHED
@given(old_plans())
def test_no_sentence_of_a_calm_plan_contradicts_another(situation: Situation) -> None:
    assert contradictions(situation, make_plan(situation)) == []
    free = replace(situation, planner=Planner())
    assert contradictions(free, make_plan(free)) == []


@st.composite
def wishes(draw: st.DrawFn) -> Situation:
    """One device with rules of its own and up to three demands, alone or under a limit."""
    hours = 12
    prices = draw(st.lists(st.none() | st.integers(-5, 40), min_size=hours, max_size=hours))
    demands = []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, 8))
        more: dict[str, object] = {"earliest_h": start, "contiguous": draw(st.booleans())}
        if draw(st.booleans()):
            more |= {"hard": False, "value_per_kwh": draw(st.integers(0, 40)) / 100}
        elif draw(st.booleans()):
            more["price_cap"] = draw(st.integers(0, 40)) / 100
        kwh = draw(st.sampled_from([0, 0.5, 1.3, 3]))
        demands.append(demand(kwh, start + draw(st.integers(1, 6)), **more))
    rules: dict[str, object] = {
        "min_on_s": draw(st.sampled_from([0, 0, 1800])),
        "min_off_s": draw(st.sampled_from([0, 0, 1800])),
        "start_cost": draw(st.sampled_from([0, 0, 0.05])),
        "grid_s": draw(st.sampled_from([0, 0, 900])),
    }
    since = NOW - draw(st.sampled_from([60, 900, 5000]))
    rules |= draw(st.sampled_from([{}, {}, {"on_since": since}, {"off_since": since}]))
    situation = house([None if p is None else p / 100 for p in prices], load(*demands, **rules))  # type: ignore[arg-type]
    doubt = draw(st.integers(0, hours))
    rates = tuple(
        replace(rate, confidence=Decimal("0.5")) if rate.start >= NOW + doubt * HOUR else rate
        for rate in situation.import_rates
    )
    limit = draw(st.sampled_from([None, None, 700, 1200]))
    return replace(
        situation,
        import_rates=rates,
        planner=Planner(estimate_margin_per_kwh=Decimal(draw(st.sampled_from(["0", "0.05"])))),
        site=site(import_limit_w=None if limit is None else Decimal(limit)),
    )


@SEARCHED
@given(wishes())
def test_no_sentence_of_a_device_with_rules_contradicts_another(situation: Situation) -> None:
    assert contradictions(situation, make_plan(situation)) == []


@st.composite
def stores(draw: st.DrawFn) -> Situation:
    """A battery and a tank with a roof, as the rule plans them."""
    hours = 10
    prices = draw(st.lists(st.integers(-5, 40), min_size=hours, max_size=hours))
    sells = draw(st.lists(st.integers(-2, 15), min_size=hours, max_size=hours))
    roof = draw(st.lists(st.sampled_from([0, 0, 1, 3]), min_size=hours, max_size=hours))
    loads = draw(st.lists(st.sampled_from([0.2, 1, 2.5]), min_size=hours, max_size=hours))
    targets = draw(
        st.sampled_from([(), (StorageTarget(NOW + 4 * HOUR, Decimal(3)),)]),
    )
    store = battery(
        draw(st.integers(0, 5)),
        4,
        2,
        charge_efficiency=0.9,
        discharge_efficiency=0.9,
        wear_per_kwh=draw(st.sampled_from([0, 0.03])),
        min_kwh=1,
        targets=targets,
        grid_charge=draw(st.booleans()),
        export=draw(st.booleans()),
        final_value_per_kwh=draw(st.sampled_from([None, 0, 0.2])),
    )
    water = tank(draw(st.integers(46, 56)), loss_w_per_c=Decimal(draw(st.sampled_from([0, 20]))))
    limit = draw(st.sampled_from([None, 2000, 4000]))
    return home(
        [price / 100 for price in prices],
        store,
        water,
        car(demand(draw(st.integers(0, 8)), 6), kw=3),
        washer(draw(st.integers(1, 9))),
        site=site(
            import_limit_w=None if limit is None else Decimal(limit),
            pv=spans(*roof),
            base_load=spans(*loads),
        ),
        sells=[price / 100 for price in sells],
    )


@SEARCHED
@given(stores())
def test_no_sentence_of_a_house_with_stores_contradicts_another(situation: Situation) -> None:
    assert contradictions(situation, make_plan(situation)) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_the_hour_that_comes_twice_is_named(zone: str) -> None:
    fall = {"Europe/Berlin": "2026-10-25T02:30+02:00", "America/New_York": "2026-11-01T01:30-04:00"}
    now = round(datetime.fromisoformat(fall[zone]).timestamp())
    early = house([0.3, 0.1, 0.3], load(demand(1, 3)), zone=zone)
    shift = now - NOW
    rates = tuple(
        replace(rate, start=rate.start + shift, end=rate.end + shift) for rate in early.import_rates
    )
    device = load(replace(demand(1), deadline=now + 3 * HOUR))
    plan = make_plan(replace(early, now=now, import_rates=rates, devices=(device,)))
    text = told(plan, "cheapest")[0]
    assert "02:30 CET" in text if zone == "Europe/Berlin" else "01:30 EST" in text


@pytest.mark.parametrize(("hours", "said"), [(-2, "which is past"), (30, "when prices are known")])
def test_hygiene_that_is_not_planned_for_says_why(hours: int, said: str) -> None:
    rule = Hygiene(NOW + hours * HOUR, Decimal(60), HOUR)
    plan = make_plan(home([0.1, 0.2], tank(51, hygiene=rule)))
    (text,) = told(plan, "hygiene")
    assert text.startswith("60 °C for hygiene")
    assert said in text


def test_comfort_that_cannot_be_reached_says_so() -> None:
    cold = tank(40, comfort=(ComfortSpan(NOW, NOW + 2 * HOUR, Decimal(50), Decimal(54)),))
    plan = joint_plan(home([0.3, 0.1], cold))
    (text,) = told(plan, "shortfall")
    assert text.endswith("not even full power from now on keeps it.")
