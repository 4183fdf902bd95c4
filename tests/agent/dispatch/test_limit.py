"""Two steps under a site limit: first everybody takes the lower, then who may takes more."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from agent.config.devices import EvCharger, HeatPump, Load
from agent.dispatch.limit import (
    PendingReductions,
    decreases,
    fit_offline_rules,
    increases,
    minimum_of,
)
from agent.dispatch.schedules import DeviceProfile, device_profile
from agent.energy.schedule import Schedule, ScheduleSlot

NOW = 1_768_521_600
EV = device_profile(
    EvCharger(id="ev", type="ev_charger", max_power_w=11_000, phases=3, battery_kwh=Decimal(60))
)


def schedule(profile: DeviceProfile, *spans: tuple[int, int, int]) -> Schedule:
    slots = tuple(
        ScheduleSlot(
            NOW + a, NOW + b, "charge", watt, Decimal(watt * (b - a)) / 3_600_000, None, "limit"
        )
        for a, b, watt in spans
    )
    return Schedule(
        device=profile.id,
        device_type=profile.type,
        revision=1,
        issued_at=NOW,
        valid_from=NOW - 300,
        valid_until=NOW + 10_000,
        currency="EUR",
        slots=slots,
        default=profile.default,
        offline=profile.offline,
    )


def test_a_swap_of_two_cars_lowers_before_it_raises() -> None:
    old = schedule(EV, (0, 3600, 11_000))
    new = schedule(EV, (3600, 7200, 11_000))
    assert decreases(EV, old, new, NOW)
    assert increases(EV, old, new, NOW)
    assert not minimum_of(EV, old, new, NOW).slots


def test_what_both_allow_goes_on() -> None:
    old = schedule(EV, (0, 3600, 11_000))
    new = schedule(EV, (0, 1800, 5000), (3600, 7200, 11_000))
    assert [
        (s.start - NOW, s.end - NOW, s.power_w) for s in minimum_of(EV, old, new, NOW).slots
    ] == [(0, 1800, 5000)]


spans = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 5), st.sampled_from([4200, 7000, 11_000])),
    max_size=4,
)


def laid_out(raw: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    out: list[tuple[int, int, int]] = []
    for start, length, watt in sorted(raw):
        begin = max(start, out[-1][1] if out else 0)
        out.append((begin, begin + length, watt))
    return out


@given(spans, spans)
def test_at_each_second_it_is_the_lower_of_both(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]
) -> None:
    old, new = schedule(EV, *laid_out(one)), schedule(EV, *laid_out(other))
    low = minimum_of(EV, old, new, NOW)
    for second in range(60):

        def power(held: Schedule, at: int = NOW + second) -> int:
            slot = held.slot_at(at)
            return slot.power_w if slot else 0

        assert power(low) == min(power(old), power(new))
    assert not increases(EV, old, low, NOW)
    assert not increases(EV, new, low, NOW)


def test_offline_rules_fit_below_the_limit_the_lowest_priority_gives_way() -> None:
    second = replace(EV, id="ev2")
    pump = device_profile(
        HeatPump.model_validate(
            {"id": "hp", "type": "heat_pump", "power_w": 2000, "needs": [{"hours": 3}]}
        )
    )
    load = device_profile(
        Load.model_validate({"id": "x", "type": "load", "power_w": 900, "needs": [{"hours": 1}]})
    )
    profiles = [EV, second, pump, load]
    priorities = {"ev": 5, "ev2": 0, "hp": -9, "x": 9}
    fitted, reduced = fit_offline_rules(profiles, priorities, limit_w=8000, base_load_w=500)
    assert reduced == ["ev2"]
    assert (fitted["ev2"].offline.mode, fitted["ev2"].offline.power_w) == ("idle", 0)
    assert fitted["ev"] == EV
    assert fit_offline_rules(profiles, priorities, limit_w=20_000, base_load_w=500)[1] == []


def test_room_is_made_when_all_have_answered_or_a_minute_is_over() -> None:
    room = PendingReductions()
    assert room.complete
    room.lowered("ev", 7, NOW)
    assert not room.acknowledged("ev", 6)
    assert not room.complete
    assert room.acknowledged("ev", 7)
    assert room.complete
    room.lowered("ev", 8, NOW)
    assert room.overdue(NOW + 59) == []
    assert room.overdue(NOW + 60) == ["ev"]
    assert room.complete
