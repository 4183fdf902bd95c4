"""What a companion is given of the agent: what is true, and ways to say, ask and remember."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.clock import Clock
from agent.connect_ports import TariffConnection
from agent.control.controller import Controller
from agent.control.device_manager import DeviceManager
from agent.control.site import Site
from agent.dispatch.outbox import COMPANIONS, Outbox
from agent.energy.instants import from_unix
from agent.energy.rates import Direction
from agent.energy.sentences import Sentence, sentence
from agent.energy.view import DeviceView, EventView, Problem, SiteView
from agent.health import Health, State
from agent.home.grid_limit import FOR_EVER
from agent.ports import OutgoingMessage, RatesProvider
from agent.records.device_store import DeviceStore
from agent.report.event_queue import EventQueue
from agent.store import Store

TARIFF = "tariff"
# Days ahead that the name of a weekday tells apart.
WEEKDAY_IS_CLEAR = 7
STALE = sentence("prices are overdue; planning on what is known")
NO_PRICE = sentence("no price is known for now; planning on estimates")
WAIT = sentence("Nothing for now: it is tried again by itself. Check the internet if it stays so.")


@dataclass(slots=True)
class AgentServices:
    """CompanionServices of the companion `name`. `is_trusted` is asked of the clock;

    `publish_status` says `online` once more.
    """

    name: str
    clock: Clock
    outbox: Outbox
    store: DeviceStore
    rates: RatesProvider
    place: Site
    managed: DeviceManager
    queue: EventQueue
    controller: Controller
    health: Health
    database: Store
    is_trusted: Callable[[], bool]
    publish_status: Callable[[], Awaitable[None]]
    tariff_connection: TariffConnection | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def clock_trusted(self) -> bool:
        return self.is_trusted()

    @property
    def zone(self) -> ZoneInfo:
        return self.place.location().zone

    def snapshot(self) -> Mapping[str, OutgoingMessage]:
        return self.outbox.snapshot()

    def devices(self) -> Sequence[DeviceView]:
        now, planned = self.clock.now(), self.controller.planned
        return [self.managed.view(name, planned(name), now) for name in self.managed]

    def site(self) -> SiteView:
        problems: dict[str, Problem] = {}
        if (stale := self._prices()) is not None:
            problems["prices_stale"] = stale
        if (limit := self._limit()) is not None:
            problems["limit_in_force"] = limit
        return SiteView(problems)

    def _prices(self) -> Problem | None:
        """Only where prices are old or missing; why, as far as the tariff's own health knows."""
        now = self.clock.now()
        known = self.rates.current.value.get(Direction.IMPORT)
        price = None if known is None else known.at(now)
        if known is not None and price is not None and not known.stale:
            return None
        condition = self.health.parts.get(TARIFF)
        if condition is not None and condition.state is not State.OK:
            deed = condition.deed.removeprefix("owner: ")
            return Problem(condition.why, deed if condition.who_acts else WAIT)
        return Problem(STALE if price is not None else NO_PRICE, WAIT)

    def _limit(self) -> Problem | None:
        now = self.clock.now()
        limit_w = self.place.grid.limit_w(now)
        if limit_w is None:
            return None
        until = self.place.grid.next_change(now)
        if until is not None and until >= from_unix(FOR_EVER):
            until = None
        said = not self.place.grid.failsafe_holds(now)
        waiting = sentence("Appliances share what is allowed and the rest waits.")
        return Problem(limit_text(limit_w, until, now, self.zone, said=said), waiting)

    def events(self) -> Sequence[EventView]:
        return tuple(self.queue.recent)

    def publish(self, *messages: OutgoingMessage) -> None:
        self.outbox.set(COMPANIONS, *messages)

    async def repeat(self, topics: Iterable[str]) -> None:
        self.outbox.repeat(topics)
        await self.publish_status()

    def request(self, device: str | None, payload: bytes) -> str | None:
        if device is not None:
            return self.managed.on_request(device, payload)
        return self.place.requests.receive(payload)

    def recall(self) -> str | None:
        return self.store.companion_text(self.name)

    def remember(self, text: str) -> None:
        self.store.save_companion_text(self.name, text)


def limit_text(
    limit_w: float, until: datetime | None, now: datetime, zone: ZoneInfo, *, said: bool
) -> Sentence:
    """What the house may draw, and until when; `said`: by somebody, else it is the failsafe."""
    power_kw = round(limit_w) / 1000
    if not said:
        return sentence(
            "nobody has said what the grid allows: {power:g} kW count as safe", power=power_kw
        )
    if until is None:
        return sentence("the grid allows {power:g} kW", power=power_kw)
    at = until.astimezone(zone)
    days = (at.date() - now.astimezone(zone).date()).days
    if days == 0:
        return sentence("the grid allows {power:g} kW until {at:%H:%M}", power=power_kw, at=at)
    if days < WEEKDAY_IS_CLEAR:
        return sentence("the grid allows {power:g} kW until {at:%a %H:%M}", power=power_kw, at=at)
    return sentence("the grid allows {power:g} kW until {at:%Y-%m-%d %H:%M}", power=power_kw, at=at)
