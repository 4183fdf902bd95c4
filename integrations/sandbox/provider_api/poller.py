"""Reads providers' tariffs with what they submitted at consent, without the customer."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from agent.clock import Clock, wait_for
from agent.energy.instants import format_instant, parse_instant
from integrations.sandbox.locations import Location, ProviderName, Tariff
from integrations.sandbox.login import basic_header
from integrations.sandbox.provider_api.polled import PolledSeries
from integrations.sandbox.state import SandboxState

INTERVAL = timedelta(days=1)
RETRY = timedelta(minutes=15)
# A tariff that could not be read for so long is an event.
FAILED_AFTER = timedelta(hours=48)
# As long as a session lives: whoever did not save it by then never will.
UNSAVED_FOR = timedelta(days=1)
MOST_WAIT = timedelta(days=7)
LONGEST_BACK_FILL = timedelta(days=30)
RENEW_BEFORE = timedelta(hours=2)
TIMEOUT_S = 20
# Longest sleep: whoever adds a grant wakes the poller anyway.
IDLE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class ConnectedProvider:
    """An energy provider that is integrated: where browsers go, and both sides' credentials.

    `username`, `password`: with which it calls FlatPeak. `client_id`, `client_secret`: with which
    FlatPeak renews tokens at it. `tariff_url`, `token_url` hold where `auth_data` has none.
    """

    name: ProviderName
    authentication_uri: str
    username: str
    password: str = field(repr=False)
    client_id: str = "flatpeak"
    client_secret: str = field(default="", repr=False)
    tariff_url: str = ""
    token_url: str = ""

    def is_own(self, url: str) -> bool:
        """Tokens are shown to the provider's own hosts only."""
        origins = {
            urlsplit(known)[:2]
            for known in (self.authentication_uri, self.tariff_url, self.token_url)
            if known
        }
        return urlsplit(url)[:2] in origins


