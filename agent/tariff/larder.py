"""The larder: keeps the home's rates, fetches them when it is time, bridges what is missing.

A price is good until its interval ends, however old the fetch. Whatever the source answers, the
rates that are known stay known; only newer prices for the same time replace them. All decisions
about time are in `schedule.py`; this file carries them out, one call at a time.
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
from agent.tariff import schedule
from agent.tariff.contract import Contract
from agent.tariff.disk import Disk
from agent.tariff.estimates import HISTORY, Pattern, estimates, pattern
from agent.tariff.normalise import clip, normalise, overlay
from agent.tariff.report import report
from agent.tariff.way import ABSURD, OK, REFUSED, UNAVAILABLE, Way

log = logging.getLogger(__name__)

PART = "tariff"
OWNER = "the owner"
YEAR = timedelta(days=366)
# The wall clock may have been set: due times are looked at again at least this often.
LONGEST_SLEEP = timedelta(hours=1)
# An owner who presses the button gets a fresh answer, but not a second one within this time.
OWNER_WAIT = timedelta(minutes=1)
LONGEST_PLAN = timedelta(days=31)
# After so many failed calls for history the agent lives without.
HISTORY_TRIES = 3
# Old rates are deleted only where the source's clock and ours agree so far.
CLOCKS_AGREE = timedelta(days=1)


class Larder:
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
        self._one_at_a_time = asyncio.Lock()
        self._rescheduled = asyncio.Event()
        self._patterns: dict[Direction, tuple[object, Pattern]] = {}
        self._said = ""
        now = clock.now()
        self._disk = Disk(store, health)
        self._contract = Contract(self._disk, source.identity, timezone, currency)
        self._ways = {direction: Way(direction, now) for direction in source.directions}
        for way in self._ways.values():
            # Where there is nothing around now, the clock may be wrong; the rates are not.
            archive = self._disk.archive
            way.known = self._recent(way, now) or archive.newest(way.direction, HISTORY)
            self._disk.load(way)
            way.resume(now, self._contract.zone, self._spread())
        self.current: LatestValue[Mapping[Direction, Rates]] = LatestValue(self._rates(now))
        self._say()

    @property
    def next_call(self) -> datetime:
        """When the source is asked next."""
        return min(
            (way.due for way in self._ways.values()), default=self._clock.now() + LONGEST_SLEEP
        )

    async def run(self) -> None:
        """Never ends: refresh each direction when it is due, mark what has become stale."""
        while True:
            self._rescheduled.clear()
            now = self._clock.now()
            for way in self._ways.values():
                if way.due > now + ABSURD:
                    self._clock_was_set_back(way, now)
                if way.due <= self._clock.now():
                    async with self._one_at_a_time:
                        if way.due <= self._clock.now():
                            await self._refresh(way)
                            self._publish()
            self._publish()
            await self._sleep()

    async def refresh_now(self) -> datetime | None:
        """Ask at the owner's request.

        None where every direction was asked; else the instant from which asking is allowed again
        (a minute after the last call, later where the source said so).
        """
        async with self._one_at_a_time:
            now = self._clock.now()
            allowed = (self._allowed_from(way, now) for way in self._ways.values())
            not_before = max(allowed, default=now)
            if not_before > now:
                return not_before
            for way in self._ways.values():
                await self._refresh(way, by_owner=True)
        self._publish()
        self._rescheduled.set()
        return None

    def planning_rates(self, direction: Direction, now: datetime, until: datetime) -> list[Rate]:
        """Known rates, and estimates in every hole, from `now` to `until` or 48 hours on.

        Estimates have a confidence below 1 and end after a month, however far `until` is. Empty
        where nothing was ever known.
        """
        way = self._ways.get(direction)
        if way is None:
            return []
        start = now.astimezone(UTC).replace(microsecond=0)
        end = min(max(until, start + schedule.AHEAD), start + LONGEST_PLAN)
        known = [rate for held in way.known if (rate := clip(held, start, end)) is not None]
        shape = self._pattern(way, start)
        whole = [*known, *estimates(shape, known, start, end)]
        return list(merged(sorted(whole, key=lambda rate: rate.start)))

    def history(self, direction: Direction, start: datetime, end: datetime) -> list[Rate]:
        """The kept rates that reach into `[start, end)`; a year of them is kept."""
        return self._disk.archive.rates(direction, start, end)

    # One call and what follows from it.

    async def _refresh(self, way: Way, *, by_owner: bool = False) -> None:
        now = self._clock.now()
        history = None if by_owner else self._history_window(way, now)
        first_of_day = way.asked_day != schedule.local_day(now, self._contract.zone)
        asked = history or schedule.window(now, first_of_day)
        way.tried_at = now
        # On disk before the call: a crash during it must not lead to a call at each restart.
        self._disk.save(way)
        try:
            fetched = await self._source.fetch(way.direction, *asked)
            found = self._understood(fetched, asked)
        except (Unavailable, Malformed, Refused) as error:
            if history is None or getattr(error, "code", "") in schedule.REFUSED_WAITS:
                self._failed(way, error)
            else:
                self._no_history(way, error)
        else:
            new = self._keep(way, found, self._clock.now())
            way.outcome, way.failures, way.told_at = OK, 0, None
            way.trouble(State.OK, "")
            way.fetched_at = self._clock.now()
            if history is not None:
                way.history_from = asked[0]
                self._plan_next(way)
            else:
                self._ordinary(way, fetched, asked, new)
                if first_of_day:
                    way.asked_day = schedule.local_day(now, self._contract.zone)
                    self._forget_old(fetched)
        way.not_too_soon(self._clock.now())
        self._disk.save(way)

    def _understood(self, fetched: FetchedRates, asked: schedule.Window) -> tuple[Rate, ...]:
        """The usable rates of an answer. Raises Malformed where they may be in no known money."""
        if fetched.server_time is not None and self._on_server_time is not None:
            self._on_server_time(fetched.server_time)
        if self._contract.learn_currency(fetched.currency, self._clock.now()):
            self._forget_everything()
        self._contract.learn_zone(fetched.timezone)
        found = normalise(fetched.rates, *asked)
        if fetched.dropped or found.dropped:
            self._health.count("answers_with_unusable_rates")
        return found.rates

    def _ordinary(self, way: Way, fetched: FetchedRates, asked: schedule.Window, new: bool) -> None:
        """After an answer that was not about history: retry where it should have brought more."""
        now, zone = self._clock.now(), self._contract.zone
        overdue = not schedule.is_ahead(now, way.next_update)
        way.next_update = fetched.next_update
        if way.history_target is None:
            target = self._contract_start or now - schedule.UNTOLD_HISTORY
            way.history_target = max(target, now - YEAR)
            way.history_from = asked[0]
        retry = None
        way.late = False
        if overdue and not new and schedule.lacks_tomorrow(way.confirmed_until, now, zone):
            retry = schedule.retry_nothing_new(now, way.next_update, way.retries, self._spread())
            way.late = retry is None
        if retry is None:
            way.retries = 0
            self._plan_next(way)
        else:
            way.retries += 1
            way.due = retry

    def _plan_next(self, way: Way) -> None:
        now = self._clock.now()
        way.due = schedule.next_refresh(now, way.next_update, self._contract.zone, self._spread())
        if self._history_window(way, now) is not None:
            way.due = min(way.due, now + schedule.SHORTEST_WAIT)

    def _failed(self, way: Way, error: Unavailable | Malformed | Refused) -> None:
        now = self._clock.now()
        way.failures += 1
        if isinstance(error, Refused):
            way.outcome, way.told_at = REFUSED, None
            way.due = schedule.retry_refused(now, error.code, self._spread())
            way.trouble(State.FAILED, str(error), OWNER)
            return
        way.outcome = UNAVAILABLE
        way.told_at = error.retry_at if isinstance(error, Unavailable) else None
        way.due = schedule.retry_unavailable(
            now, way.told_at, way.failures, way.cold, self._spread()
        )
        way.trouble(State.DEGRADED, str(error))

    def _no_history(self, way: Way, error: Unavailable | Malformed | Refused) -> None:
        """A call for the past failed; the future matters more, so it is no trouble."""
        way.history_failures += 1
        if isinstance(error, Refused) or way.history_failures >= HISTORY_TRIES:
            log.info("%s: older prices are not to be had: %s", way.direction, error)
            way.history_from = way.history_target
        way.told_at = error.retry_at if isinstance(error, Unavailable) else None
        self._plan_next(way)

    def _history_window(self, way: Way, now: datetime) -> schedule.Window | None:
        """The next piece of history, unless an ordinary refresh is due or failing."""
        if way.history_from is None or way.history_target is None or way.failures or way.retries:
            return None
        if way.next_update is not None and way.next_update <= now:
            return None
        return schedule.history_window(way.history_from, way.history_target)

    def _keep(self, way: Way, news: tuple[Rate, ...], now: datetime) -> bool:
        """Lay the news over what is known, here and on disk; whether they brought anything new.

        New is what was confirmed; another prediction only where nothing ahead is confirmed.
        """
        before = way.confirmed_until
        known = overlay(way.known, news)
        changed = known != way.known
        if changed:
            # By the newest rate, not by the clock, which may be wrong.
            oldest = known[-1].end - HISTORY
            way.known = [rate for rate in known if rate.end > oldest]
            way.changes += 1
        changed = self._disk.put(way.direction, news) or changed
        after = way.confirmed_until
        return after != before or (changed and (after is None or after <= now))

    # What is forgotten, and what a clock that was set makes of it.

    def _forget_everything(self) -> None:
        now = self._clock.now()
        self._disk.forget_everything()
        for way in self._ways.values():
            way.due = now
            way.not_too_soon(now)
            way.known = []
            way.changes += 1
            way.history_from = way.history_target = way.asked_day = None

    def _forget_old(self, fetched: FetchedRates) -> None:
        now = self._clock.now()
        if fetched.server_time is not None and abs(fetched.server_time - now) < CLOCKS_AGREE:
            self._disk.forget_before(now - YEAR)

    def _clock_was_set_back(self, way: Way, now: datetime) -> None:
        """What was planned and remembered belongs to a time that is far ahead again."""
        log.info("%s: the clock was set back; rates are asked for anew", way.direction)
        way.known = self._recent(way, now) or way.known
        way.changes += 1
        way.next_update = None
        way.due = now
        way.not_too_soon(now)

    def _recent(self, way: Way, now: datetime) -> list[Rate]:
        return self._disk.archive.rates(way.direction, now - HISTORY, now + HISTORY)

    # What others see.

    def _publish(self) -> None:
        rates = self._rates(self._clock.now())
        if rates != self.current.value:
            self.current.set(rates)
        self._say()

    def _rates(self, now: datetime) -> dict[Direction, Rates]:
        """Known rates from yesterday's midnight on."""
        since = schedule.midnight(now, self._contract.zone, days=-1)
        return {
            way.direction: Rates(
                direction=way.direction,
                currency=self._contract.currency,
                timezone=self._contract.zone.key,
                rates=tuple(rate for rate in way.known if rate.end > since),
                fetched_at=way.fetched_at,
                next_update=way.next_update,
                stale=way.outcome != OK or way.late or not way.knows(now),
            )
            for way in self._ways.values()
        }

    def _say(self) -> None:
        now = self._clock.now()
        found = report(self._ways.values(), now)
        if found.state is State.OK:
            self._health.ok(PART)
            if self._said:
                log.info("tariff: prices are here again")
            self._said = ""
            return
        say = self._health.failed if found.state is State.FAILED else self._health.degraded
        say(PART, found.why, found.who_acts)
        if found.why != self._said and all(way.tried_at for way in self._ways.values()):
            log.warning("tariff: %s", found.why)
            self._said = found.why

    def _pattern(self, way: Way, now: datetime) -> Pattern:
        key = way.changes, schedule.local_day(now, self._contract.zone), self._contract.zone.key
        held = self._patterns.get(way.direction)
        if held is None or held[0] != key:
            held = key, pattern(way.known, self._contract.zone, now)
            self._patterns[way.direction] = held
        return held[1]

    # Waiting and chance.

    async def _sleep(self) -> None:
        """Until something is due, a horizon passes, a plan of calls changes, or an hour is over."""
        now = self._clock.now()
        wake = self.next_call
        for way in self._ways.values():
            if way.horizon is not None and way.horizon > now:
                wake = min(wake, way.horizon)
        tasks = [
            asyncio.ensure_future(self._clock.sleep_until(wake)),
            # In elapsed time: a wall clock that is set back must not put it to sleep for years.
            asyncio.ensure_future(self._clock.sleep(LONGEST_SLEEP.total_seconds())),
            asyncio.ensure_future(self._rescheduled.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _allowed_from(self, way: Way, now: datetime) -> datetime:
        allowed = now
        if way.tried_at is not None and way.tried_at <= now:
            allowed = way.tried_at + OWNER_WAIT
        if way.told_at is not None and way.told_at <= now + ABSURD:
            allowed = max(allowed, way.told_at)
        return allowed

    def _spread(self) -> float:
        return self._random.random()
