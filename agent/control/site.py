"""The site: where it stands, what its prices are, what it may draw, who is away. Nothing waits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.clock import Clock
from agent.config import Config
from agent.config.site import LimitScope
from agent.contracts.spans import read_spans
from agent.contracts.topics import Topics
from agent.control.grid_allowance import GridAllowance
from agent.control.house_power import HousePower
from agent.control.outdoor import Outdoor
from agent.control.site_requests import SiteRequests
from agent.dispatch.group_limit import GroupHeadroom
from agent.dispatch.outbox import Outbox
from agent.energy.instants import to_unix_floor
from agent.energy.rates import Direction, Rate
from agent.energy.steps import Steps, combined
from agent.health import Health
from agent.home.controllable import dim_allowance_w, limit_group
from agent.home.grid_limit import UNLIMITED_W
from agent.home.kinds import KINDS
from agent.home.planning_input import PlanningContext
from agent.home.situation import PriceForecast
from agent.home.windows import SiteLocation
from agent.ports import Message, RatesProvider
from agent.records.device_store import DeviceStore
from agent.records.limit_log import LimitLog
from agent.report.event_queue import EventQueue

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
    grid: GridAllowance = field(init=False)
    requests: SiteRequests = field(init=False)
    _group: frozenset[str] | None = field(init=False)

    def __post_init__(self) -> None:
        site = self.config.site
        self.outdoor = Outdoor(site, self.clock)
        profiles = [KINDS[item.type].profile(item) for item in self.config.appliances]
        self._group = limit_group(site, profiles)
        self.grid = GridAllowance(
            self.clock,
            self.health,
            self.topics,
            self.events,
            self.store,
            self.limit_log,
            site.failsafe_limit_w,
            dim_allowance_w(site, profiles),
            self.on_stricter,
            self.on_change,
        )
        self.requests = SiteRequests(
            self.clock,
            self.health,
            self.topics,
            self.outbox,
            self.events,
            self.store,
            self.on_change,
            self.on_refresh,
        )

    @property
    def subscriptions(self) -> list[str]:
        forecasts = [self.topics.forecast(name) for name in FORECASTS]
        own = [self.topics.site_request, self.topics.site_limit, *forecasts]
        return [*own, *self.outdoor.subscriptions]

    def receive(self, message: Message) -> None:
        """A message on one of the subscriptions. Raises Malformed."""
        if message.topic == self.topics.site_limit:
            self.grid.receive(message.payload, retained=message.retain)
        elif message.topic == self.topics.site_request:
            self.requests.receive(message.payload)
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
        place, away = self.location(), self.requests.away_until(now)
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
        return self.config.site.import_limit_w is not None or self.grid.limits

    def house_limit(self) -> Steps | None:
        """What the house may import at each instant, None where nothing limits all of it."""
        parts = []
        if self.config.site.import_limit_w is not None:
            parts.append(Steps.constant(self.config.site.import_limit_w))
        if self.config.site.limit_scope is LimitScope.HOUSE and self.grid.limits:
            parts.append(self.grid.steps())
        return combined(parts, min) if parts else None

    def group_headroom(self) -> GroupHeadroom | None:
        """What the controllable devices alone may draw together, whatever the rest takes."""
        if self._group is None or not self.grid.limits:
            return None
        return GroupHeadroom(self.grid.steps(), self._group)

    def import_for_group(self, group: GroupHeadroom, others: Steps) -> Steps:
        """What the house may import for what the controllable devices may draw.

        `others` is what devices take that are not under that limit.
        """
        # What the roof gives beyond the rest of the house comes on top: it is not drawn.
        rest = combined(
            [self.base_load(), others, self.power.pv() or NOTHING],
            lambda p: max(0, p[0] + p[1] - p[2]),
        )
        return combined([group.power_w, rest], sum)

    def base_load(self) -> Steps:
        """What everything else draws while devices run."""
        return self.power.base_load(limited=self.limited)

    def headroom(self) -> Steps | None:
        """What all devices may draw together; None where nothing limits anything."""
        house = self.house_limit()
        if house is None:
            return Steps.constant(UNLIMITED_W) if self.limited else None
        return combined([house, self.base_load()], lambda pair: max(0.0, pair[0] - pair[1]))

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
