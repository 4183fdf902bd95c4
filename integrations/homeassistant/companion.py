"""The companion: announces the hub and each appliance, and keeps what they show true.

Everything is derived anew whenever something has changed, at the next price and every minute;
only what differs is published. Discovery is retained, and said again at Home Assistant's birth.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from agent.clock import Clock, wait_for
from agent.contracts.text import wire_json
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.rates import Direction
from agent.energy.view import DeviceView
from agent.ports import CompanionServices, Message, OutgoingMessage
from integrations.homeassistant import appliance, chart, controls, forecast, hub, plan
from integrations.homeassistant.memory import from_text
from integrations.homeassistant.message import Announcement, components, messages
from integrations.homeassistant.names import HUB, Names

log = logging.getLogger(__name__)

# Said anew so often that what has expired was really lost (see entities.EXPIRES_S).
ANEW_EVERY = timedelta(seconds=60)
# The broker drops a state after this time, so that a restarted Home Assistant shows no old one.
KEPT_S = 600
# What changes many times in a moment is looked at once; real seconds, whatever the clock.
SETTLES_S = 0.3
# What of the hub stands on topics of its own.
LISTS = ("prices", "export", "outlook", "chart", "parts")
AHEAD = timedelta(hours=48)
# Whoever hears Home Assistant's birth waits a while, so that not all speak at once.
BIRTH_SPREAD_S = 10.0
# Home Assistant makes the entities of a message before it listens to their states.
STATES_AFTER_S = 1.0
BORN = b"online"
# What the broker keeps of ours comes just after the connect. Real seconds, whatever the clock.
KEPT_COMES_WITHIN_S = 10.0
KEPT_IS_WHOLE_AFTER_S = 2.0


class HomeAssistant:
    """A Companion. `devices` are the appliances of the config."""

    def __init__(
        self,
        names: Names,
        devices: Sequence[str],
        services: CompanionServices,
        clock: Clock,
        random: Random | None = None,
    ) -> None:
        self._names = names
        self._devices = tuple(devices)
        self._services = services
        self._clock = clock
        self._random = random or Random()
        self._memory = from_text(services.recall())
        self._remembered = self._memory.to_text()
        # What the config no longer has was taken back: it may come anew.
        for topic in self._memory.entities.keys() - set(self._config_topics()):
            del self._memory.entities[topic]
        self._said: dict[str, str] = {}
        self._bodies: dict[str, dict[str, object]] = {}
        self._why: dict[str, plan.Why] = {}
        self._said_at: datetime | None = None
        self._born = asyncio.Event()
        self._announced: list[str] = []
        self._shape: object = None
        self._kept: set[str] = set()
        self._kept_heard = asyncio.Event()
        self._settled = False
        self._lists: tuple[object, dict[str, str]] = (None, {})

    # --- what it publishes and hears ------------------------------------------------------------

    @property
    def topics(self) -> frozenset[str]:
        names = self._names
        out = set(self._config_topics())
        for device in (HUB, *self._devices):
            out.add(names.state(device))
        out |= {names.attributes(HUB, name) for name in LISTS}
        out |= {names.attributes(device, "plan") for device in self._devices}
        return frozenset(out)

    def _config_topics(self) -> list[str]:
        return [topic for device in (HUB, *self._devices) for topic in self._topics_of(device)]

    def _topics_of(self, device: str) -> list[str]:
        """Its device message first."""
        later = hub.LATER if device == HUB else controls.LATER
        own = [self._names.later_config(kind, device, key) for key, kind in later.items()]
        return [self._names.config(device), *own]

    @property
    def subscriptions(self) -> Sequence[str]:
        names = self._names
        commands = [names.command("+", name) for name in ("skip", "target")]
        commands += [names.command(HUB, name) for name in ("announce", "away")]
        return [names.birth, *self._config_topics(), *commands]

    def receive(self, message: Message) -> None:
        topic, payload = message.topic, message.payload
        if topic == self._names.birth:
            if payload.strip() == BORN and not message.retain:
                self._born.set()
        elif topic in self._config_topics():
            if payload and message.retain:
                self._kept.add(topic)
                self._kept_heard.set()
            elif not payload and not message.retain:
                self._deleted(topic)
        elif not message.retain:
            self._command(topic, payload)

    def _deleted(self, topic: str) -> None:
        """Only Home Assistant empties these while we run, when a person deletes the device."""
        if topic in self._memory.deleted:
            return
        log.info("%s was deleted in Home Assistant and stays away", topic)
        self._memory.deleted.add(topic)
        self._said.pop(topic, None)
        self._services.publish(OutgoingMessage(topic, ""))
        self._remember()

    def _command(self, topic: str, payload: bytes) -> None:
        names = self._names
        value = payload.decode("utf-8", "replace").strip()
        if topic == names.command(HUB, "announce"):
            self._memory.deleted.clear()
            self._shape = None
            self._remember()
            self._born.set()
        elif topic == names.command(HUB, "away"):
            self._request(None, hub.away_request(value, self._services.zone))
        for view in self._services.devices():
            if topic == names.command(view.id, "skip"):
                zone = self._services.zone
                self._request(view.id, controls.skip_request(view, self._clock.now(), zone))
            elif topic == names.command(view.id, "target"):
                self._request(view.id, controls.target_request(view, value))

    def _request(self, device: str | None, request: Mapping[str, object]) -> None:
        self._services.request(device, wire_json(request).encode())

    # --- its life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never ends."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._settle(), name="homeassistant-kept")
            group.create_task(self._keep_true(), name="homeassistant-states")
            group.create_task(self._greet(), name="homeassistant-birth")

    async def _settle(self) -> None:
        """Before anything is announced: what did a person delete while we were away?

        Home Assistant empties the message of a device that is deleted. So where the broker has kept
        some of what an earlier life announced, what is missing was deleted; where it has kept
        nothing, it has lost its store. One that comes too late counts as the latter.
        """
        earlier = [name for name in (HUB, *self._devices) if self._was_announced(name)]
        if earlier and await self._heard_within(KEPT_COMES_WITHIN_S):
            while await self._heard_within(KEPT_IS_WHOLE_AFTER_S):
                pass
            for device in earlier:
                if self._names.config(device) not in self._kept:
                    for topic in self._topics_of(device):
                        self._deleted(topic)
        self._settled = True
        self._services.changed.set()

    def _was_announced(self, device: str) -> bool:
        topic = self._names.config(device)
        return topic in self._memory.entities and topic not in self._memory.deleted

    async def _heard_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._kept_heard.wait()
        except TimeoutError:
            return False
        self._kept_heard.clear()
        return True

    async def _keep_true(self) -> None:
        changed = self._services.changed
        while True:
            changed.clear()
            again = self._publish(self._clock.now())
            await asyncio.sleep(SETTLES_S)
            await wait_for(changed, self._clock, again)

    async def _greet(self) -> None:
        """Home Assistant has started: everything once more, though the broker has it."""
        while True:
            await self._born.wait()
            await self._clock.sleep(self._random.uniform(0, BIRTH_SPREAD_S))
            self._born.clear()
            self._publish(self._clock.now())
            await self._services.repeat(self._announced)
            await self._clock.sleep(STATES_AFTER_S)
            others = [topic for topic in self._said if topic not in self._announced]
            await self._services.repeat(others)

    def _publish(self, now: datetime) -> datetime:
        """Bring everything up to date; when to look again."""
        views = self._services.devices()
        prices = self._prices(now)
        said = self._services.snapshot()
        ledger = appliance.document(said, f"{self._names.topics.base}/ledger")
        if self._settled:
            self._announce(views)
        anew = self._said_at is None or not timedelta(0) <= now - self._said_at < ANEW_EVERY
        if anew:
            self._said_at = now
        zone, names = self._services.zone, self._names
        body = hub.state(self._services.site(), prices, names, said, ledger, zone, now)
        self._say_state(HUB, body, now, anew=anew)
        health = wire_json(hub.health_attributes(said, names))
        self._say(names.attributes(HUB, "parts"), health)
        for name, text in self._price_lists(now).items():
            self._say(names.attributes(HUB, name), text)
        unit = f"{self._memory.currency}/kWh"
        picture = chart.price_chart(prices.imported, views, now, zone, unit)
        if picture and self._memory.currency:
            self._say(names.attributes(HUB, "chart"), picture)
        for view in views:
            trusted, before = self._services.clock_trusted, self._why.get(view.id)
            why = self._why[view.id] = plan.why(view, now, before, clock_trusted=trusted)
            body = appliance.state(
                view, names, said, ledger, why.text, zone, now, clock_trusted=trusted
            )
            self._say_state(view.id, body, now, anew=anew)
            planned = wire_json(plan.attributes(view, why.texts, now, zone))
            self._say(names.attributes(view.id, "plan"), planned)
        current = prices.at(now)
        moments = [(self._said_at or now) + ANEW_EVERY]
        moments += [rate.end for rate in (current, prices.at(now, exported=True)) if rate]
        moments += [from_unix(edge) for view in views for edge in _edges(view, now)]
        return min(moment for moment in moments if moment > now)

    # --- discovery ------------------------------------------------------------------------------

    def _announce(self, views: Sequence[DeviceView]) -> None:
        """The hub first: what comes through it would else hang on a device without a name."""
        memory = self._memory
        known = self._services.rates.current.value
        if (imported := known.get(Direction.IMPORT)) is not None and imported.currency:
            memory.currency = imported.currency
            if any(rate.carbon_g_per_kwh is not None for rate in imported.rates):
                memory.extras.add(hub.CARBON)
        if Direction.EXPORT in known:
            memory.extras.add(hub.EXPORT)
        shape = (memory.currency, *sorted(memory.extras), *(_shape(view) for view in views))
        if shape == self._shape:
            return
        self._shape = shape
        items = [hub.announcement(self._names, memory.currency, memory.extras)]
        items += [appliance.announcement(view, self._names, memory.currency) for view in views]
        self._announced = []
        for item in items:
            self._announce_one(item)
        self._remember()

    def _announce_one(self, item: Announcement) -> None:
        memory, topic = self._memory, self._names.config(item.device)
        now = components(item)
        earlier = memory.entities.get(topic, {})
        gone = {key: platform for key, platform in earlier.items() if key not in now}
        memory.entities[topic] = {**gone, **now}
        for where, payload in messages(item, self._names, gone).items():
            if where not in memory.deleted:
                self._announced.append(where)
                self._say(where, payload)

    def _remember(self) -> None:
        text = self._memory.to_text()
        if text != self._remembered:
            self._remembered = text
            self._services.remember(text)

    # --- what is shown --------------------------------------------------------------------------

    def _prices(self, now: datetime) -> hub.Prices:
        rates = self._services.rates
        if not self._services.clock_trusted:
            return hub.Prices((), ())
        imported, exported = (
            rates.planning_rates(direction, now, now + AHEAD)
            for direction in (Direction.IMPORT, Direction.EXPORT)
        )
        known = rates.current.value.get(Direction.IMPORT)
        if known is None:
            return hub.Prices(imported, exported)
        return hub.Prices(imported, exported, known.fetched_at, known.next_update)

    def _price_lists(self, now: datetime) -> Mapping[str, str]:
        """Made anew only where prices, estimates' day or the currency have changed."""
        services, currency = self._services, self._memory.currency
        zone, current = services.zone, services.rates.current
        today = now.astimezone(zone).date()
        key = (current.version, today, currency, zone.key)
        if key == self._lists[0] or not currency:
            return self._lists[1]
        out = {}
        for name, direction in (("prices", Direction.IMPORT), ("export", Direction.EXPORT)):
            if (known := current.value.get(direction)) is not None:
                out[name] = forecast.price_lists(known.rates, now, zone, currency, known.fetched_at)
        start, _ = forecast.day_bounds(today, zone)
        rates = services.rates.planning_rates(Direction.IMPORT, start, start + AHEAD)
        out["outlook"] = forecast.outlook(rates, now, zone)
        self._lists = key, out
        return out

    def _say_state(
        self, device: str, body: dict[str, object], now: datetime, *, anew: bool
    ) -> None:
        """Where nothing but the time has changed, only now and then."""
        topic = self._names.state(device)
        last = self._bodies.get(topic)
        if not anew and last is not None and {**last, "at": now} == body:
            return
        self._bodies[topic] = body
        self._say(topic, wire_json(body), expires_at=to_unix_floor(now) + KEPT_S)

    def _say(self, topic: str, payload: str, *, expires_at: int | None = None) -> None:
        if self._said.get(topic) != payload:
            self._said[topic] = payload
            self._services.publish(OutgoingMessage(topic, payload, expires_at=expires_at))


def _shape(view: DeviceView) -> object:
    """All of a device that its entities are derived from."""
    limits = [(key, item.least, item.most) for key, item in view.settings.items()]
    told = view.temperature_c is not None
    return view.info, view.wish_keys, view.profile, view.battery_kwh, told, tuple(limits)


def _edges(view: DeviceView, now: datetime) -> list[int]:
    """When what it is told changes next."""
    schedule = view.planned.schedule
    return [] if schedule is None else [schedule.next_change(to_unix_floor(now))]
