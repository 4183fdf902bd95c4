"""What has happened is told once; a flood of it is counted."""

import json
from datetime import UTC, datetime

from agent.clock import SteppedClock
from agent.health import Health
from agent.ports import OutgoingMessage
from agent.report.event_queue import EventQueue
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, tzinfo=UTC)


def test_one_of_a_kind_a_minute_but_each_tariff_has_its_own() -> None:
    said: list[OutgoingMessage] = []

    async def live(clock: SteppedClock) -> None:
        events = EventQueue(clock, Health(clock), "event", said.append)
        for _ in range(30):
            events.event("tariff_expiring", None, "the import contract ends on 2026-02-01")
            events.event("tariff_expiring", None, "the export contract ends on 2026-02-01")
            events.event("device_refuses", "ev", "no")
            events.event("device_refuses", "battery", "no")
            await clock.sleep(3)

    run_virtual(live, START)
    texts = [(body["device"], body["text"]) for body in map(json.loads, (m.payload for m in said))]
    assert len(texts) == 8
    assert texts[:4] == texts[4:]
    assert len(set(texts)) == 4