@dataclass(slots=True)
class Grant:
    """One consent: what lets the tariff be read, and what was read.

    `since`: when it was last read, or given.
    """

    provider: ConnectedProvider
    auth_data: dict[str, Any] = field(repr=False)
    series: PolledSeries
    next_poll: datetime
    since: datetime
    read_at: datetime | None = None
    failing: bool = False
    revoked: bool = False
    location_id: str = ""
    kind: str = ""
    tariff_id: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class Poller:
    """`run` reads each grant when it is due; `poll` is for who cannot wait for that."""

    def __init__(self, state: SandboxState, clock: Clock, interval: timedelta = INTERVAL) -> None:
        self._state = state
        self._clock = clock
        self._interval = interval
        self._wake = asyncio.Event()
        self.grants: list[Grant] = []

    def add(
        self, provider: ConnectedProvider, auth_data: Mapping[str, Any], start: datetime | None
    ) -> Grant:
        now = self._clock.now()
        grant = Grant(provider, dict(auth_data), PolledSeries(start=start), now, now)
        self.grants.append(grant)
        self._wake.set()
        return grant

    async def run(self) -> None:
        while True:
            self._wake.clear()
            self.grants = [grant for grant in self.grants if self._is_wanted(grant)]
            for grant in list(self.grants):
                await self.poll(grant)
            due = [grant.next_poll for grant in self.grants if not grant.revoked]
            await wait_for(self._wake, self._clock, min(due, default=self._clock.now() + IDLE))

    async def poll(self, grant: Grant) -> None:
        """Read the tariff if that is due; what comes of it stands in the grant.

        Whoever asks while it is being read waits for that. Raises nothing of HTTP's.
        """
        async with grant.lock:
            now = self._clock.now()
            if grant.revoked or grant.next_poll > now:
                return
            grant.next_poll = now + RETRY
            if self._state.faults.consume("poll_fails"):
                self._failed(grant)
                return
            try:
                timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
                connector = aiohttp.TCPConnector(force_close=True)
                async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                    await self._read(session, grant)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                self._failed(grant)

    async def _read(self, session: aiohttp.ClientSession, grant: Grant) -> None:
        """Raises what aiohttp raises, and ValueError."""
        now = self._clock.now()
        expires = _instant(grant.auth_data.get("expires_at"))
        if expires is not None and expires - now < RENEW_BEFORE:
            await self._renew(session, grant)
        for last in (False, True):
            if grant.revoked:
                return
            url = _own_url(grant, "tariff_url")
            headers = {"Authorization": f"Bearer {grant.auth_data.get('access_token', '')}"}
            # Providers that do not know this answer from now on.
            missing = grant.series.missing_from(now - LONGEST_BACK_FILL, now)
            asked = {"start_time": format_instant(missing)} if missing else {}
            async with session.get(
                url, headers=headers, params=asked, allow_redirects=False
            ) as answer:
                if answer.status == 401 and not last:
                    await self._renew(session, grant)
                    continue
                if answer.status in (401, 403, 404):
                    self._revoked(grant)
                    return
                if answer.status == 429:
                    text = answer.headers.get("Retry-After", "")
                    seconds = int(text[:9]) if text.isascii() and text.isdigit() else 3600
                    # From when it was said: the answer may have been long on its way.
                    wait = min(timedelta(seconds=max(1, seconds)), MOST_WAIT)
                    grant.next_poll = self._clock.now() + wait
                    return
                if answer.status != 200:
                    raise ValueError("status")
                document = await answer.json(content_type=None)
            if not isinstance(document, dict):
                raise ValueError("no object")
            grant.series.take(document, now)
            self._succeeded(grant)
            return

    async def _renew(self, session: aiohttp.ClientSession, grant: Grant) -> None:
        """Raises what aiohttp raises, and ValueError; a refusal means that consent is withdrawn."""
        refresh_token = grant.auth_data.get("refresh_token")
        if not refresh_token:
            self._revoked(grant)
            return
        form = {"grant_type": "refresh_token", "refresh_token": str(refresh_token)}
        provider = grant.provider
        headers = {"Authorization": basic_header(provider.client_id, provider.client_secret)}
        url = _own_url(grant, "token_url")
        async with session.post(url, data=form, headers=headers, allow_redirects=False) as answer:
            if answer.status in (400, 401, 403):
                self._revoked(grant)
                return
            if answer.status != 200:
                raise ValueError("status")
            renewed = await answer.json(content_type=None)
        if not isinstance(renewed, dict) or "access_token" not in renewed:
            raise ValueError("no token")
        kept = ("access_token", "refresh_token", "expires_at")
        grant.auth_data.pop("expires_at", None)
        grant.auth_data |= {name: renewed[name] for name in kept if name in renewed}
        life = renewed.get("expires_in")
        if isinstance(life, int | float):
            expires = self._clock.now() + timedelta(seconds=life)
            grant.auth_data["expires_at"] = expires.isoformat()

    def _succeeded(self, grant: Grant) -> None:
        now = self._clock.now()
        grant.read_at = grant.since = now
        grant.failing = False
        grant.next_poll = now + self._interval
        grant.series.updates = (now, grant.next_poll)
        self.show(grant)

    def saved(self, grant: Grant, location_id: str, kind: str) -> None:
        """The session is saved: from now on the location has what is read."""
        tariff = self._state.locations[location_id].tariffs[kind]
        grant.location_id, grant.kind, grant.tariff_id = location_id, kind, tariff.id
        if grant.revoked:
            self._report(grant)
        else:
            self.show(grant)

    def _is_wanted(self, grant: Grant) -> bool:
        """Not after its tariff was disconnected or replaced, nor where nobody saved the session."""
        if grant.tariff_id:
            return self._place_and_tariff(grant) is not None
        return self._clock.now() - grant.since < UNSAVED_FOR

    def _place_and_tariff(self, grant: Grant) -> tuple[Location, Tariff] | None:
        place = self._state.locations.get(grant.location_id)
        tariff = place.tariffs.get(grant.kind) if place else None
        if place is None or tariff is None or tariff.id != grant.tariff_id:
            return None
        return place, tariff

    def show(self, grant: Grant) -> None:
        """Let the location have what was read."""
        found = self._place_and_tariff(grant)
        if found is None or grant.read_at is None:
            return
        place, tariff = found
        series = grant.series
        updated = replace(
            tariff,
            display_name=series.name or tariff.display_name,
            structure_type=series.structure,
            contract_start=series.start or tariff.contract_start,
            contract_end=series.end,
            status="CONNECTED",
            tiered=series.tiered,
        )
        self._state.connect(place.id, grant.kind, updated, series)
        self._state.raise_event("location.update", place.id, tariff.id)

    def _failed(self, grant: Grant) -> None:
        if not grant.failing and self._clock.now() - grant.since >= FAILED_AFTER:
            grant.failing = True
            self._report(grant)

    def _revoked(self, grant: Grant) -> None:
        grant.revoked = True
        self._report(grant)

    def _report(self, grant: Grant) -> None:
        """The location's status says so; prices known so far are still served."""
        found = self._place_and_tariff(grant)
        if found is None:
            return
        place, tariff = found
        series = place.series.get(grant.kind.rpartition("_")[2].upper())
        self._state.connect(place.id, grant.kind, replace(tariff, status="ERROR"), series)
        self._state.raise_event("tariff.fetch.failed", place.id, tariff.id)


def _own_url(grant: Grant, name: str) -> str:
    """Raises ValueError where the address is not the provider's own."""
    url = str(grant.auth_data.get(name) or getattr(grant.provider, name))
    if not grant.provider.is_own(url):
        raise ValueError(f"{name} is not the provider's")
    return url


def _instant(value: object) -> datetime | None:
    with suppress(ValueError, OverflowError):
        return parse_instant(value) if isinstance(value, str) else None
    return None
