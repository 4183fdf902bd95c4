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
from integrations.sandbox.appliances.heated_store import (
    SENSOR_NOISE_C,
    HeatedHouse,
    HotWaterTank,
)
from integrations.sandbox.appliances.home_battery import HomeBattery
from integrations.sandbox.appliances.inverter import Inverter
from integrations.sandbox.appliances.link import Link
from integrations.sandbox.appliances.premises import Premises
from integrations.sandbox.appliances.site_meter import SiteMeter
from integrations.sandbox.appliances.thermometer import OutdoorThermometer

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
HEAT_PUMP_W, TANK_W = 3000, 2000

EV, DISHWASHER = DEVICES[0], DEVICES[3]
FULL_DEVICES: tuple[Mapping[str, object], ...] = (
    EV,
    {
        "id": "heat_pump",
        "type": "house_heat_pump",
        "power_w": HEAT_PUMP_W,
        "house": {"type": "detached_1990", "area_m2": 140},
    },
    {
        "id": "water_heater",
        "type": "hot_water_tank",
        "power_w": TANK_W,
        "litres": 200,
        "persons": 3,
        "comfort": [{"start": "05:30", "end": "09:00", "min_c": 48, "max_c": 60}],
        "hygiene": {"programme": "ours"},
    },
    DISHWASHER,
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
PLACE: Mapping[str, float] = {"latitude": 51.34, "longitude": 12.37}
THERMOMETER, OUTDOOR_TOPIC = "thermometer", "weather/outdoor"
FULL_SITE: Mapping[str, object] = {
    **PLACE,
    "pv": {"peak_w": PEAK_W},
    "outdoor_topic": OUTDOOR_TOPIC,
}

Member = Appliance | SiteMeter | OutdoorThermometer
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
    sensor_noise_c: float = SENSOR_NOISE_C,
) -> list[Member]:
    """Two cars, dishwasher, heated house, tank, battery and roof, a grid meter, a thermometer.

    Car and battery are told by the compact form, the heat pump by the setpoint; the roof's inverter
    tells what it gives.
    """
    premises = Premises(
        zone,
        latitude=PLACE["latitude"],
        longitude=PLACE["longitude"],
        peak_w=PEAK_W,
        seed=seed,
    )
    normal, idle = Command("normal", 0), Command("idle", 0)

    def setup(name: str, follower: DeviceFollower) -> Setup:
        return Setup(name, base, clock, zone, link_for(name), follower)

    appliances: list[Appliance] = [
        Ev(setup("ev", CompactFollower(make_follower(0))), seed=seed),
        HeatedHouse(
            setup("heat_pump", SetpointFollower(normal)),
            outdoor_c=premises.outdoor_c,
            rated_w=HEAT_PUMP_W,
            noise_c=sensor_noise_c,
            seed=seed,
        ),
        HotWaterTank(
            setup("water_heater", ScheduleFollower(normal)),
            rated_w=TANK_W,
            seed=seed,
        ),
        Dishwasher(setup("dishwasher", ScheduleFollower(idle)), profile=DISHWASHER_PROFILE),
        Ev(
            setup("ev2", SetpointFollower(idle)),
            battery_kwh=40.0,
            phases="switched",
            comes=time(18, 0),
            leaves=time(8, 30),
            seed=seed + 1,
        ),
    ]
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
    thermometer = OutdoorThermometer(
        OUTDOOR_TOPIC, clock, link_for(THERMOMETER), premises.outdoor_c
    )
    return [*appliances, battery, inverter, meter, thermometer]


def _power_of(appliance: Appliance) -> float:
    return appliance.power_w


@dataclass(frozen=True, slots=True)
class Household:
    """`devices` and `site` of the config, and how what stands behind them is built."""

    devices: Sequence[Mapping[str, object]]
    site: Mapping[str, object]
    build: Callable[..., Sequence[Member]]

    @property
    def connections(self) -> list[str]:
        """The names under which what stands behind them connects to the broker."""
        own = [str(device["id"]) for device in self.devices]
        return [*own, THERMOMETER] if "outdoor_topic" in self.site else own

    @property
    def appliance_ids(self) -> list[str]:
        """Those that are told what to do."""
        return [str(device["id"]) for device in self.devices if device["type"] != "meter"]


HOUSEHOLDS: Mapping[str, Household] = {
    "flat": Household(DEVICES, {}, build_appliances),
    "full": Household(FULL_DEVICES, FULL_SITE, build_full_house),
}
