"""A hundred lives of the agent, each ended at once at any instant: no energy is booked twice."""

import asyncio
import random
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.contracts.topics import Topics
from agent.control.device_manager import DeviceManager
from agent.dispatch.outbox import Outbox
from agent.energy.readings import Reading
from agent.health import Health
from agent.home.kinds import KINDS
from agent.home.kinds.ev_charger import EvCharger
from agent.home.kinds.load import GenericLoad
from agent.home.planning_input import PlanningContext
from agent.home.windows import SiteLocation
from agent.records.bookkeeper import Bookkeeper
from agent.records.device_store import DeviceStore
from agent.records.ledger import Ledger
from agent.records.ledger_table import LedgerTable
from agent.records.stored_ledger import read_days, read_sessions
from agent.report.event_queue import EventQueue
from agent.report.ledger_document import ledger_values
from agent.store import Store
from tests.fakes.prices import BERLIN, PriceTable

START = datetime(2026, 3, 20, 12, tzinfo=UTC)
STEP = timedelta(minutes=5)
LIVES = 100
DEVICES = {
    "ev": EvCharger.model_validate(
        {"id": "ev", "type": "ev_charger", "max_power_w": 11_000, "phases": 3, "energy_kwh": 30}
    ),
    "pump": GenericLoad.model_validate(
        {
            "id": "pump",
            "type": "load",
            "power_w": 1200,
            "needs": [{"hours": 4, "window": {"start": "22:00", "end": "07:00"}}],
        }
    ),
}


@dataclass
class Hands:
    """A clock that stands where the test puts it."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    async def sleep_until(self, when: datetime) -> None:
        await asyncio.sleep(0)


class Nobody:
    """No broker is there."""

    async def publish(self, topic: str, payload: str | bytes, **_: object) -> bool:
        return False


@dataclass
class House:
    """The devices' own counters, which no restart of the agent touches."""

    random: random.Random
    totals: dict[str, float] = field(default_factory=lambda: {"ev": 4321.0, "pump": 17.5})
    taken: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    plugged: bool = True

    def power_w(self, name: str, now: datetime) -> float:
        if name == "pump":
            return 1200.0
        return 11_000.0 if self.plugged and now.hour in (1, 2, 3, 22) else 0.0

    def live(self, now: datetime) -> None:
        """Up to `now`, from a step before."""
        if self.random.random() < 0.01:
            self.plugged = not self.plugged
        for name in self.totals:
            kwh = self.power_w(name, now - STEP) * STEP.total_seconds() / 3_600_000
            self.totals[name] = round(self.totals[name] + kwh, 6)
            day = (now - STEP).astimezone(BERLIN)
            self.taken[name, day.year * 10_000 + day.month * 100 + day.day] += kwh


@dataclass
class Life:
    """One life of the agent's rooms around devices, on a database of its own."""

    path: Path
    clock: Hands
    prices: PriceTable
    store: Store = field(init=False)
    writer: DeviceStore = field(init=False)
    devices: DeviceManager = field(init=False)
    keeper: Bookkeeper = field(init=False)

    def __post_init__(self) -> None:
        clock, health = self.clock, Health(self.clock)
        self.store = Store.open(self.path, clock.now())
        self.writer = DeviceStore(self.store, health, clock)
        outbox = Outbox(Nobody(), clock, health)
        place = SiteLocation(BERLIN)
        self.keeper = Bookkeeper(
            Ledger(), LedgerTable(self.store), self.prices, zone=lambda: BERLIN
        )
        self.devices = DeviceManager(
            clock,
            self.writer,
            health,
            Topics("flatpeak/home"),
            outbox,
            EventQueue(clock, health, "event", lambda message: None),
            lambda now: PlanningContext(now, place),
            clock_trusted=lambda: True,
            on_change=lambda device, user: None,
            on_asked=lambda device: None,
            on_reappeared=lambda: None,
            on_unheard=lambda device: None,
            on_take_back=lambda device: None,
            bookkeeper=self.keeper,
        )
        profiles = {name: KINDS[item.type].profile(item) for name, item in DEVICES.items()}
        self.devices.restore(DEVICES, profiles)

    def end(self) -> None:
        """As the agent ends when it is told to."""
        self.devices.save_all()
        self.writer.queue.flush(everything=True)

    def hear(self, house: House, now: datetime) -> None:
        """Everything that the devices say every five minutes."""
        said = {
            "ev": {
                "plugged": house.plugged,
                "power_w": house.power_w("ev", now),
                "energy_total_kwh": house.totals["ev"],
            },
            "pump": {
                "power_w": house.power_w("pump", now),
                "energy_total_kwh": house.totals["pump"],
            },
        }
        for name, values in said.items():
            for kind, value in values.items():
                self.devices.on_decoded(name, Reading(kind, value, now), retained=False)

    def work(self, now: datetime) -> None:
        """A turn of the controller, as far as the ledger is concerned."""
        self.devices.advance(now)
        for name in self.devices:
            needs = self.devices.planning_input(name, now).needs
            self.keeper.open_demands(name, needs, now)
            self.devices.book(name, now)
            self.keeper.settle(name, needs, now)


