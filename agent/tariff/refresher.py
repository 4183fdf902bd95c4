"""Fetches rates when they are due, one call at a time, and tells the feeds what came of it.

When to ask is decided in `refresh.py`, what an answer does to known prices in `normalise.py`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random

from agent.clock import Clock, wait_for
from agent.energy.instants import EARLIEST
from agent.energy.rates import Direction, Rate
from agent.errors import Malformed, Refused, Unavailable
from agent.health import Health
from agent.ports import FetchedRates, TariffSource
from agent.tariff import feed_record, refresh
from agent.tariff.answer import Answer, read_answer
from agent.tariff.contract_events import ContractEvents
from agent.tariff.estimates import HISTORY
from agent.tariff.feed import MAX_PLAUSIBLE_AHEAD, YEAR, BackfillState, Due, FailureState, Feed
from agent.tariff.identity import TariffIdentity
from agent.tariff.rate_store import RateStore

log = logging.getLogger(__name__)

# The wall clock may have been set: due times are looked at again at least this often.
MAX_SLEEP = timedelta(hours=1)
# An owner who presses the button gets a fresh answer, but not a second one within this time.
MANUAL_REFRESH_INTERVAL = timedelta(minutes=1)
# After so many failed calls for history the agent lives without.
HISTORY_TRIES = 3
# Old rates are deleted only where the source's clock and ours agree so far.
CLOCKS_AGREE = timedelta(days=1)


@dataclass(slots=True)
class Refresher:
    """The loop over the feeds. `on_change` is called whenever something of them may have changed.

    `contract_start` is how far back history is fetched once, at most a year.
    """

    source: TariffSource
    feeds: Mapping[Direction, Feed]
    identity: TariffIdentity
    events: ContractEvents
    store: RateStore
    clock: Clock
    health: Health
    random: Random
    contract_start: datetime | None
    on_server_time: Callable[[datetime], None]
    on_change: Callable[[], None]
    on_alive: Callable[[], None] = lambda: None
    _fetch_lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _rescheduled: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Never ends: refresh each feed when it is due, look again when prices run out."""
        while True:
            self._rescheduled.clear()
            self.on_alive()
            for feed in [*self.feeds.values()]:
                await self._attend(feed)
            self.on_change()
            await self._poll_events()
            wake, now = self.next_call, self.clock.now()
            for feed in self.feeds.values():
                if feed.horizon is not None and feed.horizon > now:
                    wake = min(wake, feed.horizon)
            await wait_for(self._rescheduled, self.clock, wake, at_most=MAX_SLEEP)

    @property
    def next_call(self) -> datetime:
        """When the source is asked next."""
        now = self.clock.now()
        calls = (feed.next_call(now) for feed in self.feeds.values())
        return min(calls, default=now + MAX_SLEEP)

    async def refresh_now(self) -> datetime | None:
        """Ask at the owner's request.

        None where every direction was asked; else the instant from which asking is allowed again
        (a minute after the last call, later where the source said so).
        """
        async with self._fetch_lock:
            now = self.clock.now()
            allowed = (_allowed_from(feed, now) for feed in self.feeds.values())
            not_before = max(allowed, default=now)
            if not_before > now:
                return not_before
            for feed in [*self.feeds.values()]:
                await self._refresh(feed)
        self.on_change()
        self._rescheduled.set()
        return None

    async def change(self, apply: Callable[[], None]) -> None:
        """Apply what changes source and feeds, while no call is under way."""
        async with self._fetch_lock:
            apply()
        self.on_change()
        self._rescheduled.set()

    async def ask_the_time(self) -> None:
        """One call, for the Date that its answer carries; none while the source said to wait."""
        async with self._fetch_lock:
            now = self.clock.now()
            for feed in [*self.feeds.values()]:
                if (feed.retry_after(now) or now) <= now:
                    await self._refresh(feed)
                    break
        self.on_change()
        self._rescheduled.set()

    async def _attend(self, feed: Feed) -> None:
        if feed.due > self.clock.now() + MAX_PLAUSIBLE_AHEAD:
            self._clock_was_set_back(feed)
        if feed.next_call(self.clock.now()) > self.clock.now():
            return
        async with self._fetch_lock:
            now = self.clock.now()
            if feed.history_is_next(now):
                await self._fetch_history(feed)
            elif feed.due <= now:
                await self._refresh(feed)
        self.on_change()

    async def _poll_events(self) -> None:
        """Once a local day, after its first refresh and after the prices were passed on."""
        now = self.clock.now()
        day = refresh.local_day(now, self.identity.zone)
        refreshed = any(
            feed.last_backfill_day == day and not feed.failure.count for feed in self.feeds.values()
        )
        if refreshed and self.events.is_due(now, day):
            async with self._fetch_lock:
                await self.events.poll(now, day)
            self.on_change()

    # One call and what follows from it.

    async def _refresh(self, feed: Feed) -> None:
        """An ordinary refresh: this hour and two days, once a local day from a week back."""
        now = self.clock.now()
        day = refresh.local_day(now, self.identity.zone)
        first_of_day = feed.last_backfill_day != day
        was_due = feed.was_due(now)
        if feed.due <= now and feed.due_as is Due.SCHEDULED:
            feed.retries = 0
        try:
            fetched, answer = await self._fetch(feed, refresh.window(now, first_of_day))
        except (Unavailable, Malformed, Refused) as error:
            feed.fail(error, self.clock.now(), self._jitter())
        else:
            brought_new = self._merge(feed, answer)
            feed.failure = FailureState()
            feed.fetched_at = self.clock.now()
            feed.next_update = fetched.next_update
            feed.warnings = answer.warnings
            if first_of_day:
                self._first_of_day(feed, day, fetched.server_time)
            self._plan(feed, was_due=was_due, brought_new=brought_new)
        feed.clamp_due(self.clock.now())
        feed_record.save(feed, self.store)

    async def _fetch_history(self, feed: Feed) -> None:
        """The next piece of the past. The future matters more, so a failure is no trouble."""
        window = feed.backfill.window
        if window is None:
            return
        try:
            _, answer = await self._fetch(feed, window)
        except (Unavailable, Malformed, Refused) as error:
            self._backfill_failed(feed, error)
        else:
            self._merge(feed, answer)
            feed.backfill.asked_from, feed.backfill.failures = window[0], 0
            feed.backfill.due = self.clock.now() + refresh.MIN_INTERVAL
        feed.backfill.is_next = False
        feed.clamp_due(self.clock.now())
        feed_record.save(feed, self.store)

    async def _fetch(self, feed: Feed, window: refresh.Window) -> tuple[FetchedRates, Answer]:
        """Ask for a window. Raises the errors of `agent.errors`."""
        feed.last_attempt_at = self.clock.now()
        # On disk before the call: a crash during it must not lead to a call at each restart.
        feed_record.save(feed, self.store)
        try:
            fetched = await self.source.fetch(feed.direction, *window)
            return fetched, self._validate(feed.direction, fetched, window)
        except Malformed:
            self.health.count("unreadable_answers")
            raise

    def _validate(
        self, direction: Direction, fetched: FetchedRates, window: refresh.Window
    ) -> Answer:
        """What is usable of an answer. Raises Malformed where its money is in doubt."""
        now = self.clock.now()
        if fetched.server_time is not None:
            self.on_server_time(fetched.server_time)
        # One contract, one place: of two directions that differ the import tariff is believed.
        leads = direction is Direction.IMPORT or Direction.IMPORT not in self.feeds
        old_currency = self.identity.learn_currency(fetched.currency, now, leads=leads)
        if old_currency:
            self._change_currency(old_currency)
        zone_warning = self.identity.learn_zone(fetched.timezone, now, leads=leads)
        answer = read_answer(fetched, window, now)
        if not answer.complete:
            self.health.count("answers_with_unusable_rates")
        if zone_warning:
            answer = replace(answer, warnings=(*answer.warnings, zone_warning))
        return answer

    def _merge(self, feed: Feed, answer: Answer) -> bool:
        """Lay the answer over what is known, here and on disk; whether it brought anything new.

        New is what was confirmed; another prediction only where nothing ahead is confirmed.
        """
        now = self.clock.now()
        before = feed.confirmed_until(now)
        changed = feed.merge(answer.rates, answer.withdrawal)
        changed = self.store.put(feed.direction, answer.rates, answer.withdrawal) or changed
        after = feed.confirmed_until(now)
        if after is None:
            return changed and bool(answer.rates)
        return before is None or after > before

    def _plan(self, feed: Feed, *, was_due: bool, brought_new: bool) -> None:
        """After an answer: retry where it should have brought more, else the next refresh."""
        now, zone = self.clock.now(), self.identity.zone
        until = feed.confirmed_until(now)
        late = not brought_new and refresh.is_late(
            now, feed.next_update, until, zone, was_due=was_due
        )
        feed.late = late and not feed.plan_retry(now, self._jitter())
        if not late or feed.late:
            feed.plan_next(now, zone, self._jitter())
        feed.backfill.due, feed.backfill.is_next = now + refresh.MIN_INTERVAL, True

    def _first_of_day(self, feed: Feed, day: date, server_time: datetime | None) -> None:
        now = self.clock.now()
        feed.last_backfill_day = day
        if feed.backfill.target is None:
            target = self.contract_start or now - refresh.DEFAULT_HISTORY
            asked_from = refresh.window(now, first_of_day=True)[0]
            # A gateway without a clock of its own starts in 1970.
            feed.backfill = BackfillState(
                max(asked_from, EARLIEST), max(target, now - YEAR, EARLIEST)
            )
        if server_time is not None and abs(server_time - now) < CLOCKS_AGREE:
            self.store.forget_before(now - YEAR)

    def _backfill_failed(self, feed: Feed, error: Unavailable | Malformed | Refused) -> None:
        now, backfill = self.clock.now(), feed.backfill
        backfill.failures += 1
        if isinstance(error, Refused) or backfill.failures >= HISTORY_TRIES:
            log.info("%s: older prices are not to be had: %s", feed.direction, error)
            backfill.give_up()
        retry_at = error.retry_at if isinstance(error, Unavailable) else None
        backfill.due = refresh.retry_unavailable(
            now, retry_at, backfill.failures, empty=False, jitter=self._jitter()
        )
        if retry_at is not None:
            feed.failure.retry_after = retry_at

    # What another currency and a clock that was set make of what is known.

    def _change_currency(self, old: str) -> None:
        """The old prices are set aside, not destroyed: they come back with their currency."""
        now = self.clock.now()
        self.store.change_currency(old, self.identity.currency)
        for feed in self.feeds.values():
            asked_at = feed.last_attempt_at
            feed.replace_known(self._recent(feed, now))
            feed.due = now if asked_at is None else max(now, asked_at + refresh.MIN_INTERVAL)
            feed.clamp_due(now)
            feed.last_backfill_day = None
            feed.backfill = BackfillState()

    def _clock_was_set_back(self, feed: Feed) -> None:
        """What was planned and remembered belongs to a time that is far ahead again."""
        log.info("%s: the clock was set back; rates are asked for anew", feed.direction)
        now = self.clock.now()
        feed.replace_known(self._recent(feed, now) or feed.known)
        feed.next_update = None
        feed.due, feed.due_as = now, Due.SCHEDULED
        feed.clamp_due(now)

    def _recent(self, feed: Feed, now: datetime) -> list[Rate]:
        return self.store.rates(feed.direction, now - HISTORY, now + HISTORY)

    def _jitter(self) -> float:
        return self.random.random()


def _allowed_from(feed: Feed, now: datetime) -> datetime:
    allowed = now
    if feed.last_attempt_at is not None and feed.last_attempt_at <= now:
        allowed = feed.last_attempt_at + MANUAL_REFRESH_INTERVAL
    return max(allowed, feed.retry_after(now) or allowed)
