"""The four rules for devices that read JSON: the same answers as the firmware kit gives."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from integrations.firmware.follower import Follower
from integrations.sandbox.appliances.followers import (
    OWN_LOGIC,
    Command,
    CompactFollower,
    DeviceFollower,
    ScheduleFollower,
    SetpointFollower,
)

Make = Callable[[], DeviceFollower]
Document = Callable[[], bytes]

START = 1_768_521_600
END = START + 86_400
WEEK = 7 * 86_400
SAFE = Command("idle", 0)
DEFAULT, OFFLINE, CHARGE = Command("idle", 0), Command("charge", 3700), Command("charge", 7400)
RULES = {
    "default": {"mode": "idle", "power_w": 0},
    "offline": {"after_s": 900, "mode": "charge", "power_w": 3700},
}


def instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def schedule(revision: int = START, start: int = START, **changes: object) -> bytes:
    slot = {"start": instant(start + 5400), "end": instant(start + 14_400)}
    body = {
        "schema": "schedule/1",
        "revision": revision,
        "valid_from": instant(start),
        "valid_until": instant(start + 86_400),
        "slots": [{**slot, "mode": "charge", "power_w": 7400, "price": 0.07}],
        **RULES,
        "status": "optimal",
        **changes,
    }
    return json.dumps(body).encode()


def setpoint(revision: int = START, at: int = START, **changes: object) -> bytes:
    body = {"revision": revision, "at": instant(at), "mode": "charge", "power_w": 7400}
    body |= {"until": instant(at + 3600), **RULES, **changes}
    return json.dumps(body, separators=(",", ":")).encode()


def compact(revision: int = START) -> bytes:
    pairs = [[5400, 7400], [14_400, 0]]
    body = {"r": revision, "s": START, "u": "W", "p": pairs, "e": 86_400, "d": 0, "o": [900, 3700]}
    return json.dumps(body).encode()


PLANNED = [
    pytest.param(lambda: ScheduleFollower(SAFE), schedule, id="schedule"),
    pytest.param(lambda: CompactFollower(Follower(0)), compact, id="compact"),
]
ALL = [*PLANNED, pytest.param(lambda: SetpointFollower(SAFE), setpoint, id="setpoint")]


@pytest.mark.parametrize(("make", "document"), ALL)
def test_without_anything_it_waits_safely_then_uses_its_own_logic(
    make: Make, document: Document
) -> None:
    follower = make()
    assert (follower.command(START, 299), follower.next_change(START, 299)) == (SAFE, 1)
    assert (follower.command(START, 300), follower.next_change(START, 300)) == (OWN_LOGIC, None)
    assert follower.accept(document(), START, 301) == "ACCEPTED"
    assert follower.revision == START
    assert follower.accept(b"", START, 302) == "REVOKED"
    assert (follower.revision, follower.command(START, 303)) == (0, OWN_LOGIC)


@pytest.mark.parametrize(("make", "document"), PLANNED)
def test_in_time_and_too_late(make: Make, document: Document) -> None:
    follower = make()
    follower.accept(document(), START, 0)
    expected = {
        START - 300: (DEFAULT, 5700),
        START: (DEFAULT, 5400),
        START + 5400: (CHARGE, 9000),
        START + 14_400: (DEFAULT, 72_000),
        END: (DEFAULT, 900),
        END + 900: (OFFLINE, WEEK - 900),
        END + WEEK: (OWN_LOGIC, None),
    }
    for now, answer in expected.items():
        assert (follower.command(now, 10), follower.next_change(now, 10)) == answer, now - START


@pytest.mark.parametrize(("make", "document"), ALL)
@pytest.mark.parametrize("now", [0, START - 301])
def test_without_a_sane_clock_the_offline_rule_counts_from_the_first_arrival(
    make: Make, document: Document, now: int
) -> None:
    follower = make()
    follower.accept(document(), now, 100)
    follower.accept(document(), now, 900)
    assert follower.command(now, 999) == DEFAULT
    assert follower.command(now, 1000) == OFFLINE
    assert follower.command(now, 100 + WEEK) == OWN_LOGIC
    assert follower.command(START + 6000 if document is not setpoint else START, 200 + WEEK) == (
        CHARGE
    )


def test_a_setpoint_is_obeyed_by_arrival_until_half_a_minute_after_its_end() -> None:
    follower = SetpointFollower(SAFE)
    assert follower.accept(setpoint(revision=10), START, 0) == "ACCEPTED"
    until = START + 3600
    assert follower.command(until + 29, 5) == CHARGE
    assert follower.command(until + 30, 5) == DEFAULT
    assert follower.command(until + 900, 5) == OFFLINE
    assert follower.command(until + WEEK, 5) == OWN_LOGIC
    # the next of the same schedule is not acknowledged again, a lower revision is obeyed too
    assert follower.accept(setpoint(10, mode="idle", power_w=0), START, 6) is None
    assert follower.command(START, 6) == SAFE
    assert follower.accept(setpoint(9), START, 7) == "ACCEPTED"
    assert (follower.revision, follower.command(START, 7)) == (9, CHARGE)


def test_a_schedule_keeps_to_the_order_of_revisions() -> None:
    follower = ScheduleFollower(SAFE)
    follower.accept(schedule(10), START, 0)
    assert follower.accept(schedule(10, slots=[]), START, 1) == "ACCEPTED"
    assert follower.command(START + 6000, 1) == CHARGE
    assert follower.accept(schedule(9, start=START + 1), START, 1) == "REJECTED"
    assert follower.accept(schedule(9), END, 1) == "REJECTED"
    assert follower.accept(schedule(9, start=START + 1), END, 1) == "ACCEPTED"
    assert follower.accept(schedule(11, slots=[]), START, 1) == "ACCEPTED"
    assert follower.command(START + 6000, 1) == DEFAULT


BROKEN = [
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b"[" * 3000,
    schedule(0),
    schedule(2**32),
    schedule(schema="schedule/2"),
    schedule(valid_until="soon"),
    schedule(valid_until="2026-01-16T00:00:00"),
    schedule(valid_until=None),
    schedule(slots=[{"start": instant(START)}]),
    schedule(slots=None),
    schedule(default={"mode": "idle"}),
    schedule(default={"mode": 1, "power_w": 0}),
    schedule(offline={"after_s": "900", "mode": "idle", "power_w": 0}),
    schedule(reason="x" * 8192),
]


@pytest.mark.parametrize("payload", BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_read_changes_nothing(payload: bytes) -> None:
    follower = ScheduleFollower(SAFE)
    follower.accept(schedule(), START, 0)
    assert follower.accept(payload, START, 1) == "REJECTED"
    assert (follower.revision, follower.command(START + 6000, 1)) == (START, CHARGE)


def test_a_setpoint_that_is_too_big_changes_nothing() -> None:
    follower = SetpointFollower(SAFE)
    follower.accept(setpoint(), START, 0)
    assert follower.accept(setpoint(START + 1, reason="x" * 512), START, 1) == "REJECTED"
    assert follower.revision == START
