"""The rate cache: keeps the home's rates, fetches them when it is time, bridges what is missing.

A price is good until its interval ends, however old the fetch. Whatever the source answers, the
rates that are known stay known; only newer prices for the same time replace them. All decisions
about time are in `refresh.py`; this file carries them out, one call at a time.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from agent.clock import Clock
from agent.energy.rates import Direction, Rate, Rates, merged
from agent.errors import Malformed, Refused, Unavailable
from agent.health import Health, State
from agent.latest import LatestValue
from agent.ports import FetchedRates, TariffSource
from agent.store import Store
from agent.tariff import refresh
from agent.tariff.estimates import HISTORY, PriceProfile, build_profile, estimates
from agent.tariff.feed import MAX_PLAUSIBLE_AHEAD, OK, REFUSED, UNAVAILABLE, Feed
from agent.tariff.health import assess
from agent.tariff.identity import TariffIdentity
from agent.tariff.normalise import clip, normalise, overlay
from agent.tariff.rate_store import RateStore

log = logging.getLogger(__name__)

PART = "tariff"
OWNER = "the owner"
YEAR = timedelta(days=366)
# The wall clock may have been set: due times are looked at again at least this often.
MAX_SLEEP = timedelta(hours=1)
# An owner who presses the button gets a fresh answer, but not a second one within this time.
MANUAL_REFRESH_INTERVAL = timedelta(minutes=1)
LONGEST_PLAN = timedelta(days=31)
# After so many failed calls for history the agent lives without.
HISTORY_TRIES = 3
# Old rates are deleted only where the source's clock and ours agree so far.
CLOCKS_AGREE = timedelta(days=1)


class RateCache:
    """Keeps `current`: the known rates of each direction, set whenever they change.

    `timezone` and `currency` hold until the source has said its own; `contract_start` is how far
    back history is fetched once (at most a year, 30 days where it is not known). `on_server_time`
    is told the time in each answer. `random` spreads calls in time.
    """

    def __init__(
        self,
        source: TariffSource,
        store: Store,
        clock: Clock,
        health: Health,
        *,
        timezone: str = "UTC",
        currency: str = "",
        contract_start: datetime | None = None,
        on_server_time: Callable[[datetime], None] | None = None,
        random: Random | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._health = health
        self._contract_start = contract_start
        self._on_server_time = on_server_time
        self._random = random or Random()
        self._fetch_lock = asyncio.Lock()
        self._rescheduled = asyncio.Event()
        self._profiles: dict[Direction, tuple[object, PriceProfile]] = {}
        self._logged_problem = ""
        now = clock.now()
        self._rate_store = RateStore(store, health)
        self._identity = TariffIdentity(self._rate_store, source.identity, timezone, currency)
        self._feeds = {direction: Feed(direction, now) for direction in source.directions}
        for feed in self._feeds.values():
            # Where there is nothing around now, the clock may be wrong; the rates are not.
            rate_table = self._rate_store.rate_table
            feed.known = self._recent(feed, now) or rate_table.newest(feed.direction, HISTORY)
            self._rate_store.load(feed)
            feed.resume(now, self._identity.zone, self._jitter())
        self.current: LatestValue[Mapping[Direction, Rates]] = LatestValue(self._rates(now))
        self._update_health()

    @property
    def next_call(self) -> datetime:
        """When the source is asked next."""
        return min(
            (feed.due for feed in self._feeds.values()), default=self._clock.now() + MAX_SLEEP
        )

    async def run(self) -> None:
        """Never ends: refresh each direction when it is due, mark what has become stale."""
        while True:
            self._rescheduled.clear()
            now = self._clock.now()
            for feed in self._feeds.values():
                if feed.due > now + MAX_PLAUSIBLE_AHEAD:
                    self._clock_was_set_back(feed, now)
                if feed.due <= self._clock.now():
                    async with self._fetch_lock:
                        if feed.due <= self._clock.now():
                            await self._refresh(feed)
                            self._publish()
            self._publish()
            await self._sleep()

    async def refresh_now(self) -> datetime | None:
        """Ask at the owner's request.

        None where every direction was asked; else the instant from which asking is allowed again
        (a minute after the last call, later where the source said so).
        """
        async with self._fetch_lock:
            now = self._clock.now()
            allowed = (self._allowed_from(feed, now) for feed in self._feeds.values())
            not_before = max(allowed, default=now)
            if not_before > now:
                return not_before
            for feed in self._feeds.values():
                await self._refresh(feed, by_owner=True)
        self._publish()
        self._rescheduled.set()
        return None

    def planning_rates(self, direction: Direction, now: datetime, until: datetime) -> list[Rate]:
        """Known rates, and estimates in every hole, from `now` to `until` or 48 hours on.

        Estimates have a confidence below 1 and end after a month, however far `until` is. Empty
        where nothing was ever known.
        """
        feed = self._feeds.get(direction)
        if feed is None:
            return []
        start = now.astimezone(UTC).replace(microsecond=0)
        end = min(max(until, start + refresh.AHEAD), start + LONGEST_PLAN)
        known = [rate for held in feed.known if (rate := clip(held, start, end)) is not None]
        profile = self._profile(feed, start)
        whole = [*known, *estimates(profile, known, start, end)]
        return list(merged(sorted(whole, key=lambda rate: rate.start)))

    def history(self, direction: Direction, start: datetime, end: datetime) -> list[Rate]:
        """The kept rates that reach into `[start, end)`; a year of them is kept."""
        return self._rate_store.rate_table.rates(direction, start, end)

    # One call and what follows from it.

    async def _refresh(self, feed: Feed, *, by_owner: bool = False) -> None:
        now = self._clock.now()
        history = None if by_owner else self._backfill_window(feed, now)
        first_of_day = feed.last_backfill_day != refresh.local_day(now, self._identity.zone)
        asked = history or refresh.window(now, first_of_day)
        feed.last_attempt_at = now
        # On disk before the call: a crash during it must not lead to a call at each restart.
        self._rate_store.save(feed)
        try:
            fetched = await self._source.fetch(feed.direction, *asked)
            found = self._validate(fetched, asked)
        except (Unavailable, Malformed, Refused) as error:
            if history is None or getattr(error, "code", "") in refresh.REFUSED_WAITS:
                self._failed(feed, error)
            else:
                self._backfill_failed(feed, error)
        else:
            new = self._merge(feed, found, self._clock.now())
            feed.outcome, feed.failures, feed.retry_after = OK, 0, None
            feed.set_problem(State.OK, "")
            feed.fetched_at = self._clock.now()
            if history is not None:
                feed.history_from = asked[0]
                self._plan_next(feed)
            else:
                self._after_refresh(feed, fetched, asked, new)
                if first_of_day:
                    feed.last_backfill_day = refresh.local_day(now, self._identity.zone)
                    self._forget_old(fetched)
        feed.clamp_due(self._clock.now())
        self._rate_store.save(feed)

    def _validate(self, fetched: FetchedRates, asked: refresh.Window) -> tuple[Rate, ...]:
        """The usable rates of an answer. Raises Malformed where they may be in no known money."""
        if fetched.server_time is not None and self._on_server_time is not None:
            self._on_server_time(fetched.server_time)
        if self._identity.learn_currency(fetched.currency, self._clock.now()):
            self._forget_everything()
        self._identity.learn_zone(fetched.timezone)
        found = normalise(fetched.rates, *asked)
        if fetched.dropped or found.dropped:
            self._health.count("answers_with_unusable_rates")
        return found.rates

    def _after_refresh(
        self, feed: Feed, fetched: FetchedRates, asked: refresh.Window, new: bool
    ) -> None:
        """After an answer that was not about history: retry where it should have brought more."""
        now, zone = self._clock.now(), self._identity.zone
        overdue = not refresh.is_ahead(now, feed.next_update)
        feed.next_update = fetched.next_update
        if feed.history_target is None:
            target = self._contract_start or now - refresh.DEFAULT_HISTORY
            feed.history_target = max(target, now - YEAR)
            feed.history_from = asked[0]
        retry = None
        feed.late = False
        if overdue and not new and refresh.lacks_tomorrow(feed.confirmed_until, now, zone):
            retry = refresh.retry_nothing_new(now, feed.next_update, feed.retries, self._jitter())
            feed.late = retry is None
        if retry is None:
            feed.retries = 0
            self._plan_next(feed)
        else:
            feed.retries += 1
            feed.due = retry

    def _plan_next(self, feed: Feed) -> None:
        now = self._clock.now()
        feed.due = refresh.next_refresh(now, feed.next_update, self._identity.zone, self._jitter())
        if self._backfill_window(feed, now) is not None:
            feed.due = min(feed.due, now + refresh.MIN_INTERVAL)

    def _failed(self, feed: Feed, error: Unavailable | Malformed | Refused) -> None:
        now = self._clock.now()
        feed.failures += 1
        if isinstance(error, Refused):
            feed.outcome, feed.retry_after = REFUSED, None
            feed.due = refresh.retry_refused(now, error.code, self._jitter())
            feed.set_problem(State.FAILED, str(error), OWNER)
            return
        feed.outcome = UNAVAILABLE
        feed.retry_after = error.retry_at if isinstance(error, Unavailable) else None
        feed.due = refresh.retry_unavailable(
            now, feed.retry_after, feed.failures, feed.empty, self._jitter()
        )
        feed.set_problem(State.DEGRADED, str(error))

    def _backfill_failed(self, feed: Feed, error: Unavailable | Malformed | Refused) -> None:
        """A call for the past failed; the future matters more, so it is no trouble."""
        feed.history_failures += 1
        if isinstance(error, Refused) or feed.history_failures >= HISTORY_TRIES:
            log.info("%s: older prices are not to be had: %s", feed.direction, error)
            feed.history_from = feed.history_target
        feed.retry_after = error.retry_at if isinstance(error, Unavailable) else None
        self._plan_next(feed)

    def _backfill_window(self, feed: Feed, now: datetime) -> refresh.Window | None:
        """The next piece of history, unless an ordinary refresh is due or failing."""
        if (
            feed.history_from is None
            or feed.history_target is None
            or feed.failures
            or feed.retries
        ):
            return None
        if feed.next_update is not None and feed.next_update <= now:
            return None
        return refresh.backfill_window(feed.history_from, feed.history_target)

    def _merge(self, feed: Feed, fetched: tuple[Rate, ...], now: datetime) -> bool:
        """Lay the news over what is known, here and on disk; whether they brought anything new.

        New is what was confirmed; another prediction only where nothing ahead is confirmed.
        """
        before = feed.confirmed_until
        known = overlay(feed.known, fetched)
        changed = known != feed.known
        if changed:
            # By the newest rate, not by the clock, which may be wrong.
            oldest = known[-1].end - HISTORY
            feed.known = [rate for rate in known if rate.end > oldest]
            feed.changes += 1
        changed = self._rate_store.put(feed.direction, fetched) or changed
        after = feed.confirmed_until
        return after != before or (changed and (after is None or after <= now))

    # What is forgotten, and what a clock that was set makes of it.

    def _forget_everything(self) -> None:
        now = self._clock.now()
        self._rate_store.forget_everything()
        for feed in self._feeds.values():
            feed.due = now
            feed.clamp_due(now)
            feed.known = []
            feed.changes += 1
            feed.history_from = feed.history_target = feed.last_backfill_day = None

    def _forget_old(self, fetched: FetchedRates) -> None:
        now = self._clock.now()
        if fetched.server_time is not None and abs(fetched.server_time - now) < CLOCKS_AGREE:
            self._rate_store.forget_before(now - YEAR)

    def _clock_was_set_back(self, feed: Feed, now: datetime) -> None:
        """What was planned and remembered belongs to a time that is far ahead again."""
        log.info("%s: the clock was set back; rates are asked for anew", feed.direction)
        feed.known = self._recent(feed, now) or feed.known
        feed.changes += 1
        feed.next_update = None
        feed.due = now
        feed.clamp_due(now)

    def _recent(self, feed: Feed, now: datetime) -> list[Rate]:
        return self._rate_store.rate_table.rates(feed.direction, now - HISTORY, now + HISTORY)

    # What others see.

    def _publish(self) -> None:
        rates = self._rates(self._clock.now())
        if rates != self.current.value:
            self.current.set(rates)
        self._update_health()

    def _rates(self, now: datetime) -> dict[Direction, Rates]:
        """Known rates from yesterday's midnight on."""
        since = refresh.midnight(now, self._identity.zone, days=-1)
        return {
            feed.direction: Rates(
                direction=feed.direction,
                currency=self._identity.currency,
                timezone=self._identity.zone.key,
                rates=tuple(rate for rate in feed.known if rate.end > since),
                fetched_at=feed.fetched_at,
                next_update=feed.next_update,
                stale=feed.outcome != OK or feed.late or not feed.covers(now),
            )
            for feed in self._feeds.values()
        }

    def _update_health(self) -> None:
        now = self._clock.now()
        found = assess(self._feeds.values(), now)
        if found.state is State.OK:
            self._health.ok(PART)
            if self._logged_problem:
                log.info("tariff: prices are here again")
            self._logged_problem = ""
            return
        say = self._health.failed if found.state is State.FAILED else self._health.degraded
        say(PART, found.why, found.who_acts)
        if found.why != self._logged_problem and all(
            feed.last_attempt_at for feed in self._feeds.values()
        ):
            log.warning("tariff: %s", found.why)
            self._logged_problem = found.why

    def _profile(self, feed: Feed, now: datetime) -> PriceProfile:
        key = feed.changes, refresh.local_day(now, self._identity.zone), self._identity.zone.key
        held = self._profiles.get(feed.direction)
        if held is None or held[0] != key:
            held = key, build_profile(feed.known, self._identity.zone, now)
            self._profiles[feed.direction] = held
        return held[1]

    # Waiting and chance.

    async def _sleep(self) -> None:
        """Until something is due, a horizon passes, a plan of calls changes, or an hour is over."""
        now = self._clock.now()
        wake = self.next_call
        for feed in self._feeds.values():
            if feed.horizon is not None and feed.horizon > now:
                wake = min(wake, feed.horizon)
        tasks = [
            asyncio.ensure_future(self._clock.sleep_until(wake)),
            # In elapsed time: a wall clock that is set back must not put it to sleep for years.
            asyncio.ensure_future(self._clock.sleep(MAX_SLEEP.total_seconds())),
            asyncio.ensure_future(self._rescheduled.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _allowed_from(self, feed: Feed, now: datetime) -> datetime:
        allowed = now
        if feed.last_attempt_at is not None and feed.last_attempt_at <= now:
            allowed = feed.last_attempt_at + MANUAL_REFRESH_INTERVAL
        if feed.retry_after is not None and feed.retry_after <= now + MAX_PLAUSIBLE_AHEAD:
            allowed = max(allowed, feed.retry_after)
        return allowed

    def _jitter(self) -> float:
        return self._random.random()
