"""The demo's households: a configuration each, and the appliances that stand behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from functools import partial
from zoneinfo import ZoneInfo

from agent.clock import Clock
from integrations.firmware.follower import OWN, Follower
from integrations.sandbox.appliances.appliance import Appliance, Setup
from integrations.sandbox.appliances.dishwasher import Dishwasher
from integrations.sandbox.appliances.ev import Ev
from integrations.sandbox.appliances.followers import (
    Command,
    CompactFollower,
    DeviceFollower,
    ScheduleFollower,
    SetpointFollower,
)
from integrations.sandbox.appliances.heat import HOT_WATER_DRAWS, HOUSE, TANK, Heater
from integrations.sandbox.appliances.home_battery import HomeBattery
from integrations.sandbox.appliances.inverter import Inverter
from integrations.sandbox.appliances.link import Link
from integrations.sandbox.appliances.premises import Premises
from integrations.sandbox.appliances.site_meter import SiteMeter

DISHWASHER_PROFILE = ((900, 1900), (2400, 120), (1200, 1900), (1800, 60))

DEVICES: tuple[Mapping[str, object], ...] = (
    {
        "id": "ev",
        "type": "ev_charger",
        "max_power_w": 11000,
        "phases": 3,
        "battery_kwh": 58,
        "target_soc_percent": 80,
        "floor_soc_percent": 25,
        "ready_by": {"every_day": "07:00"},
        "priority": 1,
    },
    {
        "id": "heat_pump",
        "type": "heat_pump",
        "power_w": 2000,
        "needs": [
            {"hours": 3, "window": {"start": "22:00", "end": "06:00"}},
            {"hours": 3, "window": {"start": "10:00", "end": "15:30"}},
        ],
    },
    {
        "id": "water_heater",
        "type": "water_heater",
        "power_w": 2000,
        "needs": [{"energy_kwh": 4, "window": {"start": "23:00", "end": "06:30"}}],
    },
    {
        "id": "dishwasher",
        "type": "program",
        "profile": [
            {"duration_s": seconds, "power_w": power} for seconds, power in DISHWASHER_PROFILE
        ],
        "ready_by": {"every_day": "06:45"},
    },
)

CAPACITY_KWH, BATTERY_W, PEAK_W = 10, 5000, 6000

FULL_DEVICES: tuple[Mapping[str, object], ...] = (
    *DEVICES,
    {
        "id": "battery",
        "type": "battery",
        "capacity_kwh": CAPACITY_KWH,
        "max_charge_w": BATTERY_W,
        "max_discharge_w": BATTERY_W,
        "reserve_soc_percent": 10,
    },
    {
        "id": "ev2",
        "type": "ev_charger",
        "max_power_w": 11000,
        "phases": "switched",
        "battery_kwh": 40,
        "target_soc_percent": 90,
        "ready_by": {"every_day": "08:30"},
    },
    {"id": "inverter", "type": "pv_inverter", "max_power_w": PEAK_W, "curtailable": True},
    {"id": "grid_meter", "type": "meter", "role": "grid"},
)
# Leipzig, where the sandbox's first location is.
PLACE = {"latitude": 51.34, "longitude": 12.37}
FULL_SITE: Mapping[str, object] = {**PLACE, "pv": {"peak_w": PEAK_W}}

MakeFollower = Callable[[int], Follower]


def build_appliances(
    base: str,
    clock: Clock,
    zone: ZoneInfo,
    link_for: Callable[[str], Link],
    make_follower: MakeFollower = Follower,
    seed: int = 1,
) -> list[Appliance]:
    """The household's appliances: one follows the compact form, one the setpoint, two the schedule.

    `link_for` gives each its own connection, `make_follower` the firmware's follower.
    """
    normal, idle = Command("normal", 0), Command("idle", 0)

    def setup(name: str, follower: DeviceFollower) -> Setup:
        return Setup(name, base, clock, zone, link_for(name), follower)

    return [
        Ev(setup("ev", CompactFollower(make_follower(0))), seed=seed),
        Heater(
            setup("heat_pump", SetpointFollower(normal)),
            model=HOUSE,
            rated_w=2000.0,
            temperature_c=20.5,
        ),
        Heater(
            setup("water_heater", ScheduleFollower(normal)),
            model=TANK,
            rated_w=2000.0,
            temperature_c=48.0,
            draws=HOT_WATER_DRAWS,
        ),
        Dishwasher(setup("dishwasher", ScheduleFollower(idle)), profile=DISHWASHER_PROFILE),
    ]


def build_full_house(
    base: str,
    clock: Clock,
    zone: ZoneInfo,
    link_for: Callable[[str], Link],
    make_follower: MakeFollower = Follower,
    seed: int = 1,
) -> list[Appliance | SiteMeter]:
    """The same with a second car, a battery (told by the compact form) and a roof.

    All of it stands behind a grid meter; the roof's inverter tells what it gives.
    """

    def setup(name: str, follower: DeviceFollower) -> Setup:
        return Setup(name, base, clock, zone, link_for(name), follower)

    premises = Premises(zone, **PLACE, peak_w=PEAK_W, seed=seed)
    appliances = build_appliances(base, clock, zone, link_for, make_follower, seed)
    appliances.append(
        Ev(
            setup("ev2", SetpointFollower(Command("idle", 0))),
            battery_kwh=40.0,
            phases="switched",
            comes=time(18, 0),
            leaves=time(8, 30),
            seed=seed + 1,
        )
    )
    for appliance in appliances:
        premises.add(partial(_power_of, appliance))
    battery = HomeBattery(
        setup("battery", CompactFollower(make_follower(OWN))),
        premises,
        capacity_kwh=CAPACITY_KWH,
        max_power_w=BATTERY_W,
    )
    inverter = Inverter(
        setup("inverter", ScheduleFollower(Command("auto", 0))), premises, max_power_w=PEAK_W
    )
    meter = SiteMeter("grid_meter", base, clock, link_for("grid_meter"), premises.grid_w)
    return [*appliances, battery, inverter, meter]


def _power_of(appliance: Appliance) -> float:
    return appliance.power_w


@dataclass(frozen=True, slots=True)
class Household:
    """`devices` and `site` of the config, and how what stands behind them is built."""

    devices: Sequence[Mapping[str, object]]
    site: Mapping[str, object]
    build: Callable[..., Sequence[Appliance | SiteMeter]]

    @property
    def ids(self) -> list[str]:
        return [str(device["id"]) for device in self.devices]

    @property
    def appliance_ids(self) -> list[str]:
        """Those that are told what to do."""
        return [str(device["id"]) for device in self.devices if device["type"] != "meter"]


HOUSEHOLDS: Mapping[str, Household] = {
    "flat": Household(DEVICES, {}, build_appliances),
    "full": Household(FULL_DEVICES, FULL_SITE, build_full_house),
}
