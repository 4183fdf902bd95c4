"""Revisions, acknowledgements and the two steps under a limit, on a broker in memory."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agent.clock import SteppedClock
from agent.dispatch.dispatcher import Dispatcher, Wanted
from agent.dispatch.outbox import Outbox
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.schedule import Schedule, ScheduleSlot
from agent.energy.steps import Steps
from agent.health import Health, State
from agent.home.windows import SiteLocation
from agent.ports import Message
from agent.records.device_store import DeviceStore
from agent.records.ledger import Ledger
from agent.report.event_queue import EventQueue
from agent.store import Store
from integrations.devices.native import NativeDevice
from tests.agent.dispatch.test_limit import profile
from tests.fakes.memory_broker import MemoryBroker, MemoryConnection
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 16, tzinfo=UTC)
NOW = to_unix_floor(START)
PROFILES = {
    name: profile("ev_charger", id=name, max_power_w=7400, battery_kwh=50)
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
    outbox: Outbox
    broker: MemoryBroker
    connection: MemoryConnection
    health: Health
    headroom: list[str]
    limit: Steps | None
    task: asyncio.Task[None] | None = None

    def slots(self, device: str) -> int:
        body = json.loads(self.broker.retained[f"b/device/{device}/schedule"])
        return len(body["slots"])

    def revision(self, device: str) -> int:
        body = json.loads(self.broker.retained[f"b/device/{device}/schedule"])
        return int(body["revision"])

    def accept(self, device: str) -> None:
        ack = Acknowledgement(self.revision(device), AckStatus.ACCEPTED)
        self.dispatcher.on_ack(device, ack, NOW)

    async def issue(
        self, ev1: Schedule, ev2: Schedule, now: int = NOW, *, urgent: bool = True
    ) -> list[str]:
        wanted = {"ev1": Wanted(ev1, urgent), "ev2": Wanted(ev2, urgent)}
        issued = self.dispatcher.issue(wanted, now, self.limit)
        await self.outbox.drained()
        return issued


async def switchboard(clock: SteppedClock, *, limited: bool, store: Store) -> Switchboard:
    broker, health, headroom = MemoryBroker(), Health(clock), list[str]()

    async def announce() -> None:
        return

    def ignore(message: Message) -> None:
        return

    connection = MemoryConnection(broker, "b/status", "agent", health, tuple, ignore, announce)
    await connection.connect()
    outbox = Outbox(connection, clock, health)
    dispatcher = Dispatcher(
        PROFILES,
        {name: NativeDevice("b", name) for name in PROFILES},
        outbox,
        DeviceStore(store, health, clock),
        EventQueue(clock, health, "b/event", lambda message: outbox.set("events", message)),
        health,
        Ledger(),
        lambda: SiteLocation(ZoneInfo("Europe/Berlin")),
        on_told=lambda device, schedule: None,
        on_switch=lambda device, is_on: None,
        on_headroom=lambda: headroom.append("headroom"),
    )
    limit = Steps.constant(8000) if limited else None
    board = Switchboard(dispatcher, outbox, broker, connection, health, headroom, limit)
    board.task = asyncio.create_task(outbox.run())
    return board


def test_two_cars_swap_under_a_limit_in_two_steps() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2", (3600, 7200)))
        # the other way round: nobody may take more before the other has acknowledged to take less
        wanted = schedule("ev1", (3600, 7200)), schedule("ev2", (0, 3600))
        await board.issue(*wanted, now=NOW + 6)
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 0)
        board.accept("ev1")
        assert board.headroom == ["headroom"]
        await board.issue(*wanted, now=NOW + 12)
        # ev1 takes less now: ev2 may take its place, and not yet the other way round
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 1)
        board.accept("ev2")
        await board.issue(*wanted, now=NOW + 18)
        assert (board.slots("ev1"), board.slots("ev2")) == (1, 1)

    run_virtual(live, START)


def test_one_that_never_acknowledges_is_waited_for_a_minute_and_named() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        wanted = schedule("ev1"), schedule("ev2", (0, 3600))
        await board.issue(*wanted, now=NOW + 6)
        assert board.slots("ev2") == 0
        await board.issue(*wanted, now=NOW + 66)
        assert board.slots("ev2") == 1
        assert board.health.parts["limit"].state is State.DEGRADED
        assert "ev1" in board.health.parts["limit"].why
        # However late they answer: then it is proven.
        board.accept("ev1")
        assert board.health.parts["limit"].why.startswith("unproven: ev2 did")
        board.accept("ev2")
        assert board.health.parts["limit"].why == ""

    run_virtual(live, START)


@pytest.mark.parametrize("word", ["REJECTED", "REJECTED, nothing", "REVOKED"])
def test_one_that_refuses_to_take_less_makes_no_room_however_long_it_is_waited_for(
    word: str,
) -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 36_000)), schedule("ev2"))
        board.accept("ev1")
        board.accept("ev2")
        holds = board.revision("ev1") if word == "REJECTED" else 0
        answer = Acknowledgement(holds, AckStatus(word.split(",")[0]))
        wanted = schedule("ev1"), schedule("ev2", (0, 36_000))
        for later in (6, 66, 126, 600, 4000):
            await board.issue(*wanted, now=NOW + later)
            board.dispatcher.on_ack("ev1", answer, NOW + later)
            assert board.slots("ev2") == 0
        await board.issue(*wanted, now=NOW + 4100)
        why = board.health.parts["limit"].why
        assert "ev1 did not take what it was told" in why
        assert "ev2" not in why
        # What it takes in the end makes room, whatever it said before.
        board.accept("ev1")
        await board.issue(*wanted, now=NOW + 4110)
        assert board.slots("ev2") == 1
        board.accept("ev2")
        assert board.health.parts["limit"].state is State.OK

    run_virtual(live, START)


def test_what_the_broker_has_not_got_makes_no_room_however_long_it_is_away() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        board.accept("ev1")
        board.connection.connected = False
        wanted = schedule("ev1"), schedule("ev2", (0, 3600))
        for later in (6, 70, 140, 600):
            await board.issue(*wanted, now=NOW + later)
        board.connection.connected = True
        board.outbox.connected()
        await board.outbox.resend_all(lambda lane: True)
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 0)
        # only now can it answer, and its minute begins
        await board.issue(*wanted, now=NOW + 630)
        assert board.slots("ev2") == 0
        await board.issue(*wanted, now=NOW + 690)
        assert board.slots("ev2") == 1

    run_virtual(live, START)


def test_a_setpoint_that_was_acknowledged_makes_room_when_its_schedule_is_published_too() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=True, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        board.accept("ev1")
        wanted = schedule("ev1"), schedule("ev2", (0, 3600))
        # a person asks so soon after the last revision that only the setpoint goes at once
        await board.issue(*wanted, now=NOW + 2)
        setpoint = json.loads(board.broker.retained["b/device/ev1/setpoint"])
        ack = Acknowledgement(setpoint["revision"], AckStatus.ACCEPTED)
        board.dispatcher.on_ack("ev1", ack, NOW)
        await board.issue(*wanted, now=NOW + 3)
        board.dispatcher.publish_due_setpoints(START + timedelta(seconds=4))
        await board.outbox.drained()
        assert (board.slots("ev1"), board.slots("ev2")) == (1, 0)
        board.dispatcher.publish_due_setpoints(START + timedelta(seconds=6))
        await board.outbox.drained()
        await board.issue(*wanted, now=NOW + 9)
        board.dispatcher.publish_due_setpoints(START + timedelta(seconds=15))
        await board.outbox.drained()
        assert (board.slots("ev1"), board.slots("ev2")) == (0, 1)

    run_virtual(live, START)


def test_a_schedule_replaced_before_anybody_could_answer_is_not_one_that_was_not_followed() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        await board.issue(schedule("ev1", (0, 7200)), schedule("ev2"), now=NOW + 10)
        board.accept("ev1")
        account = board.dispatcher.ledger.of("ev1")
        assert (account.schedules, account.schedules_followed) == (2, 2)
        # one that stood for an hour without an answer was not followed
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"), now=NOW + 20)
        await board.issue(schedule("ev1", (0, 7200)), schedule("ev2"), now=NOW + 3620)
        board.accept("ev1")
        assert (account.schedules, account.schedules_followed) == (4, 3)

    run_virtual(live, START)


def test_without_a_limit_everything_goes_out_at_once() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        wanted = schedule("ev1"), schedule("ev2", (0, 3600))
        assert await board.issue(*wanted, now=NOW + 6) == ["ev1", "ev2"]
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
        again.dispatcher.on_ack("ev1", Acknowledgement(first + 50, AckStatus.REJECTED), NOW)
        retained = json.dumps({"revision": first + 70}).encode()
        again.dispatcher.on_schedule_seen("ev2", retained, NOW, retained=True)
        await again.issue(schedule("ev1"), schedule("ev2", (0, 60)))
        assert (again.revision("ev1"), again.revision("ev2")) == (first + 51, first + 71)

    run_virtual(live, START)


@pytest.mark.parametrize("seen", ["retained", "acknowledged", "of another agent"])
def test_a_device_that_holds_a_later_one_than_was_stored_is_given_ours_above_it(seen: str) -> None:
    """The disk was full when it was given: the next life knows the one before, which it refuses."""

    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        same = schedule("ev1", (0, 3600)), schedule("ev2")
        await board.issue(*same)
        at = NOW + 60

        async def hears(revision: int) -> None:
            if seen == "acknowledged":
                board.dispatcher.on_ack("ev1", Acknowledgement(revision, AckStatus.ACCEPTED), at)
                return
            payload = json.dumps({"revision": revision}).encode()
            retained = seen == "retained"
            board.dispatcher.on_schedule_seen("ev1", payload, at, retained=retained)

        assert await board.issue(*same, now=at) == []
        await hears(NOW + 500)
        assert await board.issue(*same, now=at) == ["ev1"]
        assert board.revision("ev1") == NOW + 501
        # Somebody who always has a higher one is not answered for ever.
        for number in range(20):
            at += 10
            await hears(board.revision("ev1") + 1 + number)
            assert await board.issue(*same, now=at) == []
        at += 1200
        assert await board.issue(*same, now=at) == ["ev1"]
        assert board.revision("ev1") == at

    run_virtual(live, START)


@pytest.mark.parametrize("claimed", [2**32 - 1, NOW + 5 * 365 * 86_400])
def test_a_revision_that_cannot_be_is_not_believed_and_the_device_is_got_out_of_it(
    claimed: int,
) -> None:
    """It refuses all that is not greater; once it has forgotten what it holds, it takes ours."""

    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        dispatcher = board.dispatcher
        assert dispatcher.revision_problem("ev1") is None
        dispatcher.on_ack("ev1", Acknowledgement(claimed, AckStatus.ACCEPTED), NOW)
        assert board.slots("ev1") == 1
        for times in (1, 2):
            said = len(board.broker.log)
            dispatcher.on_ack("ev1", Acknowledgement(claimed, AckStatus.REJECTED), NOW + 1)
            problem = dispatcher.revision_problem("ev1") or ""
            assert str(claimed) in problem
            assert "clear its retained ack" in problem
            await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"), now=NOW + 10)
            payloads = [
                item.payload for item in board.broker.log[said:] if "ev1/schedule" in item.topic
            ]
            # Taken back and given anew; once a day.
            assert [bool(payload) for payload in payloads] == (
                [False, False, True, True] if times == 1 else []
            )
        assert board.revision("ev1") < NOW + 86_400
        assert board.health.counts["unbelieved_revisions"] == 3
        board.accept("ev1")
        assert dispatcher.revision_problem("ev1") is None

    run_virtual(live, START)


def test_one_device_causes_one_revision_in_five_seconds_but_a_person_does_not_wait() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"), urgent=False)
        changed = schedule("ev1", (0, 7200)), schedule("ev2")
        assert await board.issue(*changed, now=NOW + 2, urgent=False) == []
        assert board.dispatcher.retry_at == START + timedelta(seconds=6)
        first = board.revision("ev1")
        assert await board.issue(*changed, now=NOW + 2, urgent=True) == ["ev1"]
        # the setpoint has gone, its schedule follows a few seconds after the one before
        setpoint = json.loads(board.broker.retained["b/device/ev1/setpoint"])
        assert setpoint["revision"] > first == board.revision("ev1")
        board.dispatcher.publish_due_setpoints(START + timedelta(seconds=6))
        await board.outbox.drained()
        assert board.revision("ev1") == setpoint["revision"]
        again = schedule("ev1", (0, 600)), schedule("ev2")
        assert await board.issue(*again, now=NOW + 12, urgent=False) == ["ev1"]

    run_virtual(live, START)


def test_a_stricter_limit_is_obeyed_by_setpoints_first_and_waits_for_nobody() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2", (0, 3600)))
        board.dispatcher.publish_due_setpoints(clock.now())
        await board.outbox.drained()
        said = len(board.broker.log)
        assert board.dispatcher.curtail(Steps.constant(8780), (), NOW + 1) == ["ev2"]
        await board.outbox.drained()
        topics = [item.topic for item in board.broker.log[said:] if "device" in item.topic]
        assert topics[0] == "b/device/ev2/setpoint"
        assert set(topics) == {
            f"b/device/ev2/{form}" for form in ("setpoint", "schedule", "schedule/compact")
        }
        # What ev1 leaves are its 6 A.
        slots = json.loads(board.broker.retained["b/device/ev2/schedule"])["slots"]
        assert [slot["power_w"] for slot in slots] == [1380]

    run_virtual(live, START)


def test_another_agent_below_the_same_base_is_told_from_our_own_echo() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1"), schedule("ev2"))
        ours = board.broker.retained["b/device/ev1/schedule"]
        assert board.dispatcher.on_schedule_seen("ev1", ours, NOW, retained=False)
        foreign = json.dumps({"revision": 5}).encode()
        assert not board.dispatcher.on_schedule_seen("ev1", foreign, NOW, retained=False)
        assert not board.dispatcher.on_schedule_seen("stranger", foreign, NOW, retained=True)

    run_virtual(live, START)


def test_what_is_taken_back_is_really_empty_before_it_is_given_anew() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1", (0, 3600)), schedule("ev2"))
        said = len(board.broker.log)
        board.dispatcher.withdraw("ev1")
        await board.issue(schedule("ev1", (0, 7200)), schedule("ev2"))
        payloads = [
            bool(item.payload)
            for item in board.broker.log[said:]
            if item.topic == "b/device/ev1/schedule"
        ]
        assert payloads == [False, True]

    run_virtual(live, START)
