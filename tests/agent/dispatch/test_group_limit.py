"""Two limits: that of the whole house, and one of some of its devices."""

import random
from dataclasses import replace

import pytest

from agent.dispatch.group_limit import GroupHeadroom, curtailed_in_both, granted_in_both
from agent.dispatch.published import power_of
from agent.energy.steps import Steps, combined
from tests.agent.dispatch.test_limit import EV, NOW, PUMP, House, holding, schedule, shown

PROFILES = {"ev": EV, "hp": PUMP}
ENDLESS = Steps.constant(1e9)


def of_the_car(power_w: float) -> GroupHeadroom:
    return GroupHeadroom(Steps.constant(power_w), frozenset({"ev"}))


def test_a_stricter_limit_of_the_group_leaves_the_others_alone() -> None:
    published = {
        "ev": holding(schedule(EV, (0, 3600, 11_000))),
        "hp": holding(schedule(PUMP, (0, 3600, 2000))),
    }
    lower = curtailed_in_both(PROFILES, published, ENDLESS, (), NOW, group=of_the_car(4200))
    assert list(lower) == ["ev"]
    assert shown(lower["ev"]) == [(0, 3600, 4200)]


@pytest.mark.parametrize(("house_w", "ev"), [(6500, [(0, 3600, 4200)]), (6000, [])])
def test_the_houses_limit_binds_what_the_groups_leaves(
    house_w: float, ev: list[tuple[int, int, int]]
) -> None:
    published = {
        "ev": holding(schedule(EV, (0, 3600, 11_000))),
        "hp": holding(schedule(replace(PUMP, priority=1), (0, 3600, 2000))),
    }
    profiles = {"ev": EV, "hp": replace(PUMP, priority=1)}
    headroom = Steps.constant(house_w)
    lower = curtailed_in_both(profiles, published, headroom, ["hp"], NOW, group=of_the_car(4200))
    assert list(lower) == ["ev"]
    assert shown(lower["ev"]) == ev


def test_who_is_not_in_the_group_waits_for_nobody_in_it() -> None:
    published = {"ev": holding(schedule(EV, (0, 3600, 4200))), "hp": holding(schedule(PUMP))}
    wanted = {"ev": schedule(EV), "hp": schedule(PUMP, (0, 3600, 2000))}
    out, waiting = granted_in_both(
        PROFILES, published, wanted, ENDLESS, NOW, group=of_the_car(4200)
    )
    assert not waiting
    assert shown(out["hp"]) == [(0, 3600, 2000)]


def test_a_device_of_the_group_waits_for_the_limit_of_either() -> None:
    published = {"ev": holding(schedule(EV)), "hp": holding(schedule(PUMP, (0, 3600, 2000)))}
    wanted = {"ev": schedule(EV, (0, 3600, 4200)), "hp": schedule(PUMP)}
    for house_w, group_w in ((5000, 4200), (9000, 4100)):
        out, waiting = granted_in_both(
            PROFILES, published, wanted, Steps.constant(house_w), NOW, group=of_the_car(group_w)
        )
        assert waiting == {"ev"}
        assert shown(out["ev"]) == []


@pytest.mark.parametrize("seed", range(40))
def test_in_a_random_house_both_limits_hold_at_every_second(seed: int) -> None:
    rng = random.Random(seed)
    house, now = House(rng), NOW
    members = frozenset(name for name in house.profiles if rng.random() < 0.5)
    for _ in range(8):
        now += rng.randint(1, 900)
        for item in house.published.values():
            if item.unanswered and rng.random() < 0.6:
                item.answer(rng.choice(item.unanswered)[0].revision)
            item.overdue(now, is_out=True)
        headroom = Steps.constant(rng.choice([6000, 9000, 12_000]))
        group = GroupHeadroom(Steps.constant(rng.choice([4200, 7560])), members)
        lower = curtailed_in_both(house.profiles, house.published, headroom, (), now, group=group)
        for name, made in lower.items():
            house.publish(name, made, now)
        for item in house.published.values():
            # What was sent before the limit came is no longer followed once it was obeyed.
            if item.latest is not None:
                item.answer(item.latest.revision)
        limits = [(headroom, frozenset(house.profiles)), (group.power_w, members)]
        drawn: dict[str, Steps] = {}
        wanted = {}
        for name, profile in house.profiles.items():
            rooms = []
            for limit, bound in limits:
                if name in bound:
                    taken = [steps for other, steps in drawn.items() if other in bound]
                    rooms.append(combined([limit, *taken], lambda at: at[0] - sum(at[1:])))
            wanted[name] = house.wish(name, now, combined(rooms, min), [])
            drawn[name] = power_of(profile, wanted[name])
        out, _ = granted_in_both(
            house.profiles, house.published, wanted, headroom, now, group=group
        )
        for name, made in out.items():
            house.publish(name, made, now)
        starts = {slot.start for made in out.values() for slot in made.slots if slot.start >= now}
        for second in sorted({now, *starts}):
            for limit, bound in limits:
                most_w = sum(
                    max(
                        (power_of(house.profiles[name], s).value(second) for s in house.held(name)),
                        default=0.0,
                    )
                    for name in bound
                )
                assert most_w <= limit.value(second) + 1e-6, (seed, second - now)
