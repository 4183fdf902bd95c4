"""The record of limits: each once, and a flood of them loses none and wears out no disk."""

from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.records.limit_log import LimitLog, read_limits
from agent.store import Store
from tests.fakes.virtual_loop import run_virtual

T = datetime(2026, 1, 16, 17, tzinfo=UTC)


def test_a_flood_of_limits_waits_and_loses_none() -> None:
    async def flood(clock: SteppedClock) -> int:
        store, health = Store.in_memory(), Health(clock)
        writer = DeviceStore(store, health, clock)
        limits = LimitLog(writer)
        limits.measure = lambda now: (4000, (now - T).total_seconds())
        for number in range(7200):
            limits.received(T + timedelta(seconds=number), 4200 + number % 7)
            await clock.sleep(1)
        writer.queue.flush(everything=True)
        records = read_limits(store)
        assert [item.limit_w for item in records] == [4200 + n % 7 for n in range(7200)]
        # What was known of each when the next one came.
        assert [item.measured_w for item in records[:-1]] == list(range(1, 7200))
        return 2 * 7200 - health.counts["writes_put_off"]

    # Two pages at a time, the log and the table: below 1 MB an hour whatever comes.
    assert run_virtual(flood, T) * 2 * 4096 < 2_000_000


async def test_what_holds_is_recorded_once_also_over_a_restart() -> None:
    clock = SteppedClock(T)
    store = Store.in_memory()
    writer = DeviceStore(store, Health(clock), clock)
    limits = LimitLog(writer)
    limits.in_force(T, None)
    for minute, limit_w in enumerate([4200, 4200, None, None]):
        limits.in_force(T + timedelta(minutes=minute), limit_w)
    again = LimitLog(writer)
    again.in_force(T + timedelta(minutes=9), None)
    assert [item.limit_w for item in read_limits(store)] == [4200, None]