def prices() -> PriceTable:
    table = PriceTable()
    table.hours(START.replace(minute=0), *[f"0.{10 + n % 24}" for n in range(24 * 60)])
    return table


async def killed(life: Life, path: Path) -> None:
    """What is on the disk now and nothing else; what was never written is lost."""
    for suffix in ("", "-wal"):
        file = life.path.with_name(life.path.name + suffix)
        if file.exists():
            shutil.copy(file, path.with_name(path.name + suffix))
    life.store.close()


async def test_no_day_is_booked_twice_in_a_hundred_restarts(tmp_path: Path) -> None:
    chance, clock, table = random.Random(1), Hands(), prices()
    house = House(chance)
    began = dict(house.totals)
    number = 0
    life = Life(tmp_path / "0.sqlite", clock, table)
    while number < LIVES:
        life.hear(house, clock.at)
        life.work(clock.at)
        if chance.random() < 0.7:
            # The disk was quicker than the end; else what was just handed over is lost.
            assert await life.store.write()
        if chance.random() < 1 / 20:
            number += 1
            path = tmp_path / f"{number}.sqlite"
            await killed(life, path)
            for _ in range(chance.randrange(4)):
                clock.at += STEP
                house.live(clock.at)
            life = Life(path, clock, table)
        clock.at += STEP
        house.live(clock.at)
    life.hear(house, clock.at)
    life.work(clock.at)
    life.end()
    await life.store.write()
    days = read_days(life.store)
    for name, first in began.items():
        booked = sum(float(day.sums.energy_kwh) for day in days if day.device == name)
        # A millionth a life may be rounded off.
        assert booked == pytest.approx(house.totals[name] - first, abs=2 * LIVES / 1e6), name
    for day in days:
        # Over a time without the agent the counter tells how much came, not when.
        slack = 0.01 if day.device == "pump" else 3 * 11 / 12
        taken = house.taken[day.device, day.day]
        assert float(day.sums.energy_kwh) == pytest.approx(taken, abs=slack), day
    for name in began:
        mine = [s.sums.energy for s in read_sessions(life.store) if s.device == name]
        assert sum(mine) <= sum(day.sums.energy for day in days if day.device == name)
    figures = life.keeper.figures(clock.at)
    assert figures.total.ever == sum((day.sums for day in days[1:]), days[0].sums)
    life.store.close()


async def test_a_clean_restart_changes_no_figure(tmp_path: Path) -> None:
    clock, table = Hands(), prices()
    house, path = House(random.Random(3)), tmp_path / "a.sqlite"
    life = Life(path, clock, table)
    for _ in range(30):
        for _ in range(7):
            clock.at += STEP
            house.live(clock.at)
            life.hear(house, clock.at)
            life.work(clock.at)
        life.end()
        before = ledger_values(life.keeper.figures(clock.at))
        life.store.close()
        life = Life(path, clock, table)
        assert ledger_values(life.keeper.figures(clock.at)) == before
    life.store.close()


async def test_what_is_of_one_meter_is_one_write(tmp_path: Path) -> None:
    """Whatever instant a copy is taken at, the meter stands where the ledger ends."""
    clock, table = Hands(datetime(2026, 3, 20, 22, 2, tzinfo=UTC)), prices()
    house, path = House(random.Random(4)), tmp_path / "a.sqlite"
    life = Life(path, clock, table)
    first = house.totals["pump"]
    sql = (
        "SELECT json_extract(value, '$.total_kwh'),"
        " (SELECT sum(energy) FROM ledger_days WHERE device = 'pump')"
        " FROM facts WHERE name = 'tracker:pump'"
    )
    for _ in range(40):
        clock.at += STEP
        house.live(clock.at)
        life.hear(house, clock.at)
        life.work(clock.at)
        await life.store.write(("DELETE FROM facts WHERE name = 'nobody'", ()))
        for total_kwh, booked in life.store.connection.execute(sql):
            assert total_kwh * 1_000_000 == pytest.approx(booked or 0, abs=2)
    assert house.totals["pump"] > first + 2
    life.store.close()
