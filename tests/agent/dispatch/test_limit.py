"""Under a limit: what may be followed at any second never adds up to more than is allowed."""

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from agent.dispatch.finish import finished
from agent.dispatch.limit import curtailed, fit_offline_rules, granted
from agent.dispatch.published import Published, power_of
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.energy.steps import Steps
from agent.home.kinds import KINDS
from integrations.devices.native import NativeDevice

NOW = 1_768_521_600


def profile(kind: str, **values: object) -> DeviceProfile:
    found = KINDS[kind]
    return found.profile(found.section.model_validate({"type": kind, **values}))


EV = profile("ev_charger", id="ev", max_power_w=11_000, phases=3, battery_kwh=60)
SMALL = profile("ev_charger", id="ev2", max_power_w=7400, battery_kwh=60, priority=1)
PUMP = profile("heat_pump", id="hp", power_w=2000, needs=[{"hours": 3}])
PARTS = [(900, 1900), (2400, 120), (1200, 1900)]
WASHER = profile(
    "program", id="dw", profile=[{"duration_s": s, "power_w": w} for s, w in PARTS], priority=-1
)
LOAD = profile("load", id="x", power_w=900, needs=[{"hours": 1}], priority=9)


def schedule(one: DeviceProfile, *spans: tuple[int, int, int], now: int = NOW) -> Schedule:
    slots = tuple(
        ScheduleSlot(
            now + a, now + b, one.on_mode, watt, Decimal(watt * (b - a)) / 3_600_000, None, "limit"
        )
        for a, b, watt in spans
    )
    return Schedule(
        device=one.id,
        device_type=one.type,
        revision=1,
        issued_at=now,
        valid_from=now - 300,
        valid_until=now + 100_000,
        currency="EUR",
        slots=slots,
        default=one.default,
        offline=one.offline,
    )


def holding(held: Schedule) -> Published:
    return Published(held, [], held)


def shown(made: Schedule) -> list[tuple[int, int, int]]:
    return [(slot.start - NOW, slot.end - NOW, slot.power_w) for slot in made.slots]


def test_a_swap_of_two_cars_lowers_before_it_raises() -> None:
    published = {
        "ev": holding(schedule(EV, (0, 3600, 11_000))),
        "ev2": holding(schedule(SMALL, (3600, 7200, 7400))),
    }
    wanted = {"ev": schedule(EV, (3600, 7200, 11_000)), "ev2": schedule(SMALL, (0, 3600, 7400))}
    profiles = {"ev": EV, "ev2": SMALL}
    out, waiting = granted(profiles, published, wanted, Steps.constant(12_000), NOW)
    assert waiting
    assert shown(out["ev"]) == []
    assert shown(out["ev2"]) == []


def test_what_fits_beside_the_others_waits_for_nobody() -> None:
    """A boost stood at 0 W for a minute although 9 kW were free."""
    published = {
        "ev": holding(schedule(EV)),
        "x": holding(schedule(LOAD, (0, 3600, 900))),
    }
    wanted = {"ev": schedule(EV, (0, 3600, 11_000)), "x": schedule(LOAD, (1800, 3600, 900))}
    profiles = {"ev": EV, "x": LOAD}
    out, waiting = granted(profiles, published, wanted, Steps.constant(12_000), NOW)
    assert not waiting
    assert shown(out["ev"]) == [(0, 3600, 11_000)]


def test_a_car_that_charges_goes_on_while_others_make_room() -> None:
    published = {
        "ev": holding(schedule(EV, (0, 3600, 5000))),
        "ev2": holding(schedule(SMALL, (0, 3600, 7000))),
    }
    wanted = {"ev": schedule(EV, (0, 7200, 11_000)), "ev2": schedule(SMALL)}
    profiles = {"ev": EV, "ev2": SMALL}
    out, waiting = granted(profiles, published, wanted, Steps.constant(12_000), NOW)
    assert waiting
    assert shown(out["ev"]) == [(0, 3600, 5000), (3600, 7200, 11_000)]


def test_a_stricter_limit_cuts_the_lower_priority_in_one_step() -> None:
    low = replace(EV, min_power_w=1380, phases=None)
    published = {
        "ev": holding(schedule(low, (0, 3600, 11_000))),
        "ev2": holding(schedule(SMALL, (0, 3600, 7400))),
    }
    profiles = {"ev": low, "ev2": SMALL}
    headroom = Steps.of_spans([(NOW, NOW + 1800, 9000)], 20_000)
    lower = curtailed(profiles, published, headroom, (), NOW)
    assert list(lower) == ["ev"]
    assert shown(lower["ev"]) == [(0, 1800, 1600), (1800, 3600, 11_000)]


