"""The compact form where a plan was long in coming."""

import json

from agent.contracts.schedule import compact_document
from agent.contracts.text import wire_json
from agent.energy.schedule import (
    DefaultCommand,
    DeviceType,
    Goal,
    OfflineRule,
    Schedule,
    ScheduleSlot,
)
from agent.energy.situation import ZERO
from integrations.firmware.follower import Follower

NOW = 1_768_521_600


def schedule(slot_start: int) -> Schedule:
    slot = ScheduleSlot(slot_start, NOW + 1600, "charge", 11000, ZERO, None, "cheapest", 3)
    return Schedule(
        device="ev",
        device_type=DeviceType.EVSE,
        revision=NOW,
        issued_at=NOW,
        valid_from=NOW - 300,
        valid_until=NOW + 86_400,
        currency="EUR",
        slots=(slot,),
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(900, "charge", 4140),
        goal=Goal(),
        status="optimal",
    )


def test_a_slot_that_began_before_the_schedule_is_followed_by_firmware() -> None:
    text = wire_json(compact_document(schedule(NOW - 498)))
    assert json.loads(text)["p"] == [[0, 11000], [1900, 0]]
    follower = Follower()
    assert follower.take(text.encode(), NOW, 0) == "ACCEPTED"
    assert follower.value(NOW, 0) == 11000
    assert follower.value(NOW + 1600, 0) == 0
