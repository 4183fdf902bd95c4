"""Two cars at one house, with other times to be ready: each for itself, and together below 12 kW.

One of them may lie. Judged by what is in the cars in the morning, by the sum of what they were told
and by whether one is disturbed by what the other does.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.ev import Ev
from integrations.sandbox.appliances.followers import Command, ScheduleFollower, SetpointFollower
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.deviants import CarThatChargesAtOnce, CarWithItsSocStuck, SlowCar
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
NOON = START + timedelta(hours=20)
LIMIT_W, BASE_LOAD_W = 12_000, 500
# Two setpoints go out one after the other.
HANDOVER_S = 2.0
IDLE = Command("idle", 0)
EARLY: dict[str, Any] = {
    "id": "early",
    "type": "ev_charger",
    "max_power_w": 11_000,
    "phases": 3,
    "battery_kwh": 58,
    "target_soc_percent": 80,
    "ready_by": {"every_day": "05:30"},
}
LATE: dict[str, Any] = {
    **EARLY,
    "id": "late",
    "phases": "switched",
    "battery_kwh": 40,
    "ready_by": {"every_day": "08:30"},
}
THIRD = {**LATE, "id": "third", "ready_by": {"every_day": "08:00"}}
LIMITED = {"import_limit_w": LIMIT_W, "base_load_w": BASE_LOAD_W}

Story = Callable[[Home], Coroutine[Any, Any, None]]


async def no_story(home: Home) -> None:
    return


@dataclass
class Night:
    home: Home
    cars: Sequence[Ev]

    @property
    def early(self) -> Ev:
        return self.cars[0]

    @property
    def late(self) -> Ev:
        return self.cars[1]

    def slots(self, device: str) -> list[dict[str, Any]]:
        """The slots of the last schedule before midnight."""
        midnight = (datetime(2026, 1, 15, 23, tzinfo=UTC) - START).total_seconds()
        bodies = [
            json.loads(item.payload)
            for item in self.home.broker.log
            if item.topic == f"{BASE}/device/{device}/schedule" and item.at < midnight
        ]
        slots: list[dict[str, Any]] = bodies[-1]["slots"]
        return slots

    def revisions(self, device: str) -> list[int]:
        bodies = self.home.bodies(f"device/{device}/schedule")
        return sorted({body["revision"] for body in bodies})

    def why(self, device: str) -> set[str]:
        """All that health ever said of the device."""
        said = [body["parts"].get(f"device:{device}", {}) for body in self.home.bodies("health")]
        return {part["why"] for part in said if part.get("state") not in (None, "ok")}

    def above_s(self, limit_w: float) -> float:
        """For how long at a stretch the cars were told more together than is left for them."""
        told: dict[str, int] = {}
        since: float | None = None
        longest = 0.0
        for item in self.home.broker.log:
            if not item.topic.endswith("/setpoint") or not item.payload:
                continue
            if since is not None:
                longest = max(longest, item.at - since)
            told[item.topic] = json.loads(item.payload)["power_w"]
            since = (since or item.at) if sum(told.values()) > limit_w else None
        return longest


def live(
    site: dict[str, Any] | None = None,
    *,
    early: type[Ev] = Ev,
    story: Story = no_story,
    sections: Sequence[dict[str, Any]] = (EARLY, LATE),
) -> Night:
    cars: list[Ev] = []

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone

            def setup(name: str, follower: ScheduleFollower | SetpointFollower) -> Setup:
                return Setup(name, BASE, clock, zone, MemoryLink(home.broker), follower)

            cars.append(
                early(setup("early", ScheduleFollower(IDLE)), leaves=time(5, 30), phases=3, seed=4)
            )
            for section, leaves, seed in zip(
                sections[1:], (time(8, 30), time(8)), (5, 6), strict=False
            ):
                follower = SetpointFollower(IDLE)
                cars.append(
                    Ev(
                        setup(section["id"], follower),
                        battery_kwh=40,
                        comes=time(19, 0),
                        leaves=leaves,
                        phases="switched",
                        seed=seed,
                    )
                )
            home.appliances = cars
            told = asyncio.create_task(story(home))
            await home.run(home.config(sections, site=site or {}), NOON)
            await told
            return home

    home = run_virtual(run, START)
    return Night(home, cars)


@pytest.mark.parametrize("site", [{}, LIMITED], ids=["free", "limited"])
def test_both_are_ready_each_at_its_time(site: dict[str, Any]) -> None:
    night = live(site)
    for car in (night.early, night.late):
        [(_, soc)] = car.departures
        assert soc >= 79.9
    for device in ("early", "late"):
        account = night.home.ledger.of(device)
        assert account.deadlines == account.deadlines_met == 1
        assert account.schedules == account.schedules_followed > 0
        assert len(night.revisions(device)) <= (12 if site else 6)
    if site:
        assert night.above_s(LIMIT_W - BASE_LOAD_W) <= HANDOVER_S
    assert {slot["phases"] for slot in night.slots("early")} == {3}


def test_below_the_limit_they_are_planned_together() -> None:
    """Both stand in one Situation, and no plan gives them more than is left for them."""
    night = live(LIMITED)
    plans = [body for body in night.home.bodies("plan") if len(body["devices"]) == 2]
    assert plans
    for plan in plans:
        slots = [slot for device in plan["devices"] for slot in device["slots"]]
        for edge in {slot["start"] for slot in slots}:
            powers = [one["power_w"] for one in slots if one["start"] <= edge < one["end"]]
            assert sum(powers) <= LIMIT_W - BASE_LOAD_W + 1


def test_a_wish_for_one_is_none_for_the_other() -> None:
    async def ask(home: Home) -> None:
        await home.clock.sleep_until(START + timedelta(hours=8))
        wish = {"target_soc_percent": 95, "ready_by": "08:00", "id": "more"}
        topic = f"{BASE}/device/late/request"
        home.broker.publish(topic, json.dumps(wish).encode(), retain=False)

    plain, asked = live(), live(story=ask)
    [(_, early)], [(_, late)] = asked.early.departures, asked.late.departures
    assert late >= 94.9
    assert early == pytest.approx(plain.early.departures[0][1], abs=0.5)
    [answer] = [body for body in asked.home.bodies("device/late/wish") if body["id"] == "more"][:1]
    assert (answer["accepted"], answer["target_soc_percent"]) == (True, 95)
    assert {body["target_soc_percent"] for body in asked.home.bodies("device/early/wish")} == {None}
    # Without a limit nothing of it reaches the other's schedule.
    assert asked.revisions("early") == plain.revisions("early")


def test_one_that_comes_and_goes_leaves_the_others_stay_alone() -> None:
    night = live()
    goals = {
        device: {
            body["goal"]["ready_by"]
            for body in night.home.bodies(f"device/{device}/schedule")
            if body["slots"]
        }
        for device in ("early", "late")
    }
    assert goals == {"early": {"2026-01-16T04:30:00Z"}, "late": {"2026-01-16T07:30:00Z"}}


@pytest.mark.parametrize("liar", [CarThatChargesAtOnce, CarWithItsSocStuck, SlowCar])
def test_beside_one_that_lies_the_other_is_ready_and_the_limit_is_kept(liar: type[Ev]) -> None:
    night = live(LIMITED, early=liar)
    [(_, soc)] = night.late.departures
    assert soc >= 79.9
    account = night.home.ledger.of("late")
    assert account.deadlines == account.deadlines_met == 1
    assert account.schedules == account.schedules_followed
    assert night.why("late") == set()
    assert night.above_s(LIMIT_W - BASE_LOAD_W) <= HANDOVER_S
    if liar is CarThatChargesAtOnce:
        assert any("though it is told not to" in why for why in night.why("early"))
    if liar is CarWithItsSocStuck:
        assert any("though it charges" in why for why in night.why("early"))


def test_three_cars_below_one_limit() -> None:
    night = live(LIMITED, sections=(EARLY, LATE, THIRD))
    for car in night.cars:
        assert car.departures[0][1] >= 79.9
    assert len(night.cars) == 3
    assert night.above_s(LIMIT_W - BASE_LOAD_W) <= HANDOVER_S
