"""The site: where it stands, what its prices are, what it may draw, who is away. Nothing waits."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agent.clock import Clock
from agent.config import Config
from agent.config.site import LimitScope
from agent.contracts.explain import explain
from agent.contracts.spans import read_spans
from agent.contracts.topics import Topics
from agent.contracts.wire import SiteRequest
from agent.control.house_power import HousePower
from agent.control.outdoor import Outdoor
from agent.control.request_bucket import RequestBucket
from agent.control.stored_answer import answer_when_stored
from agent.dispatch.outbox import DOCUMENTS, Outbox
from agent.energy.instants import bounded, format_instant, from_unix, to_unix_floor
from agent.energy.rates import Direction, Rate
from agent.energy.sentences import Sentence, joined, sentence
from agent.energy.steps import Steps, combined
from agent.errors import Malformed, Refused
from agent.health import Health
from agent.home.controllable import dim_allowance_w
from agent.home.grid_limit import (
    FOR_EVER,
    UNLIMITED_W,
    GridLimit,
    from_stored,
    heard_before,
    lower_of,
    read_limit,
    stored_text,
)
from agent.home.heard_limits import HeardLimits, Standing
from agent.home.kinds import KINDS
from agent.home.planning_input import PlanningContext
from agent.home.requests import check_length, echoed_id
from agent.home.situation import PriceForecast
from agent.home.windows import SiteLocation
from agent.ports import Message, OutgoingMessage, RatesProvider
from agent.records.device_store import UNBELIEVABLE, DeviceStore
from agent.records.limit_log import LimitLog
from agent.report.documents import site_wish_document
from agent.report.event_queue import EventQueue

log = logging.getLogger(__name__)

PART = "grid_limit"
# Obeyed like any other, for it is the stricter reading; but no operator allows a light bulb.
LEAST_MEANT_W = 100.0
WHO_LIMITS = "grid operator or energy manager: publish it on site/limit"
LONGEST_AWAY = timedelta(days=366)
LIMITS_EVERY_S = 1.0
DAY_S = 86_400
NOTHING = Steps.constant(0)
POWER_FORECASTS = ("load", "pv")
OUTDOOR = "outdoor"
FORECASTS = (*POWER_FORECASTS, OUTDOOR, "import", "export")


@dataclass(slots=True)
class Site:
    """What holds for the whole house: its limit, its prices, its power, who is at home.

    `on_stricter()` is called when less may be drawn than before, `on_change()` when anything
    changed that a plan depends on, `on_weather()` when it got warmer or colder outdoors,
    `on_refresh()` when a person wants fresh prices.
    """

    config: Config
    clock: Clock
    health: Health
    topics: Topics
    outbox: Outbox
    events: EventQueue
    store: DeviceStore
    limit_log: LimitLog
    rates: RatesProvider
    power: HousePower
    on_stricter: Callable[[], None]
    on_change: Callable[[], None]
    on_weather: Callable[[], None]
    on_refresh: Callable[[], None]
    outdoor: Outdoor = field(init=False)
    away_until: datetime | None = field(default=None, init=False)
    _requests: RequestBucket = field(default_factory=RequestBucket, init=False)
    _grid: GridLimit = field(init=False)
    _dim_allowance_w: float = field(init=False)
    _unreadable: str = field(default="", init=False)
    _limit_taken: bool = field(default=False, init=False)
    _limit_waiting: bytes | None = field(default=None, init=False)
    _heard: HeardLimits = field(default_factory=HeardLimits, init=False)
    _stored_limit: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.outdoor = Outdoor(self.config.site, self.clock)
        profiles = [KINDS[item.type].profile(item) for item in self.config.appliances]
        self._dim_allowance_w = dim_allowance_w(self.config.site, profiles)
        failsafe = self.config.site.failsafe_limit_w
        self._grid = GridLimit((), failsafe)
        text = self.store.grid_limit()
        if text is not None:
            try:
                self._grid = from_stored(text, failsafe)
                self._heard = heard_before(text)
            except UNBELIEVABLE:
                self.health.count("unreadable_rows")
        away = self.store.away_until()
        if away is not None and away > self.clock.now():
            self.away_until = away
        self.store.on_away_stored = lambda: self._publish_wish(None)
        self.judge_limit(self.clock.now())

    @property
    def subscriptions(self) -> list[str]:
        forecasts = [self.topics.forecast(name) for name in FORECASTS]
        own = [self.topics.site_request, self.topics.site_limit, *forecasts]
        return [*own, *self.outdoor.subscriptions]

    def receive(self, message: Message) -> None:
        """A message on one of the subscriptions. Raises Malformed."""
        if message.topic == self.topics.site_limit:
            self._receive_limit(message.payload, retained=message.retain)
        elif message.topic == self.topics.site_request:
            self.receive_request(message.payload)
        elif message.topic in self.outdoor.subscriptions:
            if self.outdoor.receive(message.payload, message.topic):
                self.on_weather()
        else:
            self._receive_forecast(message)

    # --- where and what -------------------------------------------------------------------------

    def location(self) -> SiteLocation:
        site = self.config.site
        known = self.rates.current.value.get(Direction.IMPORT)
        name = site.timezone or (known.timezone if known else "UTC")
        return SiteLocation(ZoneInfo(name), site.latitude, site.longitude)

    def context(self, now: datetime) -> PlanningContext:
        away = self.away_until
        if away is not None and away <= now:
            self.away_until = away = None
            self.store.save_away_until(None)
            self._publish_wish(None)
        place = self.location()
        return PlanningContext(now, place, away, self.outdoor.expected(place))

    def prices(self, now: datetime, until: datetime) -> PriceForecast | None:
        imported = self.rates.current.value.get(Direction.IMPORT)
        if imported is None:
            return None
        return PriceForecast(
            imported.currency,
            self.location().zone.key,
            self.rates.planning_rates(Direction.IMPORT, now, until),
            self.rates.planning_rates(Direction.EXPORT, now, until),
        )

    # --- what it may draw -----------------------------------------------------------------------

    @property
    def limited(self) -> bool:
        return self.config.site.import_limit_w is not None or self._grid_limits

    def limit(self) -> Steps | None:
        """What the house may import at each instant, None where nothing limits it."""
        house, devices = self._house_limit(), self._device_limit()
        if devices is None:
            return house
        # What the roof gives beyond the rest of the house comes on top: it is not drawn.
        rest = combined(
            [self.base_load(), self.power.pv() or NOTHING], lambda p: max(0, p[0] - p[1])
        )
        limit = combined([devices, rest], sum)
        return limit if house is None else combined([house, limit], min)

    def _house_limit(self) -> Steps | None:
        """Of all that the house imports."""
        parts = []
        if self.config.site.import_limit_w is not None:
            parts.append(Steps.constant(self.config.site.import_limit_w))
        if self.config.site.limit_scope is LimitScope.HOUSE and self._grid_limits:
            parts.append(self._grid_steps())
        return combined(parts, min) if parts else None

    def _device_limit(self) -> Steps | None:
        """Of what the devices alone draw, whatever the rest of the house takes."""
        own = self.config.site.limit_scope is LimitScope.CONTROLLABLE and self._grid_limits
        return self._grid_steps() if own else None

    def _grid_steps(self) -> Steps:
        return self._grid.steps(self._dim_allowance_w)

    @property
    def _grid_limits(self) -> bool:
        return any(value < UNLIMITED_W for value in self._grid_steps().values)

    def grid_limit_w(self, now: datetime) -> float | None:
        """What the grid allows now; None where nothing is known to limit it."""
        limit_w = self._grid_steps().value(to_unix_floor(now))
        return limit_w if limit_w < UNLIMITED_W else None

    def next_grid_limit(self, now: datetime) -> datetime | None:
        """When the grid allows more or less, as far as is known."""
        following = self._grid_steps().between(to_unix_floor(now), FOR_EVER)
        return from_unix(following[0]) if following else None

    def failsafe_holds(self, now: datetime) -> bool:
        """Does the failsafe hold, because nothing that was said holds any more?"""
        told = any(window.end > to_unix_floor(now) for window in self._grid.windows)
        return self._grid.failsafe_w is not None and not told

    def base_load(self) -> Steps:
        """What everything else draws while devices run."""
        return self.power.base_load(limited=self.limited)

    def headroom(self) -> Steps | None:
        """What devices may draw together."""
        house, devices = self._house_limit(), self._device_limit()
        if house is None:
            return devices
        left = combined([house, self.base_load()], lambda pair: max(0.0, pair[0] - pair[1]))
        return left if devices is None else combined([left, devices], min)

    def _receive_limit(self, payload: bytes, *, retained: bool = False) -> None:
        """The first at once, a flood a second later and only the newest of it."""
        doubtful = False
        if retained:
            doubtful = self._heard.hand_out(payload) is Standing.DOUBTFUL
        else:
            self._heard.note(payload)
        if self._limit_taken and not doubtful:
            self._limit_waiting = payload
            self.health.count("limits_put_off")
            return
        self._take_limit(payload, doubtful=doubtful)

    def _next_limit(self) -> None:
        self._limit_taken = False
        waiting, self._limit_waiting = self._limit_waiting, None
        if waiting is not None:
            try:
                self._take_limit(waiting, doubtful=False)
            except Malformed as error:
                log.warning("%s", error)

    def _take_limit(self, payload: bytes, *, doubtful: bool) -> None:
        """`doubtful`: it may be older than what holds, so that it can only make that stricter."""
        self._limit_taken = True
        asyncio.get_running_loop().call_later(LIMITS_EVERY_S, self._next_limit)
        now = self.clock.now()
        failsafe = self.config.site.failsafe_limit_w
        try:
            new = read_limit(payload, self.topics.site_limit, now, failsafe)
        except Malformed as error:
            if doubtful:
                return
            self._unreadable = joined(
                (error.sentence, sentence("the last known limit holds to its end"))
            )
            self.judge_limit(now)
            raise
        second, allowance_w, old = to_unix_floor(now), self._dim_allowance_w, self._grid
        stricter = _is_stricter(old.steps(allowance_w), new.steps(allowance_w), second)
        if doubtful:
            new = lower_of(old, new, second, allowance_w) if stricter else old
        else:
            self._unreadable = ""
        text = stored_text(new, self._heard)
        if text != self._stored_limit:
            self._stored_limit = text
            self.store.save_grid_limit(text)
        if new == old:
            self.judge_limit(now)
            return
        self._grid = new
        self.judge_limit(now)
        self.limit_log.received(now, self.grid_limit_w(now))
        text = sentence("the limit has changed")
        if stricter:
            text = sentence("a stricter limit is obeyed at once")
        self.events.event("limit_changed", None, text)
        if stricter:
            self.on_stricter()
        self.on_change()

    def judge_limit(self, now: datetime) -> None:
        """Say in health what is known of the grid's limit."""
        failsafe_w = self._grid.failsafe_w
        told = any(window.end > to_unix_floor(now) for window in self._grid.windows)
        if self._unreadable:
            self.health.degraded(PART, self._unreadable, WHO_LIMITS)
        elif failsafe_w is not None and not told:
            why = sentence(
                "nobody has said what the grid allows now: the failsafe of {power:g} W holds",
                power=failsafe_w,
            )
            self.health.degraded(PART, why, WHO_LIMITS)
        elif (limit_w := self.grid_limit_w(now)) is not None and 0 < limit_w < LEAST_MEANT_W:
            why = sentence("the grid allows {limit:g} W: is that in kW?", limit=limit_w)
            self.health.degraded(PART, why, WHO_LIMITS)
        elif failsafe_w is not None or told or PART in self.health.parts:
            self.health.ok(PART)

    def _receive_forecast(self, message: Message) -> None:
        name = message.topic.rpartition("/")[2]
        spans = read_spans(message.payload, message.topic)
        seconds = [(to_unix_floor(a), to_unix_floor(b), v) for a, b, v in spans]
        seconds = [(a, b, v) for a, b, v in seconds if a < b]
        if name in POWER_FORECASTS:
            self.power.set_forecast(name, seconds)
        elif name == OUTDOOR:
            self.outdoor.set_forecast(seconds)
        else:
            rates = [Rate(a, b, Decimal(repr(v)), 0.5) for a, b, v in spans]
            self.rates.set_forecast(Direction(name), rates or None)
        self.on_change()

    # --- what a person asks ---------------------------------------------------------------------

    def receive_request(self, payload: bytes) -> str | None:
        """Answered on `site/wish`; returns why it is refused, None where it is not."""
        if not self._requests.take(self.clock.now()):
            self.health.count("requests_dropped")
            return None
        request_id, now = echoed_id(payload), self.clock.now()
        try:
            check_length(payload)
            request = SiteRequest.model_validate_json(payload)
            away = None if request.away_until is None else bounded(request.away_until)
        except ValidationError as error:
            return self._refuse(request_id, explain(error, "request"))
        except Refused as refusal:
            return self._refuse(request_id, refusal.sentence)
        except (ValueError, OverflowError):
            why = sentence("away_until: is not a time that can be; {right}", right=_right(now))
            return self._refuse(request_id, why)
        if not request.model_fields_set - {"id"}:
            return self._refuse(
                request_id, sentence("asks for nothing; give away_until or refresh")
            )
        if away is not None and not now < away <= now + LONGEST_AWAY:
            why = sentence("away_until: is not within the next year; {right}", right=_right(now))
            return self._refuse(request_id, why)
        if request.refresh:
            self.on_refresh()
        if "away_until" not in request.model_fields_set:
            self._publish_wish(request_id)
            return None
        self.away_until = away
        answer_when_stored(
            self.store.save_away_until(away),
            lambda note: self._publish_wish(request_id, note=note),
        )
        self.on_change()
        return None

    def _refuse(self, request_id: str | None, why: str) -> str:
        log.info("site/request refused: %s", why)
        self._publish_wish(request_id, refused=why)
        self.events.event("request_refused", None, sentence("site/request: {why}", why=why))
        return why

    def _publish_wish(self, request_id: str | None, *, refused: str = "", note: str = "") -> None:
        text = site_wish_document(
            self.away_until,
            self.clock.now(),
            request_id,
            accepted=not refused,
            reason=refused or note,
        )
        self.outbox.set(DOCUMENTS, OutgoingMessage(self.topics.site_wish, text))


def _right(now: datetime) -> Sentence:
    """An example that would be taken."""
    tomorrow = format_instant(from_unix(to_unix_floor(now) + DAY_S))
    return sentence("expected an instant such as {tomorrow}", tomorrow=tomorrow)


def _is_stricter(old: Steps, new: Steps, now: int) -> bool:
    edges = {now, *(at for at in (*old.at, *new.at) if at > now)}
    return any(new.value(at) < old.value(at) for at in edges)