def test_a_car_is_not_told_less_than_its_six_amperes_where_they_fit() -> None:
    published = {"ev": holding(schedule(EV, (0, 3600, 11_000)))}
    lower = curtailed({"ev": EV}, published, Steps.constant(4200), (), NOW)
    assert shown(lower["ev"]) == [(0, 3600, 4200)]
    lower = curtailed({"ev": EV}, published, Steps.constant(4100), (), NOW)
    assert shown(lower["ev"]) == []


def test_every_car_keeps_its_six_amperes_where_they_fit_the_rest_goes_by_priority() -> None:
    third = replace(SMALL, id="ev3", priority=-1)
    profiles = {"ev2": SMALL, "ev3": third, "hp": PUMP}
    published = {
        "ev2": holding(schedule(SMALL, (0, 3600, 7400))),
        "ev3": holding(schedule(third, (0, 3600, 7400))),
        "hp": holding(schedule(PUMP, (0, 3600, 2000))),
    }

    def powers(limit_w: float) -> dict[str, list[int]]:
        lower = curtailed(profiles, published, Steps.constant(limit_w), (), NOW)
        return {name: [slot.power_w for slot in made.slots] for name, made in lower.items()}

    assert powers(7560) == {"ev2": [6180], "ev3": [1380], "hp": []}
    assert powers(2800) == {"ev2": [1420], "ev3": [1380], "hp": []}
    # Both do not fit: the one with the higher priority goes on.
    assert powers(2700) == {"ev2": [2700], "ev3": [], "hp": []}
    assert powers(1000) == {"ev2": [], "ev3": [], "hp": []}


def test_a_program_counts_with_the_parts_of_its_run() -> None:
    beside = schedule(EV, (0, 900, 9000), (900, 3300, 11_000), (3300, 4500, 9000))
    published = {"ev": holding(beside), "dw": holding(schedule(WASHER))}
    wanted = {"ev": beside, "dw": schedule(WASHER, (0, 4500, 1900))}
    profiles = {"ev": EV, "dw": WASHER}
    out, waiting = granted(profiles, published, wanted, Steps.constant(11_200), NOW)
    assert not waiting
    assert shown(out["dw"]) == [(0, 4500, 1900)]
    # Told to have begun five minutes ago, for slow clocks: no part is over before its time.
    begun = replace(wanted["dw"], slots=schedule(WASHER, (-300, 4500, 1900)).slots)
    steps = power_of(WASHER, begun)
    assert [steps.value(NOW + at) for at in (0, 899, 900, 2999, 3000, 4499, 4500)] == [
        *(1900, 1900, 120, 120, 1900, 1900, 0)
    ]


@pytest.mark.parametrize("busy", [(0, 600), (1000, 1100), (4000, 9000)])
def test_a_run_is_given_whole_or_not_yet_and_never_at_less(busy: tuple[int, int]) -> None:
    published = {
        "ev": holding(schedule(EV, (*busy, 11_000))),
        "dw": holding(schedule(WASHER)),
    }
    wanted = {"ev": schedule(EV), "dw": schedule(WASHER, (0, 4500, 1900))}
    profiles = {"ev": EV, "dw": WASHER}
    limit = Steps.constant(11_100)
    out, waiting = granted(profiles, published, wanted, limit, NOW)
    assert waiting
    assert shown(out["dw"]) == []
    published["ev"] = holding(out["ev"])
    out, waiting = granted(profiles, published, wanted, limit, NOW)
    assert not waiting
    assert shown(out["dw"]) == [(0, 4500, 1900)]
    # A stricter limit that one of its parts does not fit under: later, not at less.
    published["dw"] = holding(out["dw"])
    span = NOW + busy[0], NOW + busy[1], 100
    lower = curtailed(profiles, published, Steps.of_spans([span], 20_000), (), NOW)
    assert shown(lower["dw"]) == []
    # Of one under way nothing is taken.
    published["dw"] = holding(schedule(WASHER, (-10, 4490, 1900)))
    published["ev"] = holding(schedule(EV, (4450, 9000, 11_000)))
    wanted["dw"] = schedule(WASHER, (-10, 4520, 1900))
    out, _ = granted(profiles, published, wanted, limit, NOW)
    assert shown(out["dw"]) == [(-10, 4490, 1900)]


def test_offline_rules_fit_below_the_limit_the_lowest_priority_gives_way() -> None:
    first, second = replace(EV, priority=5), replace(EV, id="ev2")
    profiles = [first, second, replace(PUMP, priority=-9), LOAD]
    fitted, reduced = fit_offline_rules(profiles, limit_w=8000, base_load_w=500)
    assert reduced == ["ev2"]
    assert (fitted["ev2"].offline.mode, fitted["ev2"].offline.power_w) == ("idle", 0)
    assert fitted["ev"] == first
    assert fit_offline_rules(profiles, limit_w=20_000, base_load_w=500)[1] == []


