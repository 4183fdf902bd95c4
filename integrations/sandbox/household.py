"""The demo's household: one configuration, and the appliances that stand behind it."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from agent.clock import Clock
from integrations.firmware.follower import Follower
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
from integrations.sandbox.appliances.link import Link

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
