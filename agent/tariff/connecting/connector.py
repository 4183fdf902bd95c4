"""Connects the tariff: asks the source what came of a session, keeps it, says so to the rate cache.

A session is a few facts in the database, so it goes on after a restart wherever it was. Only who
holds the state folder works on it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.clock import Clock, wait_for
from agent.command_line import own_command_line
from agent.connect_ports import TariffConnectApi
from agent.energy.connection import (
    ConnectedLocation,
    ConnectSession,
    Failure,
    SessionState,
    TariffStatus,
    TariffSummary,
)
from agent.energy.rates import Direction
from agent.energy.sentences import joined, sentence
from agent.errors import AgentError, Malformed, Refused, Unavailable
from agent.health import THE_OWNER, Health
from agent.ports import TariffEvent
from agent.tariff.connecting import session as machine
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.connecting.contract_end import ended_soon
from agent.tariff.connecting.contract_reminder import ContractReminder

log = logging.getLogger(__name__)

PART = "tariff_contract"
MAX_SLEEP = timedelta(hours=1)
SUMMARY_EVERY = timedelta(hours=24)
SUMMARY_RETRY = timedelta(hours=1)
# A page that is opened again and again does not ask the source each time.
SUMMARY_FRESH = timedelta(minutes=1)
CONNECTED, DISCONNECTED = "tariff_connected", "tariff_disconnected"
EXPIRING = "tariff_expiring"
CONNECTED_TEXTS = {
    Direction.IMPORT: sentence("the import tariff was connected"),
    Direction.EXPORT: sentence("the export tariff was connected"),
}
DISCONNECTED_TEXTS = {
    Direction.IMPORT: sentence("the import tariff was disconnected"),
    Direction.EXPORT: sentence("the export tariff was disconnected"),
}


class TariffConnector:
    """`TariffConnection` of `agent.ports`, and the task that keeps asking.

    `on_location` hears that another location or direction is connected, also where it is the same
    with another tariff: prices are to be fetched at once. `on_event(kind, text)` tells the owner,
    `on_change` that something here is another.
    """

    def __init__(
        self,
        api: TariffConnectApi,
        store: ConnectionStore,
        clock: Clock,
        health: Health,
        *,
        configured_location: str = "",
        zone: Callable[[], ZoneInfo] = lambda: ZoneInfo("UTC"),
        on_location: Callable[[], None] = lambda: None,
        on_event: Callable[[str, str], None] = lambda kind, text: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.api = api
        self._store = store
        self._clock = clock
        self._health = health
        self._configured = configured_location
        self._zone = zone
        self._reminder = ContractReminder(store, zone)
        self._on_location = on_location
        self._on_event = on_event
        self._on_change = on_change
        self._summaries: Sequence[TariffSummary] = store.summaries()
        now, asked_at = clock.now(), store.summary_at
        self._summary_at = asked_at if asked_at is not None and asked_at <= now else None
        self._summary_due = now if self._summary_at is None else self._summary_at + SUMMARY_EVERY
        # A maker's backend does not take the token any more that it gave when it was paired.
        self._pairing_ended = False
        self._woken = asyncio.Event()
        # One call at a time: whoever presses a button twice finds what the first press made.
        self._lock = asyncio.Lock()
        if store.pairing_token:
            api.use_token(store.pairing_token)

    # --- what is ----------------------------------------------------------------------------------

    @property
    def sessions(self) -> Mapping[Direction, ConnectSession]:
        return self._store.sessions

    @property
    def location(self) -> ConnectedLocation:
        return self._store.location

    @property
    def summaries(self) -> Sequence[TariffSummary]:
        return self._summaries

    @property
    def paired(self) -> bool:
        return self._store.paired and not self._pairing_ended

    @property
    def conflict(self) -> str:
        connected = self.location.location_id
        if not self._configured or not connected or connected == self._configured:
            return ""
        return sentence(
            "tariff.location_id in the config is {configured} and is used, the tariff was "
            "connected for {connected}: take location_id out of the config to use that",
            configured=self._configured,
            connected=connected,
        )

    @property
    def _location_id(self) -> str:
        return self._configured or self.location.location_id

    # --- what a person asks for -------------------------------------------------------------------

    async def begin(
        self, direction: Direction, callback_url: str = "", *, anew: bool = False
    ) -> ConnectSession:
        """The session that is open, else a new one. Raises the errors of `agent.errors`."""
        async with self._lock:
            now = self._clock.now()
            held = self.sessions.get(direction)
            if held is not None:
                held = machine.timed_out(held, now)
                if held.is_live and held.url and not anew:
                    return held
            location_id = self._location_id
            try:
                started = await self.api.start(
                    direction, location_id=location_id, callback_url=callback_url
                )
            except Refused as error:
                self._note_refusal(error)
                raise
            self._pairing_ended = False
            log.info("a session to connect the %s tariff was begun", direction)
            session = machine.opened(direction, started, self._clock.now(), location_id)
            self._put(session)
            self._woken.set()
            return session

    def returned(self, token: str, failure: str = "") -> ConnectSession | None:
        """A browser came back with this token; None where it is of no session of ours."""
        session = machine.find([*self.sessions.values()], token)
        if session is None:
            return None
        now = self._clock.now()
        cause = machine.FAILURES.get(failure.upper())
        if cause is not None:
            session = machine.failed(session, cause, now)
        if cause is None or session.is_live:
            session = machine.returned(session, now)
        self._put(session)
        self._woken.set()
        return self.sessions[session.direction]

    def cancel(self, direction: Direction) -> None:
        if (session := self.sessions.get(direction)) is not None:
            self._put(machine.cancelled(session, self._clock.now()))

    async def disconnect(self, direction: Direction) -> str:
        """Take the direction's tariff away, here in any case; a sentence where not at the source.

        What the config says stays the owner's.
        """
        self.cancel(direction)
        left = ""
        async with self._lock:
            if self._location_id:
                try:
                    await self.api.disconnect(self._location_id, direction)
                except AgentError as error:
                    log.warning("the tariff could not be disconnected at the source: %s", error)
                    left = error.sentence
            self._forget(direction)
        return left

    async def pair(self, code: str) -> None:
        """Raises the errors of `agent.errors`."""
        async with self._lock:
            token = await self.api.pair(code)
            self._store.set_paired(token, self._clock.now())
            self.api.use_token(token)
        self._pairing_ended = False
        self._summary_due, self._summary_at = self._clock.now(), None
        self._woken.set()
        self._report()
        log.info("paired with the backend")
        self._on_location()
        self._on_change()

    async def refresh(self) -> None:
        """Ask for the summaries again, at most once a minute. Raises nothing."""
        now = self._clock.now()
        if self._summary_at is None or not now - SUMMARY_FRESH < self._summary_at <= now:
            await self._fetch_summary()

    # --- the task ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never ends."""
        self._report()
        while True:
            self._woken.clear()
            wake = await self.step()
            await wait_for(self._woken, self._clock, wake, at_most=MAX_SLEEP)

    async def step(self) -> datetime:
        """Ask what is due; when to come again."""
        now = self._clock.now()
        for direction in [*self.sessions]:
            await self._check(direction)
        if self._location_id and self._summary_due <= now:
            await self._fetch_summary()
        dues = [machine.next_check(session, now) for session in self.sessions.values()]
        if self._location_id:
            dues.append(self._summary_due)
        return min((due for due in dues if due is not None), default=now + MAX_SLEEP)

    async def _check(self, direction: Direction) -> None:
        """One question about a session, where it is due."""
        async with self._lock:
            session = self.sessions[direction]
            due = machine.next_check(session, self._clock.now())
            if due is None or due > self._clock.now():
                return
            found = await self._asked(session)
            # While the answer was under way the person may have cancelled, or come back.
            current = self.sessions[direction]
            if current.token != session.token or not current.is_live:
                return
            if current.returned_at != session.returned_at and found.is_live:
                return
            self._put(found)
            if found.state is SessionState.CONNECTED:
                self._connected(found)
            elif found.state is SessionState.DISCONNECTED:
                self._forget(direction)
            elif found.state is SessionState.FAILED:
                log.warning("the %s tariff was not connected: %s", direction, found.failure)

    async def _asked(self, session: ConnectSession) -> ConnectSession:
        """The session after one question."""
        try:
            by_token = session.expires_at > self._clock.now()
            result = await self.api.result(session.token) if by_token else None
            if result is not None:
                session = machine.finished(session, result, self._clock.now())
                if not session.is_live or result.processed is not None:
                    return session
            if session.state is SessionState.PROCESSING:
                status = await self._status(session)
                return machine.judged(session, status, self._clock.now())
        except (Unavailable, Malformed) as error:
            log.info("what came of connecting was not to be had: %s", error)
            retry_at = error.retry_at if isinstance(error, Unavailable) else None
            return machine.unreachable(session, self._clock.now(), retry_at)
        except Refused as error:
            self._note_refusal(error)
            now = self._clock.now()
            cause = machine.FAILURES.get(error.code.upper(), Failure.REFUSED)
            return machine.failed(session, cause, now, error.sentence)
        return machine.checked(session, self._clock.now())

    async def _status(self, session: ConnectSession) -> TariffStatus:
        summaries = await self.api.summary(session.location_id)
        statuses = (item.status for item in summaries if item.direction is session.direction)
        return next(statuses, TariffStatus.UNKNOWN)

    def _connected(self, session: ConnectSession) -> None:
        """Another home than before begins anew with this direction."""
        held = self.location
        directions = {session.direction}
        if held.location_id == session.location_id:
            directions |= {*held.directions}
        ordered = tuple(item for item in Direction if item in directions)
        self._store.set_location(ConnectedLocation(session.location_id, ordered))
        log.info("the %s tariff is connected", session.direction)
        self._on_event(CONNECTED, CONNECTED_TEXTS[session.direction])
        self._location_changed()

    def _forget(self, direction: Direction) -> None:
        held = self.location
        directions = tuple(item for item in held.directions if item is not direction)
        location_id = held.location_id if directions else ""
        self._store.set_location(ConnectedLocation(location_id, directions))
        kept = tuple(item for item in self._summaries if item.direction is not direction)
        self._summaries = kept
        self._store.set_summaries(kept, self._clock.now())
        log.info("the %s tariff is disconnected", direction)
        self._on_event(DISCONNECTED, DISCONNECTED_TEXTS[direction])
        self._location_changed()

    def _location_changed(self) -> None:
        self._summary_due, self._summary_at = self._clock.now(), None
        self._report()
        self._on_location()
        self._on_change()
        self._woken.set()

    def _put(self, session: ConnectSession) -> None:
        shown = self.sessions.get(session.direction)
        self._store.put(session)
        awaited = shown is not None and shown.checked_at is None and session.checked_at is not None
        if shown is None or shown.state is not session.state or awaited:
            self._on_change()

    # --- the contract -----------------------------------------------------------------------------

    async def _fetch_summary(self) -> None:
        now = self._clock.now()
        self._summary_due, self._summary_at = now + SUMMARY_RETRY, now
        if not self._location_id:
            return
        try:
            found = await self.api.summary(self._location_id)
        except (Unavailable, Malformed, Refused) as error:
            log.info("the tariff's summary was not to be had: %s", error)
            if isinstance(error, Refused):
                self._note_refusal(error)
            return
        self._pairing_ended = False
        self._summary_due = now + SUMMARY_EVERY
        self._store.set_summaries(found, now)
        if tuple(found) != tuple(self._summaries):
            self._summaries = tuple(found)
            self._on_change()
        self._remind(now)

    def _note_refusal(self, error: Refused) -> None:
        """Credentials that are refused are those of the pairing, where there is one."""
        if error.code != "forbidden" or not self.api.pairs or not self.paired:
            return
        log.warning("the backend does not accept this gateway any more: %s", error)
        self._pairing_ended = True
        self._report()
        self._on_change()

    def _remind(self, now: datetime) -> None:
        """Once for each end of a contract as an event, until then in health."""
        # In one: of two of a kind at the same moment only the first would be said.
        if texts := list(self._reminder.due(self._summaries, now)):
            self._on_event(EXPIRING, joined(texts))
        self._report()

    def is_known(self, event: TariffEvent) -> bool:
        """Does the owner hear of this from us, before the source's own word comes or after it?"""
        if event.kind == CONNECTED:
            return any(machine.led_to(item, event.at) for item in self.sessions.values())
        return event.kind == EXPIRING and self._reminder.was_told(event, self._summaries)

    def _report(self) -> None:
        now, zone = self._clock.now(), self._zone()
        texts = [ended_soon(summary, now, zone) for summary in self._summaries]
        unpaired = sentence(
            "the backend does not accept this gateway any more: get a new pairing code and enter "
            "it on the page Tariff or with {command}",
            command=own_command_line("connect --pair CODE"),
        )
        texts += [self.conflict, unpaired if self._pairing_ended else ""]
        texts = [text for text in texts if text]
        if texts:
            self._health.degraded(PART, joined(texts), THE_OWNER)
        elif self._location_id:
            self._health.ok(PART)
