"""A roof on a Sunday in May: Germany's market prices of 2024 for what is given away, below zero.

Judged by the money that the grid meter stands for, against what could be had by knowing each minute
before; with restarts, limits, a silent agent and an inverter that does not obey.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agent.clock import SteppedClock
from agent.energy.instants import to_unix_floor
from agent.energy.rates import Direction
from integrations.firmware.follower import OWN, Follower
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.followers import (
    Command,
    CompactFollower,
    DeviceFollower,
    ScheduleFollower,
    SetpointFollower,
)
from integrations.sandbox.appliances.inverter import Inverter
from integrations.sandbox.appliances.premises import Premises
from integrations.sandbox.appliances.site_meter import SiteMeter
from integrations.sandbox.locations import Location, built_in
from integrations.sandbox.series import Flat
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.deviants import InverterThatIgnoresItsLimit
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 5, 10, 3, tzinfo=UTC)
# What is given away costs up to 0.135 a kWh then.
COSTS = datetime(2026, 5, 10, 7, tzinfo=UTC), datetime(2026, 5, 10, 16, tzinfo=UTC)
EVENING = datetime(2026, 5, 10, 20, tzinfo=UTC)
GERMANY = built_in()[0]
MARKET = GERMANY.series["IMPORT"]
IMPORT_PRICE = Decimal("0.30")
PLACE = {"latitude": 51.34, "longitude": 12.37}
PEAK_W = 6000
SITE = {**PLACE, "pv": {"peak_w": PEAK_W}, "base_load_w": 500}
DEVICES = [
    {"id": "inverter", "type": "pv_inverter", "max_power_w": PEAK_W, "curtailable": True},
    {"id": "grid", "type": "meter", "role": "grid"},
]
AUTO = Command("auto", 0)
FOLLOWERS: list[Callable[[], DeviceFollower]] = [
    lambda: CompactFollower(Follower(OWN)),
    lambda: ScheduleFollower(AUTO),
    lambda: SetpointFollower(AUTO),
]


@dataclass(frozen=True)
class Minute:
    """What the sun offered, what the roof gave and what the house drew, W."""

    at: datetime
    sun_w: float
    given_w: float
    drawn_w: float

    def cost(self, given_w: float) -> float:
        """Had it given that much."""
        rest_w = self.drawn_w - given_w
        price = float(IMPORT_PRICE) if rest_w > 0 else export_price(self.at)
        return rest_w / 60_000 * price


def export_price(when: datetime) -> float:
    hour = when.replace(minute=0, second=0, microsecond=0)
    [slot] = MARKET.slots(hour, hour + timedelta(hours=1))
    return float(slot.price)


@dataclass
class Roof:
    """What was seen, minute by minute."""

    home: Home
    inverter: Inverter
    minutes: list[Minute]

    def lost_share(self) -> float:
        """Of what a limit could save, the share that was not saved."""
        cost = free = best = 0.0
        for one in self.minutes:
            wanted_w = one.sun_w if export_price(one.at) >= 0 else min(one.sun_w, one.drawn_w)
            cost += one.cost(one.given_w)
            free += one.cost(one.sun_w)
            best += one.cost(wanted_w)
        assert free - best > 1
        return (cost - best) / (free - best)

    def kept_back_kwh(self, begin: datetime, end: datetime) -> float:
        powers = [one.sun_w - one.given_w for one in self.minutes if begin <= one.at < end]
        return sum(powers) / 60_000

    def events(self, kind: str) -> int:
        bodies = self.home.bodies("event")
        return sum((body["type"], body["device"]) == (kind, "inverter") for body in bodies)

    @property
    def health(self) -> dict[str, Any]:
        parts: Any = self.home.body("health")["parts"]
        found: dict[str, Any] = parts["device:inverter"]
        return found

    @property
    def revisions(self) -> list[int]:
        bodies = self.home.bodies("device/inverter/schedule")
        return sorted({body["revision"] for body in bodies})


Story = Callable[[Home], Coroutine[Any, Any, None]]


async def no_story(home: Home) -> None:
    return


def live(
    follower: DeviceFollower | None = None,
    *,
    make: type[Inverter] = Inverter,
    lives: tuple[tuple[datetime, datetime], ...] = (),
    story: Story = no_story,
    until: datetime = EVENING,
    **site: Any,
) -> Roof:
    """A day of the roof; `lives` of the agent from when to when."""
    seen: list[Roof] = []

    async def run(clock: SteppedClock) -> Home:
        tariff = {"IMPORT": Flat(IMPORT_PRICE), "EXPORT": MARKET}
        place = Location(1, "market for export", GERMANY.timezone, "EUR", tariff)
        async with FlatPeakSandbox(clock, locations=[place]) as sandbox:
            home = Home(clock, sandbox)
            premises = Premises(GERMANY.zone, **PLACE, peak_w=PEAK_W, seed=3)
            setup = Setup(
                "inverter",
                BASE,
                clock,
                GERMANY.zone,
                MemoryLink(home.broker),
                follower or ScheduleFollower(AUTO),
            )
            inverter = make(setup, premises, max_power_w=PEAK_W)
            meter = SiteMeter("grid", BASE, clock, MemoryLink(home.broker), premises.grid_w)
            roof = Roof(home, inverter, [])
            seen.append(roof)
            jobs = [asyncio.create_task(item.run()) for item in (inverter, meter)]
            jobs.append(asyncio.create_task(look(clock, premises, roof)))
            told = asyncio.create_task(story(home))
            config = home.config(DEVICES, site={**SITE, **site})
            both = config.tariff.model_copy(update={"directions": tuple(Direction)})
            config = config.model_copy(update={"tariff": both})
            for begin, end in lives or ((START, until),):
                await clock.sleep_until(begin)
                await home.run(config, end)
            await clock.sleep_until(until)
            await told
            for job in jobs:
                job.cancel()
            return home

    run_virtual(run, START)
    return seen[0]


async def look(clock: SteppedClock, premises: Premises, roof: Roof) -> None:
    while True:
        now = clock.now()
        minute = Minute(now, premises.sun_w(now), premises.pv_w(now), premises.house_w(now))
        roof.minutes.append(minute)
        await clock.sleep(60)


@pytest.mark.parametrize("follower", FOLLOWERS)
def test_it_holds_back_what_would_cost_and_nothing_that_pays(
    follower: Callable[[], DeviceFollower],
) -> None:
    roof = live(follower())
    assert roof.kept_back_kwh(*COSTS) > 8
    assert roof.lost_share() < 0.15
    assert roof.kept_back_kwh(START, COSTS[0]) == 0
    assert roof.kept_back_kwh(COSTS[1] + timedelta(minutes=1), EVENING) == 0
    account = roof.home.ledger.of("inverter")
    assert account.schedules == account.schedules_followed > 0
    assert not account.energy_kwh
    assert not account.cost
    assert len(roof.revisions) <= 5
    assert roof.health["state"] == "ok", roof.health


def test_after_a_restart_at_noon_it_goes_on() -> None:
    noon = COSTS[0] + timedelta(hours=4)
    roof = live(lives=((START, noon), (noon + timedelta(minutes=20), EVENING)))
    assert roof.lost_share() < 0.15
    assert len(roof.revisions) <= 6
    assert roof.health["state"] == "ok", roof.health


def test_a_limit_on_what_is_drawn_is_none_on_what_is_given() -> None:
    async def limit(home: Home) -> None:
        await home.clock.sleep_until(COSTS[0] + timedelta(hours=1))
        home.broker.publish(f"{BASE}/site/limit", b'{"import_w":4200}', retain=True)

    roof = live(story=limit)
    assert roof.lost_share() < 0.15
    assert roof.kept_back_kwh(COSTS[1] + timedelta(minutes=1), EVENING) == 0
    assert roof.health["state"] == "ok", roof.health


def test_what_the_grid_takes_holds_with_the_agent_and_without_it() -> None:
    """The agent dies in the morning; a day later its schedule is over."""
    limit_w = 2000
    roof = live(lives=((START, START + timedelta(hours=2)),), export_limit_w=limit_w)
    assert max(one.given_w for one in roof.minutes) > limit_w - 100
    assert max(one.given_w - one.drawn_w for one in roof.minutes) < limit_w + 100
    schedule = roof.home.body("device/inverter/schedule")
    assert schedule["default"] == {"mode": "limit", "power_w": limit_w}
    assert schedule["offline"] == {"after_s": 900, "mode": "limit", "power_w": limit_w}
    over = datetime.fromisoformat(str(schedule["valid_until"])) + timedelta(hours=2)
    command = roof.inverter.follower.command(to_unix_floor(over), 10**6)
    assert command == Command("limit", limit_w)


def test_an_inverter_that_does_not_obey_is_named() -> None:
    roof = live(make=InverterThatIgnoresItsLimit)
    assert roof.kept_back_kwh(START, EVENING) == 0
    assert roof.events("not_following") == 1
    said = [body["parts"].get("device:inverter", {}) for body in roof.home.bodies("health")]
    assert "gives more than its limit allows" in {part.get("why") for part in said}
    assert len(roof.revisions) <= 5


def test_one_that_falls_silent_at_dusk_is_no_fault() -> None:
    """An inverter sleeps when the sun does: its last word is hours old."""
    roof = live(until=EVENING + timedelta(hours=6))
    [*_, last] = [
        item for item in roof.home.broker.log if item.topic == f"{BASE}/device/inverter/state"
    ]
    assert START + timedelta(seconds=last.at) < EVENING
    assert json.loads(last.payload)["power_w"] == 0
    assert roof.health["state"] == "ok", roof.health
