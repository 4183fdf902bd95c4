"""What devices answer, or do not: what is followed, what makes room, what is not believed."""

import json
from datetime import timedelta

import pytest

from agent.clock import SteppedClock
from agent.energy.readings import Acknowledgement, AckStatus
from agent.health import State
from agent.store import Store
from tests.fakes.switchboard import NOW, START, schedule, switchboard
from tests.fakes.virtual_loop import run_virtual


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
                board.dispatcher.acknowledgements.on_ack(
                    "ev1", Acknowledgement(revision, AckStatus.ACCEPTED), at
                )
                return
            payload = json.dumps({"revision": revision}).encode()
            retained = seen == "retained"
            board.dispatcher.acknowledgements.on_schedule_seen(
                "ev1", payload, at, retained=retained
            )

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
        assert dispatcher.acknowledgements.revision_problem("ev1") is None
        dispatcher.acknowledgements.on_ack("ev1", Acknowledgement(claimed, AckStatus.ACCEPTED), NOW)
        assert board.slots("ev1") == 1
        for times in (1, 2):
            said = len(board.broker.log)
            dispatcher.acknowledgements.on_ack(
                "ev1", Acknowledgement(claimed, AckStatus.REJECTED), NOW + 1
            )
            problem = dispatcher.acknowledgements.revision_problem("ev1") or ""
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
        assert dispatcher.acknowledgements.revision_problem("ev1") is None

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
            board.dispatcher.acknowledgements.on_ack("ev1", answer, NOW + later)
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
        board.dispatcher.acknowledgements.on_ack("ev1", ack, NOW)
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


def test_another_agent_below_the_same_base_is_told_from_our_own_echo() -> None:
    async def live(clock: SteppedClock) -> None:
        board = await switchboard(clock, limited=False, store=Store.in_memory())
        await board.issue(schedule("ev1"), schedule("ev2"))
        ours = board.broker.retained["b/device/ev1/schedule"]
        assert board.dispatcher.acknowledgements.on_schedule_seen("ev1", ours, NOW, retained=False)
        foreign = json.dumps({"revision": 5}).encode()
        assert not board.dispatcher.acknowledgements.on_schedule_seen(
            "ev1", foreign, NOW, retained=False
        )
        assert not board.dispatcher.acknowledgements.on_schedule_seen(
            "stranger", foreign, NOW, retained=True
        )

    run_virtual(live, START)
