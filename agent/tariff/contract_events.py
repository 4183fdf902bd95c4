"""What the source says of the contract: asked once a local day, each event told once.

What was told is remembered on disk by the newest event's time and the ids of that time, so a
restart tells nothing twice.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from agent.energy.text import clean_text
from agent.errors import Malformed, Refused, Unavailable
from agent.ports import TariffEvent, TariffEventSource
from agent.tariff.rate_store import EVENTS, RateStore

log = logging.getLogger(__name__)

# What is older when it is seen first is no news, and what was told so long ago no concern any more.
CURRENT_FOR = timedelta(days=14)
# A time further ahead is wrong; taken as the newest it would silence every later event.
MAX_AHEAD = timedelta(days=1)
RETRY_AFTER = timedelta(hours=1)
# What health says until it is over; a connection ends all of them, an end replaces its warning.
CONCERNS = ("tariff_expiring", "tariff_expired", "tariff_fetch_failed")
CONNECTED, EXPIRED, EXPIRING = "tariff_connected", "tariff_expired", "tariff_expiring"

OnEvent = Callable[[str, str], None]
IsKnown = Callable[[TariffEvent], bool]


class ContractEvents:
    """`on_event(kind, text)` is called for each new event; `concerns` are what still stands.

    `is_known(event)`: the owner has heard of it from elsewhere.
    """

    def __init__(
        self,
        source: object,
        store: RateStore,
        on_event: OnEvent,
        is_known: IsKnown = lambda event: False,
    ) -> None:
        self._source = source if isinstance(source, TariffEventSource) else None
        self._store = store
        self._on_event = on_event
        self._is_known = is_known
        kept = store.get_record(EVENTS)
        self._day = kept.day("day")
        self._tried_at = kept.instant("tried_at")
        self._newest = kept.instant("newest")
        self._newest_ids = set(kept.lines("ids"))
        self._standing: dict[str, tuple[datetime, str]] = {}
        for kind in CONCERNS:
            at, text = kept.instant(f"{kind}_at"), kept.text(kind)
            if at is not None and text:
                self._standing[kind] = at, text

    def concerns(self, now: datetime) -> list[str]:
        return [
            text
            for at, text in self._standing.values()
            if now - CURRENT_FOR < at <= now + MAX_AHEAD
        ]

    def forget(self) -> None:
        """Another contract's events from now on."""
        self._day = self._tried_at = self._newest = None
        self._newest_ids.clear()
        self._standing.clear()

    def is_due(self, now: datetime, day: date) -> bool:
        if self._source is None or self._day == day:
            return False
        tried_at = self._tried_at
        return tried_at is None or not tried_at <= now < tried_at + RETRY_AFTER

    async def poll(self, now: datetime, day: date) -> None:
        """Ask once; a source that has no events or cannot be reached costs nothing else."""
        if self._source is None:
            return
        # On disk before the call, for whoever restarts in a row.
        self._tried_at = now
        self._save()
        try:
            events = await self._source.fetch_events()
        except Unavailable as error:
            log.info("events of the tariff were not to be had: %s", error)
            return
        except (Malformed, Refused) as error:
            log.info("the tariff's source tells no events: %s", error)
            events = ()
        self._day = day
        if self._newest is not None and self._newest > now + MAX_AHEAD:
            self._newest = None
        # On whole seconds, as they are remembered.
        believed = [
            replace(event, at=event.at.replace(microsecond=0), text=clean_text(event.text))
            for event in events
            if event.at <= now + MAX_AHEAD
        ]
        ordered = sorted(believed, key=lambda event: (event.at, event.id))
        new = [event for event in ordered if self._is_new(event)]
        for event in new:
            self._remember(event)
        # Before it is told: once is enough, also where the power fails in between.
        self._save()
        for event in new:
            if event.at > now - CURRENT_FOR and not self._is_known(event):
                log.info("tariff: %s", event.text)
                self._on_event(event.kind, event.text)

    def _is_new(self, event: TariffEvent) -> bool:
        if self._newest is None or event.at > self._newest:
            return True
        return event.at == self._newest and event.id not in self._newest_ids

    def _remember(self, event: TariffEvent) -> None:
        if event.at != self._newest:
            self._newest, self._newest_ids = event.at, set()
        self._newest_ids.add(event.id)
        if event.kind == CONNECTED:
            self._standing.clear()
        if event.kind == EXPIRED:
            self._standing.pop(EXPIRING, None)
        if event.kind in CONCERNS:
            self._standing[event.kind] = event.at, event.text

    def _save(self) -> None:
        values: dict[str, object] = {
            "day": self._day,
            "tried_at": self._tried_at,
            "newest": self._newest,
            "ids": sorted(self._newest_ids),
        }
        for kind, (at, text) in self._standing.items():
            values |= {f"{kind}_at": at, kind: text}
        self._store.set_record(EVENTS, values)
