"""How often a full house is told something new: cars, battery, roof, heated house and tank.

The real agent and appliances on a virtual clock, planned by all engines in this process by
processor time. Once everything is measured exactly, once every reading is a little off.
"""

import random
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.energy.plan import Engine, Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from agent.planning.calm import OF_EACH_DEVICE
from agent.planning.joint.engine import JointEngine
from agent.planning.portfolio import ENGINES, Entry
from integrations.sandbox.household import HOUSEHOLDS
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.calmness import (
    MOST_REVISIONS_A_NIGHT,
    more_starts_allowed,
    revisions_of,
    starts_of,
)
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.noisy_link import NoisyLink
from tests.fakes.virtual_loop import run_virtual

Row = tuple[str, float, float, str]
START = datetime(2026, 1, 15, 11, tzinfo=UTC)
LIMIT_S = 0.3
NAMES = ("ev", "ev2", "battery", "heat_pump", "water_heater", "dishwasher")


@dataclass(frozen=True, slots=True)
class Lived:
    """By device how often it went on; by device and night how often it was told anew."""

    starts: Counter[str]
    revisions: Counter[tuple[str, int]]

    def worst_night(self, name: str) -> int:
        return max((n for (id, _), n in self.revisions.items() if id == name), default=0)


def lived(days: float, *, noisy: bool) -> Lived:
    engines = (*ENGINES, Entry(Engine.JOINT, JointEngine()))

    async def plan(situation: Situation) -> Plan:
        return make_plan(situation, time.process_time, LIMIT_S, engines, OF_EACH_DEVICE)

    async def live(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            house, dice = HOUSEHOLDS["full"], random.Random(7)
            home = Home(clock, sandbox, plan=plan)
            zone = next(iter(sandbox.locations.values())).zone

            def link(name: str) -> MemoryLink | NoisyLink:
                plain = MemoryLink(home.broker)
                return NoisyLink(plain, dice) if noisy else plain

            more = {} if noisy else {"sensor_noise_c": 0.0}
            home.appliances = house.build(BASE, clock, zone, link, **more)
            config = home.config(house.devices, site=house.site)
            await home.run(config, START + timedelta(days=days))
            return home

    home = run_virtual(live, START)
    return Lived(starts_of(home, NAMES), revisions_of(home))


def rows(days: float = 1) -> list[Row]:
    exact, noisy = lived(days, noisy=False), lived(days, noisy=True)
    out: list[Row] = []
    for name in NAMES:
        few, many = exact.starts[name], noisy.starts[name]
        allowed = more_starts_allowed(few)
        label = f"calm, {days:g} days: starts of {name} beyond the {few} of exact readings"
        out.append((label, max(0, many - few), allowed, ""))
    for name in NAMES:
        for what, life in (("exact", exact), ("noisy", noisy)):
            label = f"calm, {days:g} days: most revisions a night of {name}, {what}"
            out.append((label, life.worst_night(name), MOST_REVISIONS_A_NIGHT, ""))
    return out
