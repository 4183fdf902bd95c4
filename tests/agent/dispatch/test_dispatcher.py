"""Revisions and the two steps under a limit, on a broker in memory."""

import json
from datetime import timedelta

from agent.clock import SteppedClock
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.steps import Steps
from agent.store import Store
from tests.fakes.switchboard import NOW, START, schedule, switchboard
from tests.fakes.virtual_loop import run_virtual


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
        again.dispatcher.acknowledgements.on_ack(
            "ev1", Acknowledgement(first + 50, AckStatus.REJECTED), NOW
        )
        retained = json.dumps({"revision": first + 70}).encode()
        again.dispatcher.acknowledgements.on_schedule_seen("ev2", retained, NOW, retained=True)
        await again.issue(schedule("ev1"), schedule("ev2", (0, 60)))
        assert (again.revision("ev1"), again.revision("ev2")) == (first + 51, first + 71)

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
