"""Revisions, acknowledgements and the two steps under a limit, on a broker in memory."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.clock import SteppedClock
from agent.config.devices import EvCharger
from agent.dispatch.device_store import DeviceStore
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.event_queue import EventQueue
from agent.dispatch.ledger import Ledger
from agent.dispatch.outbox import Outbox
from agent.dispatch.schedules import device_profile
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.health import Health, State
from agent.home.windows import SiteLocation
from agent.ports import Message, OutgoingMessage
from agent.store import Store
from integrations.devices.native import NativeDevice
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, tzinfo=UTC)
NOW = to_unix_floor(START)
PROFILES = {
    name: device_profile(
        EvCharger(id=name, type="ev_charger", max_power_w=7400, battery_kwh=Decimal(50))
    )
    for name in ("ev1", "ev2")
}


def schedule(device: str, *spans: tuple[int, int]) -> Schedule:
    profile = PROFILES[device]
    slots = tuple(
        ScheduleSlot(NOW + a, NOW + b, "charge", 7400, Decimal(1), None, "limit") for a, b in spans
    )
    return Schedule(
        device=device,
        device_type=profile.type,
        revision=0,
        issued_at=NOW,
        valid_from=NOW - 300,
        valid_until=NOW + 172_800,
        currency="EUR",
        slots=slots,
        default=profile.default,
        offline=profile.offline,
    )


@dataclass
class Switchboard:
    dispatcher: Dispatcher
    broker: MemoryBroker
    health: Health
    room: list[str]

    def slots(self, device: str) -> int:
        body = json.loads(self.broker.retained[f"b/device/{device}/schedule"])
        return len(body["slots"])

    def revision(self, device: str) -> int:
        body = json.loads(self.broker.retained[f"b/device/{device}/schedule"])
        return int(body["revision"])

    def accept(self, device: str) -> None:
        ack = Acknowledgement(self.revision(device), AckStatus.ACCEPTED)
        self.dispatcher.on_ack(device, ack)

    async def issue(self, ev1: Schedule, ev2: Schedule, now: int = NOW) -> list[str]:
        exact = {"ev1": True, "ev2": True}
        return await self.dispatcher.issue({"ev1": ev1, "ev2": ev2}, exact, now)


async def switchboard(clock: SteppedClock, *, limited: bool, store: Store) -> Switchboard:
    broker, health, room = MemoryBroker(), Health(clock), list[str]()

    async def greet() -> None:
        return

    def ignore(message: Message) -> None:
        return

    def withdraw_device(device: str) -> list[OutgoingMessage]:
        return list(NativeDevice("b", device).withdraw())

    post = MemoryConnection(broker, "b/status", "agent", health, tuple, ignore, greet)
    await post.connect()
    outbox = Outbox(post, clock)
    dispatcher = Dispatcher(
        PROFILES,
        {name: NativeDevice("b", name) for name in PROFILES},
        outbox,
        DeviceStore(store, health),
        EventQueue(clock, outbox, "b/event"),
        health,
        Ledger(),
        lambda: SiteLocation(ZoneInfo("Europe/Berlin")),
        withdraw_device,
        on_switch=lambda device, is_on: None,
        on_headroom=lambda: room.append("room"),
        limited=limited,
    )
    return Switchboard(dispatcher, broker, health, room)


def test_two_cars_swap_under_a_limit_in_two_steps() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2", (3600, 7200)))
        # the other way round: nobody may take more before the other has acknowledged to take less
        wanted = schedule("ev1", (3600, 7200)), schedule("ev2", (0, 3600))
        await board.issue(*wanted)
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 0)
        board.accept("ev1")
        assert not board.room
        await board.issue(*wanted)
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 0)
        board.accept("ev2")
        assert board.room == ["room"]
        await board.issue(*wanted)
        assert (board.slots("ev1"), board.slots("ev2")) == (1, 1)

    run_virtual(live, START)


def test_one_that_never_acknowledges_is_waited_for_a_minute_and_named() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        wanted = schedule("ev1"), schedule("ev2", (0, 3600))
        await board.issue(*wanted)
        assert board.slots("ev2") == 0
        await board.issue(*wanted, now=NOW + 60)
        assert board.slots("ev2") == 1
        assert board.health.parts["limit"].state is State.DEGRADED
        assert "ev1" in board.health.parts["limit"].why

    run_virtual(live, START)


def test_without_a_limit_everything_goes_out_at_once() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        assert await board.issue(schedule("ev1"), schedule("ev2", (0, 3600))) == ["ev1", "ev2"]
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 1)

    run_virtual(live, START)


def test_no_revision_is_used_twice_whoever_remembers_it() -> None:
    async def live(clock: SteppedClock) -> None:
        store = Store.in_memory()
        board = await switchboard(clock, limited=False, store=store)
        await board.issue(schedule("ev1"), schedule("ev2"))
        first = board.revision("ev1")
        # another life, with the clock set back by a day
        again = await switchboard(clock, limited=False, store=store)
        await again.issue(schedule("ev1", (0, 60)), schedule("ev2"), now=NOW - 86_400)
        assert again.revision("ev1") == first + 1
        # a device or the broker that has seen a later one than our database
        again.dispatcher.on_ack("ev1", Acknowledgement(first + 50, AckStatus.REJECTED))
        retained = json.dumps({"revision": first + 70}).encode()
        again.dispatcher.on_retained_schedule("ev2", retained)
        await again.issue(schedule("ev1"), schedule("ev2", (0, 60)))
        assert (again.revision("ev1"), again.revision("ev2")) == (first + 51, first + 71)

    run_virtual(live, START)


def test_a_device_taken_out_of_the_config_is_released_and_emptied() -> None:
    async def live(clock: SteppedClock) -> None:
        store = Store.in_memory()
        board = await switchboard(clock, limited=False, store=store)
        await board.issue(schedule("ev1"), schedule("ev2"))
        DeviceStore(store, board.health).issue(replace(schedule("ev1"), device="old"))
        again = await switchboard(clock, limited=False, store=store)
        again.broker.retained["b/device/old/schedule"] = b"{}"
        again.dispatcher.restore()
        await again.dispatcher.events.flush()
        assert "b/device/old/schedule" not in again.broker.retained
        assert json.loads(again.broker.retained["b/device/ev1/schedule"])["device"] == "ev1"

    run_virtual(live, START)
