"""Events of the contract from a source that says what the test wants: told once, never lost."""

from datetime import UTC, date, datetime, timedelta

from agent.clock import SteppedClock
from agent.errors import Malformed, Refused, Unavailable
from agent.health import Health
from agent.ports import TariffEvent
from agent.store import Store
from agent.tariff.contract_events import ContractEvents
from agent.tariff.rate_store import RateStore
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
DAY = timedelta(days=1)
TODAY = date(2026, 1, 16)


class Source:
    def __init__(self, *events: TariffEvent) -> None:
        self.events = list(events)
        self.error: Exception | None = None

    async def fetch_events(self) -> list[TariffEvent]:
        if self.error is not None:
            raise self.error
        return self.events


def event(number: int, at: datetime, kind: str = "tariff_expiring", text: str = "") -> TariffEvent:
    return TariffEvent(f"evt_{number}", at, kind, text or f"text {number}")


class Desk:
    """Polls a day later each time; a new one on the same store is a restart."""

    def __init__(self, clock: SteppedClock) -> None:
        self.rate_store = RateStore(Store.in_memory(), Health(clock))
        self.polls = 0

    async def poll(self, source: object) -> tuple[list[str], list[str]]:
        """The texts told by a fresh start on the same disk, and what stands afterwards."""
        told: list[str] = []
        events = ContractEvents(
            source, self.rate_store, lambda kind, text: told.append(f"{kind}: {text}")
        )
        now = NOW + self.polls * DAY
        if events.is_due(now, TODAY + self.polls * DAY):
            await events.poll(now, TODAY + self.polls * DAY)
        self.polls += 1
        return told, events.concerns(now)


def test_each_is_told_once_also_of_one_second_and_after_a_restart() -> None:
    async def story(clock: SteppedClock) -> None:
        desk = Desk(clock)
        source = Source(event(1, NOW), event(2, NOW + timedelta(milliseconds=300)))
        assert (await desk.poll(source))[0] == [
            "tariff_expiring: text 1",
            "tariff_expiring: text 2",
        ]
        source.events.append(event(3, NOW, "tariff_upgrade"))
        assert (await desk.poll(source))[0] == ["tariff_upgrade: text 3"]
        assert await desk.poll(source) == ([], ["text 2"])

    run_virtual(story, NOW)


def test_old_ones_are_no_news_and_a_time_to_come_silences_nothing() -> None:
    async def story(clock: SteppedClock) -> None:
        desk = Desk(clock)
        old, ahead = event(1, NOW - 15 * DAY), event(2, NOW + 4000 * DAY)
        assert await desk.poll(Source(old, ahead)) == ([], [])
        assert (await desk.poll(Source(event(3, NOW + DAY), ahead)))[0] == [
            "tariff_expiring: text 3"
        ]
        # One that is remembered from a time when the clock was wrong.
        desk.rate_store.set_record("events", {"newest": NOW + 4000 * DAY})
        assert (await desk.poll(Source(event(4, NOW + 2 * DAY))))[0] == ["tariff_expiring: text 4"]

    run_virtual(story, NOW)


def test_a_connection_ends_what_was_of_concern_and_time_does_too() -> None:
    async def story(clock: SteppedClock) -> None:
        desk = Desk(clock)
        source = Source(event(1, NOW), event(2, NOW, "tariff_fetch_failed", "a\r\n\ud83d"))
        assert (await desk.poll(source))[1] == ["text 1", "a ?"]
        source.events.append(event(3, NOW + DAY, "tariff_connected"))
        assert (await desk.poll(source))[1] == []
        source.events.append(event(4, NOW + 2 * DAY, "tariff_expired"))
        assert (await desk.poll(source))[1] == ["text 4"]
        desk.polls += 13
        assert (await desk.poll(source))[1] == []

    run_virtual(story, NOW)


def test_a_source_that_is_away_is_asked_again_in_an_hour_one_without_events_tomorrow() -> None:
    async def story(clock: SteppedClock) -> None:
        desk = Desk(clock)
        for error, again in [
            (Unavailable("away"), True),
            (Refused("what?", "not_found"), False),
            (Malformed("nonsense"), False),
        ]:
            source = Source(event(1, NOW))
            source.error = error
            events = ContractEvents(source, desk.rate_store, lambda kind, text: None)
            day = TODAY + desk.polls * DAY
            now = NOW + desk.polls * DAY
            assert events.is_due(now, day)
            await events.poll(now, day)
            assert not events.is_due(now + timedelta(minutes=59), day)
            assert events.is_due(now + timedelta(minutes=61), day) is again
            assert events.is_due(now + DAY, day + DAY)
            desk.polls += 2
        assert not ContractEvents(object(), desk.rate_store, print).is_due(NOW, TODAY)

    run_virtual(story, NOW)
