"""A relay that tells no power: what never reached it, or ended by its own timer, was not given."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.app import run_agent
from agent.clock import SteppedClock
from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.planning.make import make_rule_plan
from agent.records.ledger import Ledger
from agent.store import Store
from integrations.registry import AgentConfig, tariff_source
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.relay import TOPIC, Relay
from tests.fakes.virtual_loop import run_virtual

BERLIN = ZoneInfo("Europe/Berlin")
CONFIG = AgentConfig.model_validate(
    {
        "tariff": {
            "source": "fixed",
            "timezone": "Europe/Berlin",
            "currency": "EUR",
            "import": [
                {"price": 0.31, "from": "00:00", "to": "02:00"},
                {"price": 0.19, "from": "02:00", "to": "04:00"},
                {"price": 0.27, "from": "04:00", "to": "24:00"},
            ],
        },
        "devices": [
            {
                "id": "boiler",
                "type": "load",
                "power_w": 2000,
                "needs": [{"hours": 2, "window": {"start": "01:00", "end": "06:00"}}],
                "adapter": {"family": "tasmota", "topic": TOPIC},
            }
        ],
        "homeassistant": {"enabled": False},
    }
)


def local(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 16, hour, minute, tzinfo=BERLIN).astimezone(UTC)


async def plan(situation: Situation) -> Plan:
    return make_rule_plan(situation)


class Night:
    """From 01:30, or when the agent is started again, to 09:00 local time."""

    def __init__(self, clock: SteppedClock, folder: Path, **boiler: object) -> None:
        self.clock, self.folder = clock, folder
        self.config = CONFIG
        if boiler:
            device = CONFIG.devices[0].model_copy(update=boiler)
            self.config = CONFIG.model_copy(update={"devices": [device]})
        self.broker = MemoryBroker()
        self.relay = Relay(self.broker, clock)
        self.ledger = Ledger()
        self.connection: MemoryConnection | None = None
        self.lives = 0

    @property
    def booked_h(self) -> float:
        return float(self.ledger.of("boiler").energy_kwh) / 2

    async def live(self, until: datetime, *, killed: bool = False) -> None:
        """`killed`: nothing is said or stored at the end."""
        database = self.folder / f"{self.lives}.sqlite"
        self.lives += 1
        self.ledger = Ledger()
        store = Store.open(database, self.clock.now())
        stop = asyncio.Event()
        life = asyncio.create_task(
            run_agent(
                self.config,
                clock=self.clock,
                source=tariff_source(CONFIG.tariff, self.clock),
                store=store,
                stop=stop,
                connection_factory=self.connect,
                plan=plan,
                ledger=self.ledger,
                trusted_clock=True,
            )
        )
        await self.clock.sleep_until(until)
        if killed:
            assert self.connection is not None
            self.connection.connected = False
            self.broker.unsubscribe(self.connection.on_message)
            for suffix in ("", "-wal"):
                shutil.copy(f"{database}{suffix}", self.folder / f"{self.lives}.sqlite{suffix}")
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            store.close()
        else:
            stop.set()
            await life
            store.close()
            shutil.copy(database, self.folder / f"{self.lives}.sqlite")

    def connect(self, **wiring: object) -> MemoryConnection:
        self.connection = MemoryConnection(self.broker, **wiring)  # type: ignore[arg-type]
        return self.connection


def night(
    folder: Path, story: Callable[[Night], Awaitable[None]], *, alive: bool = True, **boiler: object
) -> Night:
    """`alive`: the agent lives through it, and `story` is what happens meanwhile; `boiler` is what
    its section has besides."""

    async def run(clock: SteppedClock) -> Night:
        made = Night(clock, folder, **boiler)
        made.relay.begin()
        if alive:
            job = asyncio.ensure_future(story(made))
            await made.live(local(9))
            await job
        else:
            await story(made)
        return made

    return run_virtual(run, local(1, 30))


def test_one_that_was_offline_is_given_its_hours_when_it_is_back(tmp_path: Path) -> None:
    async def wifi_fails(house: Night) -> None:
        await house.clock.sleep_until(local(1, 45))
        house.relay.lose()
        await house.clock.sleep_until(local(5))
        house.relay.come_back()

    made = night(tmp_path, wifi_fails)
    # Half of it after its window.
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)
    assert made.relay.runs[0][0] - local(5) < timedelta(seconds=5)


def test_a_power_cut_at_the_relay_ends_its_run(tmp_path: Path) -> None:
    async def power_cut(house: Night) -> None:
        await house.clock.sleep_until(local(2, 30))
        house.relay.lose(power=True)
        await house.clock.sleep_until(local(3, 30))
        house.relay.come_back()

    made = night(tmp_path, power_cut)
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)


def test_what_no_broker_took_was_not_told(tmp_path: Path) -> None:
    """Its timer opens it a quarter of an hour after it was last told."""

    async def broker_is_away(house: Night) -> None:
        await house.clock.sleep_until(local(2, 32))
        assert house.connection is not None
        house.connection.connected = False
        house.broker.unsubscribe(house.connection.on_message)
        await house.clock.sleep_until(local(4, 30))
        await house.connection.connect()

    made = night(tmp_path, broker_is_away)
    assert made.relay.runs[0][1] - local(2, 45) < timedelta(minutes=1)
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)


def test_its_timer_ends_the_run_of_an_agent_that_is_gone(tmp_path: Path) -> None:
    async def killed(house: Night) -> None:
        await house.live(local(2, 12), killed=True)
        await house.clock.sleep_until(local(4, 30))
        await house.live(local(9))

    made = night(tmp_path, killed, alive=False)
    # What it was told after the last time that anything was stored counts as not given.
    assert 2.0 <= made.relay.hours_on() < 2.25
    assert made.booked_h == pytest.approx(2.0, abs=0.02)


def test_a_run_goes_on_over_a_short_absence_of_the_agent(tmp_path: Path) -> None:
    """The relay says that it is still on: so it has been all the while."""

    async def killed(house: Night) -> None:
        await house.live(local(2, 40), killed=True)
        await house.clock.sleep_until(local(2, 44))
        await house.live(local(9))

    made = night(tmp_path, killed, alive=False)
    assert len(made.relay.runs) == 1
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(2.0, abs=0.02)


def test_nothing_is_given_between_a_clean_stop_and_the_next_start(tmp_path: Path) -> None:
    async def stopped(house: Night) -> None:
        await house.live(local(2, 30))
        await house.clock.sleep_until(local(3, 30))
        await house.live(local(9))

    made = night(tmp_path, stopped, alive=False)
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(2.0, abs=0.02)


def test_a_relay_that_says_it_is_open_has_not_run(tmp_path: Path) -> None:
    async def jams(house: Night) -> None:
        house.relay.jammed = True
        await house.clock.sleep_until(local(3))
        house.relay.jammed = False

    made = night(tmp_path, jams)
    said = [body.payload for body in made.broker.log if body.topic.endswith("/event")]
    assert sum(b"not_following" in payload for payload in said) == 1
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.1)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)


def test_what_the_brokers_rules_forbid_was_not_told(tmp_path: Path) -> None:
    """Until the owner mends the access file."""

    async def forbidden(house: Night) -> None:
        house.broker.forbidden.add(f"cmnd/{TOPIC}/POWER1")
        await house.clock.sleep_until(local(3, 30))
        house.broker.forbidden.clear()

    made = night(tmp_path, forbidden)
    assert made.relay.runs[0][0] > local(3, 30)
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)


def test_a_last_will_that_nobody_took_back_is_none_of_who_speaks(tmp_path: Path) -> None:
    async def left_over(house: Night) -> None:
        house.broker.publish(f"tele/{TOPIC}/LWT", "Offline", retain=True)

    made = night(tmp_path, left_over)
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)


def test_what_it_goes_on_doing_while_its_wifi_fails_is_not_given_twice(tmp_path: Path) -> None:
    async def flaps(house: Night) -> None:
        while house.clock.now() < local(6):
            await house.clock.sleep(20)
            house.relay.lose()
            await house.clock.sleep(20)
            house.relay.come_back()

    made = night(tmp_path, flaps)
    assert made.relay.hours_on() == pytest.approx(2.0, abs=0.02)
    assert made.booked_h == pytest.approx(made.relay.hours_on(), abs=0.02)


def test_after_its_timer_opened_it_a_restart_lets_it_rest_and_clicks_nothing(
    tmp_path: Path,
) -> None:
    """Its rest counts from the end of its timer as that was stored last."""

    async def killed(house: Night) -> None:
        await house.live(local(2, 12), killed=True)
        await house.clock.sleep_until(local(2, 35))
        await house.live(local(9))

    made = night(tmp_path, killed, alive=False, min_on_s=3600, min_off_s=1800)
    (_, opened), *later = made.relay.runs
    assert opened < local(2, 30)
    assert all(end - start >= timedelta(minutes=59) for start, end in later)
    assert later[0][0] >= local(2, 45)


def test_one_that_says_it_is_on_though_told_not_to_is_told_again(tmp_path: Path) -> None:
    """A command to open is lost on its way, and no timer of its own opens it."""

    async def hears_nothing_for_a_while(house: Night) -> None:
        await house.clock.sleep_until(local(3, 58))
        house.relay.deaf = True
        await house.clock.sleep_until(local(4, 2))
        house.relay.deaf = False

    made = night(tmp_path, hears_nothing_for_a_while, offline_after_s=36_000)
    assert made.relay.hours_on() < 2.25


def test_what_a_person_switches_on_at_the_relay_is_left_on(tmp_path: Path) -> None:
    async def person(house: Night) -> None:
        await house.clock.sleep_until(local(5))
        house.relay.switch_by_hand(on=True)
        await house.clock.sleep_until(local(8))
        house.relay.switch_by_hand(on=False)

    made = night(tmp_path, person, offline_after_s=36_000)
    assert made.relay.hours_on() == pytest.approx(5.0, abs=0.1)
