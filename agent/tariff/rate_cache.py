"""The rate cache: what is known of the home's rates, and estimates for what nobody has published.

A price is good until its interval ends, however old the fetch. When to fetch is decided in
`refresh.py` and done by the refresher; nothing here waits.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from agent.clock import Clock
from agent.connect_ports import ConnectableSource
from agent.energy.rates import Direction, Rate, Rates, merged
from agent.health import Health, State
from agent.latest import LatestValue
from agent.ports import TariffEvent, TariffSource
from agent.store import Store
from agent.tariff import feed_record, refresh
from agent.tariff.contract_events import ContractEvents
from agent.tariff.estimates import HISTORY, PriceProfile, build_profile, estimates
from agent.tariff.feed import OK, Feed
from agent.tariff.health import assess
from agent.tariff.identity import TariffIdentity
from agent.tariff.normalise import WITHDRAWN, clip, gaps, normalise
from agent.tariff.rate_store import RateStore
from agent.tariff.refresher import Refresher

log = logging.getLogger(__name__)

PART = "tariff"
MAX_AHEAD = timedelta(days=31)
# What somebody else forecasts is worth more than our own estimate, and is no price.
CONFIDENCE_FORECAST = 0.6


class RateCache:
    """Keeps `current`: the known rates of each direction, set whenever they change.

    `timezone` and `currency` hold until the source has said its own; `contract_start` is how far
    back history is fetched once (at most a year, 30 days where it is not known). `on_server_time`
    is told the time in each answer, `on_event(kind, text)` what the source says of the contract,
    unless `is_known(event)` says that the owner has heard of it from elsewhere.
    `on_alive` hears that its loop turns. `random` spreads calls in time. `on_prices(since)` hears
    that some price from then on is another, however long ago that is.
    """

    def __init__(
        self,
        source: TariffSource,
        store: Store,
        clock: Clock,
        health: Health,
        *,
        timezone: str = "",
        currency: str = "",
        contract_start: datetime | None = None,
        on_server_time: Callable[[datetime], None] = lambda when: None,
        on_event: Callable[[str, str], None] = lambda kind, text: None,
        is_known: Callable[[TariffEvent], bool] = lambda event: False,
        on_alive: Callable[[], None] = lambda: None,
        on_prices: Callable[[datetime], None] = lambda since: None,
        random: Random | None = None,
    ) -> None:
        self._clock = clock
        self._health = health
        self._profiles: dict[Direction, tuple[object, PriceProfile]] = {}
        self._forecasts: dict[Direction, tuple[Rate, ...]] = {}
        self._logged_problem = ""
        self._on_prices = on_prices
        now = clock.now()
        random = random or Random()
        rate_store = RateStore(store, health)
        self._source = source
        self._store = rate_store
        self._identity = TariffIdentity(rate_store, source.identity, timezone, currency)
        self._events = ContractEvents(source, rate_store, on_event, is_known)
        self._feeds = {direction: Feed(direction, now) for direction in source.directions}
        for feed in self._feeds.values():
            # Where there is nothing around now, the clock may be wrong; the rates are not.
            around_now = rate_store.rates(feed.direction, now - HISTORY, now + HISTORY)
            feed.known = around_now or rate_store.newest(feed.direction, HISTORY)
            feed_record.load(feed, rate_store, now)
            feed.resume(now, self._identity.zone, random.random())
        self._refresher = Refresher(
            source,
            self._feeds,
            self._identity,
            self._events,
            rate_store,
            clock,
            health,
            random,
            contract_start,
            on_server_time,
            self._publish,
            on_alive,
        )
        self.current: LatestValue[Mapping[Direction, Rates]] = LatestValue(self._rates(now))
        self._update_health(now)

    async def run(self) -> None:
        """Never ends: refresh each direction when it is due, mark what has become stale."""
        await self._refresher.run()

    @property
    def next_call(self) -> datetime:
        """When the source is asked next."""
        return self._refresher.next_call

    async def refresh_now(self) -> datetime | None:
        """Ask at the owner's request.

        None where every direction was asked; else the instant from which asking is allowed again
        (a minute after the last call, later where the source said so).
        """
        return await self._refresher.refresh_now()

    async def ask_the_time(self) -> None:
        """One call, for the Date that its answer carries: somebody doubts the clock."""
        await self._refresher.ask_the_time()

    async def use_connection(self, location_id: str, directions: Sequence[Direction]) -> None:
        """Another tariff was connected, or none is any more: what is new is fetched at once.

        Prices of another contract are gone; those of a direction that stays are good until the
        answer says otherwise. What the config gives stays as it is.
        """
        await self._refresher.change(lambda: self._begin_anew(location_id, directions))

    def _begin_anew(self, location_id: str, directions: Sequence[Direction]) -> None:
        if not isinstance(self._source, ConnectableSource):
            return
        now = self._clock.now()
        self._source.use_connection(location_id, directions)
        if self._identity.change(self._source.identity):
            self._events.forget()
            self._feeds.clear()
            self._profiles.clear()
            self._on_prices(now)
        for gone in {*self._feeds} - {*self._source.directions}:
            del self._feeds[gone]
            self._profiles.pop(gone, None)
            self._store.forget(gone)
            self._on_prices(now)
        for direction in self._source.directions:
            self._feeds.setdefault(direction, Feed(direction, now)).ask_anew(now)

    def set_forecast(self, direction: Direction, spans: Sequence[Rate] | None) -> None:
        """Somebody's price forecast, instead of our own estimate as far as it reaches.

        It never replaces a known price and is kept in memory only; None takes it back. Spans may
        come in any order and overlap, what is no price is counted and left out.
        """
        now = self._clock.now()
        found = normalise(spans or (), now - timedelta(hours=1), now + MAX_AHEAD)
        for _ in range(found.dropped):
            self._health.count("unusable_forecast_spans")
        self._forecasts[direction] = tuple(
            rate if rate.confidence < 1 else replace(rate, confidence=CONFIDENCE_FORECAST)
            for rate in found.rates
        )

    def planning_rates(self, direction: Direction, now: datetime, until: datetime) -> list[Rate]:
        """Known rates, and in every hole a forecast or an estimate, from `now` to `until`.

        To 48 hours on at least, at most a month. Estimates have a confidence below 1. Empty where
        nothing was ever known.
        """
        feed = self._feeds.get(direction)
        if feed is None:
            return []
        start = now.astimezone(UTC).replace(microsecond=0)
        end = min(max(until, start + refresh.AHEAD), start + MAX_AHEAD)
        held = _within(feed.known, start, end)
        # A price that was withdrawn is no better than our own estimate.
        rates = [rate for rate in held if rate.confidence != WITHDRAWN]
        for others in (self._forecasts.get(direction, ()), held):
            rates = _fill(rates, others, start, end)
        whole = [*rates, *estimates(self._profile(feed, start), rates, start, end)]
        return list(merged(sorted(whole, key=lambda rate: rate.start)))

    def known_rates(self, direction: Direction, start: datetime, end: datetime) -> list[Rate]:
        """What is known of `[start, end)`, at most five weeks back; what nobody said is a gap."""
        feed = self._feeds.get(direction)
        return [] if feed is None else _within(feed.known, start, end)

    def _publish(self) -> None:
        now = self._clock.now()
        changes = [feed.pop_changed_from() for feed in self._feeds.values()]
        since = min((when for when in changes if when is not None), default=None)
        if since is not None:
            self._on_prices(since)
        rates = self._rates(now)
        if rates != self.current.value:
            self.current.set(rates)
        self._update_health(now)

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
                stale=feed.failure.outcome != OK or feed.late or not feed.covers(now),
            )
            for feed in self._feeds.values()
        }

    def _update_health(self, now: datetime) -> None:
        found = assess(self._feeds.values(), self._events.concerns(now), now)
        if found.state is State.OK:
            self._health.ok(PART)
            if self._logged_problem:
                log.info("tariff: all is well again")
            self._logged_problem = ""
            return
        report = self._health.failed if found.state is State.FAILED else self._health.degraded
        report(PART, found.why, found.who_acts)
        asked = all(feed.last_attempt_at for feed in self._feeds.values())
        if found.why != self._logged_problem and asked:
            log.warning("tariff: %s", found.why)
            self._logged_problem = found.why

    def _profile(self, feed: Feed, now: datetime) -> PriceProfile:
        zone = self._identity.zone
        key = feed.changes, refresh.local_day(now, zone), zone.key
        held = self._profiles.get(feed.direction)
        if held is None or held[0] != key:
            held = key, build_profile(feed.known, zone, now)
            self._profiles[feed.direction] = held
        return held[1]


def _within(rates: Sequence[Rate], start: datetime, end: datetime) -> list[Rate]:
    return [inside for rate in rates if (inside := clip(rate, start, end)) is not None]


def _fill(
    rates: Sequence[Rate], others: Sequence[Rate], start: datetime, end: datetime
) -> list[Rate]:
    """Rates, and others where there are none; all in order."""
    out = list(rates)
    for begins, ends in gaps(rates, start, end):
        out += _within(others, begins, ends)
    return sorted(out, key=lambda rate: rate.start)
