"""The simulated battery behind the meter: its own logic, and what it is told."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agent.clock import SteppedClock
from integrations.sandbox.appliances.appliance import Setup
from integrations.sandbox.appliances.followers import Command, ScheduleFollower
from integrations.sandbox.appliances.home_battery import HomeBattery
from integrations.sandbox.appliances.premises import Premises
from tests.fakes.memory_broker import MemoryBroker, MemoryLink

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 21, 11, tzinfo=UTC)
NIGHT = datetime(2026, 6, 21, 23, tzinfo=UTC)


def house(soc: float = 50.0) -> tuple[Premises, HomeBattery]:
    premises = Premises(BERLIN, latitude=51.3, longitude=12.4, peak_w=6000)
    link = MemoryLink(MemoryBroker())
    follower = ScheduleFollower(Command("auto", 0))
    setup = Setup("battery", "flatpeak/home", SteppedClock(NOON), BERLIN, link, follower)
    battery = HomeBattery(setup, premises, capacity_kwh=10, max_power_w=3000, soc_percent=soc)
    return premises, battery


def does(battery: HomeBattery, mode: str, power_w: int, now: datetime) -> float:
    battery.mode, battery.power_w = battery.apply_command(Command(mode, power_w), now)
    return battery.power_w


@pytest.mark.parametrize("mode", ["auto", "own"])
async def test_on_its_own_it_levels_the_house(mode: str) -> None:
    premises, battery = house()
    assert premises.pv_w(NOON) > premises.house_w(NOON)
    assert does(battery, mode, 0, NOON) > 0
    assert abs(premises.grid_w(NOON)) <= 1 or battery.power_w == 3000
    assert premises.pv_w(NIGHT) == 0
    assert does(battery, mode, 0, NIGHT) < 0
    assert abs(premises.grid_w(NIGHT)) <= 1


async def test_it_does_what_it_is_told_within_what_it_can_and_may() -> None:
    premises, battery = house()
    assert does(battery, "hold", 0, NIGHT) == does(battery, "idle", 0, NIGHT) == 0
    assert does(battery, "charge", 9000, NIGHT) == 3000
    # More than the house lacks would be exported.
    assert does(battery, "discharge", -3000, NIGHT) == -round(premises.house_w(NIGHT))
    assert does(battery, "discharge", -50, NIGHT) == -50
    full, empty = house(100.0)[1], house(5.0)[1]
    assert does(full, "charge", 3000, NIGHT) == does(empty, "auto", 0, NIGHT) == 0


async def test_its_charge_moves_with_its_losses() -> None:
    _, battery = house()
    battery.power_w = 2000
    battery.advance(3600)
    assert battery.soc_percent == pytest.approx(69)
    battery.power_w = -1900
    battery.advance(3600)
    assert battery.soc_percent == pytest.approx(49)
