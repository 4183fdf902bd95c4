"""A tariff is connected while the agent runs: real client, rate cache, database; virtual time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from agent.clock import SteppedClock
from agent.energy.connection import ConnectedLocation, ConnectSession, Failure, SessionState
from agent.energy.rates import Direction
from agent.errors import Refused, Unavailable
from agent.health import Health, State
from agent.store import Store
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.connecting.connector import PART, TariffConnector
from agent.tariff.rate_cache import RateCache
from agent.tariff.records import Records
from integrations.sandbox.server import ACCOUNT_ID, API_KEY
from integrations.tariffs.flatpeak import BasicLogin, Bearer, FlatPeakTariff, NoAuth
from integrations.tariffs.flatpeak_client import Auth
from tests.fakes.connect_sandbox import PAIRING_CODE, ConnectSandbox
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 9, tzinfo=UTC)
IMPORT, EXPORT = Direction.IMPORT, Direction.EXPORT
MINUTE = 60.0


class Home:
    """`life` is one life of connector and rate cache on the same database."""

    def __init__(self, clock: SteppedClock, sandbox: ConnectSandbox, store: Store) -> None:
        self.clock, self.sandbox, self.store = clock, sandbox, store
        self.events: list[tuple[str, str]] = []
        self.health = Health(clock)

    @contextlib.asynccontextmanager
    async def life(
        self,
        location_id: str = "",
        version: str = "2024-08-24.zero",
        auth: Auth | None = None,
        *,
        pairing: bool = False,
    ) -> AsyncIterator[None]:
        source = FlatPeakTariff(
            location_id,
            auth or BasicLogin(ACCOUNT_ID, API_KEY),
            self.clock,
            directions=None,
            base_url=self.sandbox.url,
            version=version,
            connect_url=self.sandbox.connect_url,
            pairing=pairing,
        )
        kept = ConnectionStore(Records(self.store, self.health))
        source.use_connection(kept.location.location_id, kept.location.directions)
        self.changed = asyncio.Event()
        self.connector = TariffConnector(
            source.connect_api,
            kept,
            self.clock,
            self.health,
            configured_location=location_id,
            on_location=self.changed.set,
            on_event=lambda kind, text: self.events.append((kind, text)),
        )
        self.cache = RateCache(
            source,
            self.store,
            self.clock,
            self.health,
            on_event=lambda kind, text: self.events.append((kind, text)),
            is_known=self.connector.is_known,
            random=Random(1),
        )
        jobs = [
            asyncio.create_task(job)
            for job in (self.connector.run(), self.cache.run(), self._follow())
        ]
        try:
            yield
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await self.changed.wait()
            self.changed.clear()
            found = self.connector.location
            await self.cache.use_connection(found.location_id, found.directions)

    def session(self, direction: Direction = IMPORT) -> ConnectSession:
        return self.connector.sessions[direction]

    def has_prices(self, direction: Direction = IMPORT) -> bool:
        rates = self.cache.current.value.get(direction)
        return rates is not None and rates.at(self.clock.now()) is not None

    async def connect(self, direction: Direction = IMPORT) -> None:
        await self.connector.begin(direction)
        self.sandbox.finish(self.sandbox.last.token)
        await self.clock.sleep(10)
        assert self.session(direction).state is SessionState.CONNECTED


@contextlib.asynccontextmanager
async def home(
    clock: SteppedClock, store: Store | None = None, **sandbox: float
) -> AsyncIterator[Home]:
    async with ConnectSandbox(clock, **sandbox) as connect:
        assert isinstance(connect, ConnectSandbox)
        yield Home(clock, connect, store or Store.in_memory())


def test_nothing_is_connected_then_prices_come_at_once_without_a_restart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock, processing_s=90) as house, house.life():
            await clock.sleep(MINUTE)
            assert not house.has_prices()
            assert house.sandbox.count() == 0
            assert "no tariff is connected yet" in house.health.parts["tariff"].why
            await clock.sleep(3 * 3600)
            session = await house.connector.begin(IMPORT)
            assert session.url == f"{house.sandbox.connect_url}?fp_cot={session.token}"
            await clock.sleep(5 * MINUTE)
            house.sandbox.finish(session.token)
            await clock.sleep(30)
            assert house.session().state is SessionState.PROCESSING
            assert house.connector.location == ConnectedLocation()
            await clock.sleep(90)
            assert house.session().state is SessionState.CONNECTED
            assert house.has_prices()
            assert house.health.parts["tariff"].state is State.OK
            assert ("tariff_connected", "the import tariff was connected") in house.events
            assert house.sandbox.count("/tariffs/rates") == 1
            assert session.token not in caplog.text

    with caplog.at_level(logging.DEBUG):
        run_virtual(story, START)


def test_a_restart_at_any_point_loses_nothing(tmp_path: Path) -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock, processing_s=60) as house:

            async def restarted() -> None:
                house.store.close()
                house.store = Store.open(tmp_path / "agent.sqlite", clock.now())

            house.store = Store.open(tmp_path / "agent.sqlite", clock.now())
            async with house.life():
                session = await house.connector.begin(IMPORT)
            await restarted()
            async with house.life():
                assert (await house.connector.begin(IMPORT)).url == session.url
            house.sandbox.finish(session.token)
            await restarted()
            async with house.life():
                await clock.sleep(10)
                assert house.session().state is SessionState.PROCESSING
            await restarted()
            async with house.life():
                await clock.sleep(2 * MINUTE)
                assert house.has_prices()
            await restarted()
            calls = house.sandbox.count()
            async with house.life():
                assert house.has_prices()
                assert house.connector.location == ConnectedLocation(
                    house.sandbox.home_id, (IMPORT,)
                )
                await clock.sleep(MINUTE)
                # A start with a fresh cache makes no call.
                assert house.sandbox.count() == calls
            house.store.close()

    run_virtual(story, START)


def test_import_and_export_are_connected_apart() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            await house.connect()
            assert set(house.cache.current.value) == {IMPORT}
            await house.connector.begin(EXPORT)
            assert house.sandbox.last.direction == "EXPORT"
            assert house.sandbox.last.location_id == house.sandbox.home_id
            await clock.sleep(MINUTE)
            # The location is known to the source already: that alone is no result.
            assert house.session(EXPORT).state is SessionState.OPEN
            house.sandbox.finish(house.sandbox.last.token)
            await clock.sleep(MINUTE)
            assert house.has_prices(EXPORT)
            assert [*house.connector.location.directions] == [IMPORT, EXPORT]
            assert await house.connector.disconnect(IMPORT) == ""
            await clock.sleep(MINUTE)
            assert house.sandbox.connected == {"commodity_export"}
            assert [*house.connector.location.directions] == [EXPORT]
            assert set(house.cache.current.value) == {EXPORT}

    run_virtual(story, START)


@pytest.mark.parametrize(
    ("brought", "failure"),
    [
        ("DISMISS_LOGIN", Failure.LOGIN_DISMISSED),
        ("DISMISS_CONSENT", Failure.CONSENT_DISMISSED),
        ("error", Failure.PROVIDER_ERROR),
    ],
)
def test_what_the_browser_brings_back_ends_the_session(brought: str, failure: Failure) -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            session = await house.connector.begin(IMPORT)
            assert house.connector.returned("cot_foreign", brought) is None
            assert house.session().state is SessionState.OPEN
            for _ in range(2):
                assert house.connector.returned(session.token, brought) is not None
                assert house.session().failure is failure
            again = await house.connector.begin(IMPORT)
            assert again.token != session.token
            # A replay of the old one does nothing to the new one.
            house.connector.returned(session.token)
            assert house.session() == again

    run_virtual(story, START)


def test_an_expired_link_says_so_and_its_text_holds_no_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock, life_s=600) as house, house.life():
            session = await house.connector.begin(IMPORT)
            await clock.sleep(11 * MINUTE)
            assert house.session().failure is Failure.EXPIRED
            assert session.token not in house.session().reason
            assert session.token not in caplog.text
            assert not house.has_prices()

    with caplog.at_level(logging.DEBUG):
        run_virtual(story, START)


def test_cancelled_and_the_late_answer_does_not_count() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            session = await house.connector.begin(IMPORT)
            house.connector.cancel(IMPORT)
            house.sandbox.finish(session.token)
            await clock.sleep(MINUTE)
            assert house.session().state is SessionState.CANCELLED
            assert house.connector.location == ConnectedLocation()

    run_virtual(story, START)


def test_a_button_pressed_twice_begins_one_session() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            first, second = await asyncio.gather(
                house.connector.begin(IMPORT), house.connector.begin(IMPORT)
            )
            assert first.token == second.token
            assert len(house.sandbox.sessions.all()) == 1
            anew = await house.connector.begin(IMPORT, anew=True)
            assert anew.token != first.token

    run_virtual(story, START)


def test_a_source_that_is_down_is_said_and_what_was_open_waits_for_it() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            house.sandbox.down = True
            with pytest.raises(Unavailable):
                await house.connector.begin(IMPORT)
            assert IMPORT not in house.connector.sessions
            house.sandbox.down = False
            session = await house.connector.begin(IMPORT)
            house.sandbox.down = True
            await clock.sleep(30 * MINUTE)
            assert house.session().state is SessionState.OPEN
            house.sandbox.finish(session.token)
            house.sandbox.down = False
            await clock.sleep(16 * MINUTE)
            assert house.has_prices()

    run_virtual(story, START)


def test_disconnected_on_connects_own_page() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            await house.connect()
            session = await house.connector.begin(IMPORT)
            house.sandbox.finish(session.token, "DISCONNECT")
            await clock.sleep(10)
            assert house.session().state is SessionState.DISCONNECTED
            assert house.connector.location == ConnectedLocation()
            assert not house.has_prices()

    run_virtual(story, START)


def test_where_the_source_keeps_the_tariff_it_is_ended_here_and_said() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            await house.connect()
            house.sandbox.keeps_tariffs = True
            assert "405" in await house.connector.disconnect(IMPORT)
            await clock.sleep(1)
            assert house.connector.location == ConnectedLocation()
            assert not house.has_prices()

    run_virtual(story, START)


def test_the_config_wins_and_says_so() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            async with house.life():
                await house.connect()
            async with house.life("loc_of_the_owner"):
                assert "loc_of_the_owner and is used" in house.connector.conflict
                await clock.sleep(MINUTE)
                assert "loc_of_the_owner" in house.health.parts[PART].why
                assert not house.has_prices()
                assert house.sandbox.count("/tariffs/rates/loc_of_the_owner") == 1
            async with house.life(house.sandbox.home_id):
                await clock.sleep(MINUTE)
                assert house.connector.conflict == ""
                assert house.has_prices()

    run_virtual(story, START)


def test_the_summary_and_the_reminder_before_the_contract_ends() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            house.sandbox.contract_end = START + timedelta(days=20)
            async with house.life():
                await house.connect()
                summary = next(s for s in house.connector.summaries if s.direction is IMPORT)
                assert summary.provider == "Demo <b>Energy</b>"
                assert summary.structure == "market"
                assert summary.contract_end == house.sandbox.contract_end
                assert summary.contract_start is not None
                await clock.sleep(4 * 86_400)
                assert house.health.parts[PART].state is State.OK
                await clock.sleep(3 * 86_400)
                assert "ends on 2026-02-04" in house.health.parts[PART].why
                await clock.sleep(3 * 86_400)
            house.health = Health(clock)
            async with house.life():
                await clock.sleep(MINUTE)
                assert house.health.parts[PART].state is State.DEGRADED
                # FlatPeak says so, too, eight days ahead.
                assert [kind for kind, _ in house.events] == ["tariff_connected", "tariff_expiring"]
                house.sandbox.renew(START + timedelta(days=400))
                await clock.sleep(2 * 86_400)
                assert house.health.parts[PART].state is State.OK

    run_virtual(story, START)


def test_contracts_that_end_together_are_told_together() -> None:
    """Of two events of a kind at the same moment the house would hear the first alone."""

    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            house.sandbox.contract_end = START + timedelta(days=20)
            async with house.life():
                await house.connect()
                await house.connect(EXPORT)
                await clock.sleep(7 * 86_400)
                told = [text for kind, text in house.events if kind == "tariff_expiring"]
                assert len(told) == 1
                assert "import tariff" in told[0]
                assert "export tariff" in told[0]

    run_virtual(story, START)


def test_one_reminder_for_each_end_whoever_says_so_first() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            house.sandbox.contract_end = START + timedelta(days=20)
            async with house.life():
                await house.connect()
            # Switched off over the day on which our own reminder would have come.
            await clock.sleep(13 * 86_400)
            async with house.life():
                await clock.sleep(2 * 86_400)
                assert [kind for kind, _ in house.events].count("tariff_expiring") == 1
            # The summary cannot be had, only the events.
            house.sandbox.renew(START + timedelta(days=40))
            house.sandbox.keeps_status = True
            await clock.sleep(18 * 86_400)
            async with house.life():
                await clock.sleep(86_400)
                assert [kind for kind, _ in house.events].count("tariff_expiring") == 2
                house.sandbox.keeps_status = False
                await clock.sleep(2 * 86_400)
                assert "ends on 2026-02-24" in house.health.parts[PART].why
                assert [kind for kind, _ in house.events].count("tariff_expiring") == 2

    run_virtual(story, START)


def test_a_makers_backend_by_pairing_code() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            async with house.life(auth=Bearer(), pairing=True):
                with pytest.raises(Refused, match="not accepted"):
                    await house.connector.pair("wrong")
                assert not house.connector.paired
                await house.connector.pair(PAIRING_CODE)
                await house.connect()
                assert house.has_prices()
            async with house.life(auth=Bearer(), pairing=True):
                assert house.connector.paired
                await house.cache.refresh_now()
                assert house.has_prices()

    run_virtual(story, START)


def test_a_backend_that_ends_the_pairing_is_paired_again() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life(auth=Bearer(), pairing=True):
            await house.connector.pair(PAIRING_CODE)
            await house.connect()
            house.sandbox.forgets_gateway = True
            await clock.sleep(2 * MINUTE)
            await house.connector.refresh()
            assert not house.connector.paired
            assert "connect --pair" in house.health.parts[PART].why
            house.sandbox.forgets_gateway = False
            await house.connector.pair(PAIRING_CODE)
            assert house.connector.paired
            assert house.health.parts[PART].state is State.OK

    run_virtual(story, START)


def test_a_source_that_asks_to_wait_is_not_asked_sooner() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            session = await house.connector.begin(IMPORT)
            house.sandbox.busy_for_s = 1800
            await clock.sleep(10)
            # Nor by a browser that comes back.
            house.connector.returned(session.token)
            await clock.sleep(1780)
            assert len(house.sandbox.calls_while_busy) == 1
            house.sandbox.busy_for_s = 0
            house.sandbox.finish(session.token)
            await clock.sleep(60)
            assert house.session().state is SessionState.CONNECTED

    run_virtual(story, START)


def test_a_direction_that_is_disconnected_takes_its_prices_along() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            async with house.life():
                await house.connect()
                await house.connect(EXPORT)
                assert house.has_prices(IMPORT)
                assert house.has_prices(EXPORT)
                await house.connector.disconnect(IMPORT)
                said = ("tariff_disconnected", "the import tariff was disconnected")
                assert house.events[-1] == said
                await clock.sleep(1)
                assert IMPORT not in house.cache.current.value
                assert house.has_prices(EXPORT)
            # Nor do they come back from the disk with a contract that has given none yet.
            kept = house.store.rows("SELECT DISTINCT direction FROM rates", (), lambda row: row[0])
            assert [*kept] == ["export"]

    run_virtual(story, START)


def test_what_a_person_saved_after_it_was_given_up_here_counts() -> None:
    """Disconnected here while Connect's page was open; then the person saved there."""

    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life():
            await house.connect()
            await house.connect(EXPORT)
            session = await house.connector.begin(IMPORT)
            await house.connector.disconnect(IMPORT)
            await clock.sleep(MINUTE)
            assert IMPORT not in house.connector.location.directions
            house.sandbox.finish(session.token)
            house.connector.returned(session.token)
            await clock.sleep(10)
            assert house.connector.location.directions == (IMPORT, EXPORT)
            assert house.has_prices(IMPORT)

    run_virtual(story, START)


