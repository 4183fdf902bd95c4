"""The demo's household: one configuration, and the appliances that stand behind it."""

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from agent.clock import Clock
from agent.energy.instants import to_unix_floor
from integrations.firmware.follower import Follower
from integrations.sandbox.appliances.appliance import Appliance
from integrations.sandbox.appliances.dishwasher import Dishwasher
from integrations.sandbox.appliances.ev import Ev
from integrations.sandbox.appliances.heat import HOUSE, SHOWERS, TANK, Heater
from integrations.sandbox.appliances.link import Link
from integrations.sandbox.appliances.minds import CompactMind, Order, ScheduleMind, SetpointMind

DISHES = ((900, 1900), (2400, 120), (1200, 1900), (1800, 60))

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
        "profile": [{"duration_s": seconds, "power_w": power} for seconds, power in DISHES],
        "ready_by": {"every_day": "06:45"},
    },
)

MakeFollower = Callable[[int], Follower]


def appliances(
    base: str,
    clock: Clock,
    zone: ZoneInfo,
    link_of: Callable[[str], Link],
    make_follower: MakeFollower = Follower,
    seed: int = 1,
) -> list[Appliance]:
    """The household's appliances: one follows the compact form, one the setpoint, two the schedule.

    `link_of` gives each its own connection, `make_follower` the firmware's follower.
    """
    booted = to_unix_floor(clock.now())
    normal, idle = Order("normal", 0), Order("idle", 0)
    return [
        Ev(
            "ev",
            base,
            clock,
            link_of("ev"),
            CompactMind(make_follower(0), booted),
            zone=zone,
            seed=seed,
        ),
        Heater(
            "heat_pump",
            base,
            clock,
            link_of("heat_pump"),
            SetpointMind(normal, booted),
            zone=zone,
            body=HOUSE,
            rated_w=2000.0,
            temperature_c=20.5,
        ),
        Heater(
            "water_heater",
            base,
            clock,
            link_of("water_heater"),
            ScheduleMind(normal, booted),
            zone=zone,
            body=TANK,
            rated_w=2000.0,
            temperature_c=48.0,
            draws=SHOWERS,
        ),
        Dishwasher(
            "dishwasher",
            base,
            clock,
            link_of("dishwasher"),
            ScheduleMind(idle, booted),
            zone=zone,
            profile=DISHES,
        ),
    ]