@dataclass
class House:
    """Random devices whose schedules are published, acknowledged late or never, and cut."""

    rng: random.Random
    profiles: dict[str, DeviceProfile] = field(default_factory=dict)
    published: dict[str, Published] = field(default_factory=dict)
    revision: int = 0
    # what each device may be following at a second: by the time from which it may be
    history: dict[str, list[tuple[int, Schedule]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index in range(self.rng.randint(2, 5)):
            kind = self.rng.choice([EV, SMALL, PUMP, LOAD])
            one = replace(kind, id=f"d{index}", priority=self.rng.randint(-2, 2))
            self.profiles[one.id] = one
            self.published[one.id] = Published()

    def wish(self, name: str, now: int, headroom: Steps, taken: list[Steps]) -> Schedule:
        """A random schedule that fits below the limit beside those wished before."""
        one, spans, at = self.profiles[name], [], now
        for _ in range(self.rng.randint(0, 4)):
            start = at + self.rng.randint(0, 3000)
            end = start + self.rng.randint(1, 4000)
            watts = self.rng.choice([one.min_power_w, one.max_power_w])
            edges = {start, *headroom.between(start, end)}
            edges |= {x for steps in taken for x in steps.between(start, end)}
            room = min(
                headroom.value(x) - sum(steps.value(x) for steps in taken) for x in sorted(edges)
            )
            if one.min_power_w <= min(watts, room):
                spans.append((start - NOW, end - NOW, int(min(watts, room))))
            at = end
        return replace(schedule(one, *spans), issued_at=now, valid_from=now - 300)

    def publish(self, name: str, made: Schedule, now: int) -> None:
        self.revision += 1
        made = NativeDevice("b", name).fit(finished(made, now, never_more=True))
        made = replace(made, revision=self.revision)
        self.published[name].publish(made, now)
        self.history.setdefault(name, []).append((now, made))

    def most_w(self, when: int) -> float:
        """The sum of the most that each may be following at that second."""
        return sum(
            max(
                (power_of(self.profiles[name], s).value(when) for s in self.held(name)),
                default=0.0,
            )
            for name in self.profiles
        )

    def held(self, name: str) -> list[Schedule]:
        item = self.published[name]
        known = [schedule for schedule, _ in item.unanswered]
        return [s for s in (item.acknowledged, *known) if s is not None]


def live(seed: int) -> None:
    rng = random.Random(seed)
    house, now = House(rng), NOW
    headroom = Steps.constant(rng.choice([6000, 9000, 12_000]))
    for _ in range(12):
        now += rng.randint(1, 900)
        for item in house.published.values():
            if item.unanswered and rng.random() < 0.6:
                item.answer(rng.choice(item.unanswered)[0].revision)
            item.overdue(now, is_out=True)
        if rng.random() < 0.3:
            span = (now, now + rng.randint(600, 4000), rng.choice([0, 2000, 4500, 8000]))
            headroom = Steps.of_spans([span], rng.choice([6000, 9000, 12_000]))
            lower = curtailed(house.profiles, house.published, headroom, (), now)
            for name, made in lower.items():
                house.publish(name, made, now)
                house.published[name].answer(house.revision)
            for name in house.published:
                # what was sent before the limit came is no longer followed once it was obeyed
                latest = house.published[name].latest
                if latest is not None:
                    house.published[name].answer(latest.revision)
        taken: list[Steps] = []
        wanted = {}
        for name in house.profiles:
            wanted[name] = house.wish(name, now, headroom, taken)
            taken.append(power_of(house.profiles[name], wanted[name]))
        before = {name: item.most(house.profiles[name]) for name, item in house.published.items()}
        out, _ = granted(house.profiles, house.published, wanted, headroom, now)
        for name, made in out.items():
            house.publish(name, made, now)
        seconds = sorted(
            {now, *(s.start for one in out.values() for s in one.slots if s.start >= now)}
            | {at for at in headroom.at if at >= now}
        )
        for second in seconds:
            allowed = headroom.value(second)
            already = sum(steps.value(second) for steps in before.values())
            assert house.most_w(second) <= max(allowed, already) + 1e-6, (seed, second - now)


@pytest.mark.parametrize("seed", range(250))
def test_in_a_random_house_the_limit_holds_at_every_second(seed: int) -> None:
    live(seed)


@pytest.mark.full
def test_in_ten_thousand_random_houses_the_limit_holds_at_every_second() -> None:
    for seed in range(1000, 11_000):
        live(seed)