def test_a_backend_that_needs_no_token_is_paired_too() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house:
            house.sandbox.gateway_token = ""
            async with house.life(auth=NoAuth(), pairing=True):
                assert not house.connector.paired
                await house.connector.pair(PAIRING_CODE)
            async with house.life(auth=NoAuth(), pairing=True):
                assert house.connector.paired

    run_virtual(story, START)


@pytest.mark.parametrize("version", ["2025-09-14.anode", "2026-03-01.busbar"])
def test_the_later_releases_tell_no_next_update_and_the_evening_carries_them(version: str) -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life(house.sandbox.place.id, version):
            await clock.sleep(MINUTE)
            assert house.has_prices()
            rates = house.cache.current.value[IMPORT]
            assert rates.next_update is None
            assert rates.currency == "EUR"
            assert house.sandbox.count("/tariffs/rates") == 0
            # 23:00 in Berlin is 22:00 in UTC; jitter comes after it.
            due = house.cache.next_call
            history = [call.at for call in house.sandbox.calls if "/prices" in call.path]
            await clock.sleep_until(START.replace(hour=21, minute=59))
            before = sum("/prices" in call.path for call in house.sandbox.calls)
            await clock.sleep_until(START.replace(hour=22, minute=30))
            assert sum("/prices" in call.path for call in house.sandbox.calls) > before
            assert due >= history[0]
            known = house.cache.current.value[IMPORT].rates[-1].end
            assert known > START.replace(hour=23)

    run_virtual(story, START)


def test_anode_connects_by_its_own_paths() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life(version="2025-09-14.anode"):
            await house.connect()
            assert house.has_prices()
            assert house.sandbox.count("/connect/token") >= 1

    run_virtual(story, START)


def test_busbar_asks_for_a_location_first() -> None:
    async def story(clock: SteppedClock) -> None:
        async with home(clock) as house, house.life(version="busbar"):
            with pytest.raises(Refused, match="location has to exist"):
                await house.connector.begin(IMPORT)

    run_virtual(story, START)
