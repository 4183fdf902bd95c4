"""The hall: builds the rooms, one task group, one stop event. The only file that knows them all."""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, time
from time import perf_counter
from typing import Protocol
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agent.clock import Clock
from agent.clockmonitor import ClockMonitor
from agent.config import Config
from agent.contracts.wire import SiteRequest
from agent.controller import Controller, MakePlan
from agent.dispatch.device_store import DeviceStore
from agent.dispatch.devices import DeviceManager
from agent.dispatch.dispatcher import LIMIT, Dispatcher
from agent.dispatch.event_queue import EventQueue
from agent.dispatch.inbox import Inbox
from agent.dispatch.ledger import Ledger
from agent.dispatch.limit import fit_offline_rules
from agent.dispatch.outbox import Outbox
from agent.dispatch.publisher import Publisher
from agent.dispatch.schedules import DeviceProfile, device_profile
from agent.energy.instants import format_instant, parse_instant
from agent.energy.plan import Plan
from agent.energy.rates import Direction, Rates
from agent.energy.readings import Acknowledgement
from agent.energy.situation import Situation
from agent.health import Health
from agent.home.situation import PriceForecast
from agent.home.windows import SiteLocation
from agent.liveness import Liveness
from agent.mqtt.connection import MqttConnection
from agent.mqtt.topics import Topics
from agent.planning import make_plan
from agent.ports import Message, MqttPublisher, OutgoingMessage, TariffSource
from agent.store import Store
from agent.systemd import announce_ready, feed_watchdog, notify
from agent.tariff.larder import Larder
from agent.tasks import cancel_all
from integrations.devices.native import NativeDevice
from integrations.registry import device_adapter

log = logging.getLogger(__name__)

DISCONNECT_TIMEOUT_S = 1.0
FIRST_SCHEDULES_LOOK_S = 0.2
# The longest that a connect with all its time-outs may take between two signs of life.
MQTT_ALIVE_WITHIN_S = 60.0
NEWEST_CONFIRMED = "clock.newest_confirmed"
# What may not be said while the clock is doubted: it would switch something at a wrong time.
TIMED_TOPICS = ("/schedule", "/schedule/compact", "/setpoint")


class BrokerConnection(MqttPublisher, Protocol):
    """A Post with a life of its own."""

    async def run(self) -> None: ...

    async def publish_offline(self, payload: str, timeout_s: float) -> None: ...


class ConnectionFactory(Protocol):
    """How the hall gets its post: the real connection, or a broker within a test."""

    def __call__(
        self,
        *,
        will_topic: str,
        client_id: str,
        health: Health,
        subscriptions: Callable[[], Sequence[str]],
        on_message: Callable[[Message], None],
        on_connect: Callable[[], Awaitable[None]],
    ) -> BrokerConnection: ...


async def plan_in_thread(situation: Situation) -> Plan:
    """Plan beside the event loop, so that a long search delays no message."""
    began = perf_counter()
    plan = await asyncio.to_thread(make_plan, situation)
    took_ms = int((perf_counter() - began) * 1000)
    return dataclasses.replace(plan, took_ms=took_ms)


async def run_agent(
    config: Config,
    *,
    clock: Clock,
    source: TariffSource,
    store: Store,
    stop: asyncio.Event,
    connection_factory: ConnectionFactory | None = None,
    plan: MakePlan = plan_in_thread,
    ledger: Ledger | None = None,
    trusted_clock: bool = False,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Do the main job until `stop` is set; `offline` stands on the status topic afterwards.

    `trusted_clock`: the clock is somebody's own (demo, tests) and needs no confirmation.
    """
    house = _House(
        config,
        clock,
        source,
        store,
        plan,
        connection_factory,
        ledger or Ledger(),
        trusted_clock=trusted_clock,
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job, name=name) for name, job in house.jobs().items()]
            on_ready()
            await stop.wait()
            notify("STOPPING=1")
            await house.post.publish_offline("offline", DISCONNECT_TIMEOUT_S)
            await cancel_all(tasks)
    finally:
        await source.close()


class _House:
    """All rooms, wired."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        source: TariffSource,
        store: Store,
        plan: MakePlan,
        connection_factory: ConnectionFactory | None,
        ledger: Ledger,
        *,
        trusted_clock: bool,
    ) -> None:
        topics = Topics(config.base_topic)
        self._config, self._trusted = config, trusted_clock
        self.health = health = Health(clock)
        self.liveness = Liveness(health)
        self._online = asyncio.Event()
        device_store = DeviceStore(store, health)
        self.guard = ClockMonitor(
            clock,
            health,
            device_store.newest_instant(),
            _stored_instant(store.get_value(NEWEST_CONFIRMED)),
            assume_trusted=trusted_clock,
        )
        self.larder = Larder(
            source,
            store,
            clock,
            health,
            timezone=config.site.timezone or "UTC",
            contract_start=_contract_start(config),
            on_server_time=self.guard.on_server_time,
        )
        adapters = {item.id: device_adapter(item, config.base_topic) for item in config.devices}
        post_factory: ConnectionFactory = connection_factory or _connection_factory(
            config, self.liveness
        )
        self.post = post_factory(
            will_topic=topics.status,
            client_id=config.mqtt.client_id or f"flatpeak-agent-{config.site.id}",
            health=health,
            subscriptions=lambda: self.inbox.subscriptions,
            on_message=lambda message: self.inbox.receive(message),
            on_connect=self._announce_online,
        )
        self.outbox = Outbox(self.post, clock, self._blocked_by_clock)
        events = EventQueue(clock, self.outbox, topics.event)
        self.devices = DeviceManager(
            clock,
            device_store,
            health,
            topics,
            events,
            self._place,
            on_change=lambda device, anew: self.controller.on_change(device, anew),
            on_reappeared=lambda: self._time_wanted.set(),
        )
        profiles = self._device_profiles()
        dispatcher = Dispatcher(
            profiles,
            adapters,
            self.outbox,
            device_store,
            events,
            health,
            ledger,
            self._place,
            self._withdraw_device,
            on_switch=lambda device, is_on: self.controller.on_switch(device, is_on),
            on_headroom=lambda: self.controller.wake(),
            limited=config.site.import_limit_w is not None,
        )
        self.controller = Controller(
            config,
            clock,
            self.guard,
            self._prices,
            plan,
            self.devices,
            dispatcher,
            events,
            device_store,
            ledger,
            self._place,
            topics,
        )
        events.on_new = self.controller.on_queued
        sections = {item.id: item for item in config.devices}
        powers = {name: profile.max_power_w for name, profile in profiles.items()}
        self.devices.restore(sections, powers)
        dispatcher.restore()
        self.publisher = Publisher(
            topics,
            self.outbox,
            clock,
            self.guard,
            health,
            self.larder,
            on_event=lambda kind, text: events.event(kind, None, text),
        )
        self.inbox = Inbox(
            topics,
            adapters,
            health,
            on_reading=self.devices.on_reading,
            on_ack=self._acknowledged,
            on_request=self.devices.on_request,
            on_site_request=self._site_request,
            on_retained_schedule=dispatcher.on_retained_schedule,
        )
        self._events, self._dispatcher = events, dispatcher
        self._topics = topics
        self._time_wanted = asyncio.Event()
        self._refresh_wanted = asyncio.Event()
        self._trusted_now = asyncio.Event()
        self.guard.on_trusted = self._trusted_now.set
        # Any answer of the tariff source carries the time.
        self.guard.on_confirmation_wanted = self._refresh_wanted.set
        self.guard.on_confirmed_instant = self._keep_confirmed_instant
        health.on_change.append(lambda part: self.publisher.health_changed())
        self._store = store
        store.on_problem = self._report_disk
        self._report_disk()

    def jobs(self) -> Mapping[str, Coroutine[None, None, None]]:
        jobs: dict[str, Coroutine[None, None, None]] = {
            "larder": self.larder.run(),
            "rates": self._on_new_rates(),
            "conductor": self.controller.run(),
            "tariff": self.publisher.run_tariff(),
            "health": self.publisher.run_health(),
            "time": self.publisher.run_time(),
            "time-wanted": self._time_on_demand(),
            "refresh-wanted": self._refresh_on_demand(),
            "post": self.post.run(),
            "watchdog": feed_watchdog(self.liveness.check),
            "ready": announce_ready(self._first_schedules),
        }
        if not self._trusted:
            jobs |= {"clock": self.guard.run(), "sanity": self._on_clock_trusted()}
        return jobs

    def _keep_confirmed_instant(self, when: datetime) -> None:
        statement = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
        self._store.submit((statement, (NEWEST_CONFIRMED, format_instant(when))))

    def _report_disk(self) -> None:
        if self._store.unreadable_rows:
            self.health.counts["unreadable_rows"] = self._store.unreadable_rows
        problem = self._store.problem
        if problem is None:
            self.health.ok("disk")
        elif self._store.durable:
            self.health.degraded("disk", problem.why, problem.who_acts)
        else:
            self.health.failed("disk", problem.why, problem.who_acts)

    async def _announce_online(self) -> None:
        """What is true now, then `online`, then the time: the order that devices rely on."""
        await self.outbox.resend_all()
        await self.post.publish(self._topics.status, "online")
        await self.publisher.send_time()
        self._online.set()

    async def _first_schedules(self) -> None:
        """Until devices have something to follow."""
        await self._online.wait()
        while self._config.devices and not self._dispatcher.holds_any:
            await asyncio.sleep(FIRST_SCHEDULES_LOOK_S)

    async def _on_new_rates(self) -> None:
        seen = -1
        while True:
            await self.larder.current.newer_than(seen)
            seen = self.larder.current.version
            self.publisher.rates_changed()
            self.controller.wake()

    async def _on_clock_trusted(self) -> None:
        while True:
            await self._trusted_now.wait()
            self._trusted_now.clear()
            self.controller.wake()
            self.publisher.rates_changed()
            await self.outbox.flush()
            await self.publisher.send_time()

    async def _time_on_demand(self) -> None:
        while True:
            await self._time_wanted.wait()
            self._time_wanted.clear()
            await self.publisher.send_time()

    async def _refresh_on_demand(self) -> None:
        while True:
            await self._refresh_wanted.wait()
            self._refresh_wanted.clear()
            again = await self.larder.refresh_now()
            if again is not None:
                text = f"prices were asked for a moment ago; again from {format_instant(again)}"
                self._events.event("request_refused", None, text)

    def _blocked_by_clock(self, topic: str) -> bool:
        if self.guard.trusted:
            return False
        return topic.endswith(TIMED_TOPICS) or topic.startswith(f"{self._topics.base}/tariff/")

    def _prices(self, now: datetime, until: datetime) -> PriceForecast | None:
        imported = self.larder.current.value.get(Direction.IMPORT)
        if imported is None:
            return None
        return PriceForecast(
            imported.currency,
            self._place().zone.key,
            self.larder.planning_rates(Direction.IMPORT, now, until),
            self.larder.planning_rates(Direction.EXPORT, now, until),
        )

    def _place(self) -> SiteLocation:
        site = self._config.site
        known: Rates | None = self.larder.current.value.get(Direction.IMPORT)
        name = site.timezone or (known.timezone if known else "UTC")
        return SiteLocation(ZoneInfo(name), site.latitude, site.longitude)

    def _withdraw_device(self, device: str) -> list[OutgoingMessage]:
        """Take back everything of a device that is no longer in the config."""
        base = f"{self._config.base_topic}/device/{device}"
        own = [OutgoingMessage(f"{base}/{name}", "") for name in ("wish", "state", "ack")]
        return [*NativeDevice(self._config.base_topic, device).withdraw(), *own]

    def _site_request(self, payload: bytes) -> None:
        try:
            request = SiteRequest.model_validate_json(payload)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            text = f"site/request: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
            self._events.event("request_refused", None, text)
            return
        if request.refresh:
            self._refresh_wanted.set()
        if request.away_until is not None:
            self.devices.away_until = request.away_until
            self.controller.wake()

    def _acknowledged(self, device: str, ack: Acknowledgement) -> None:
        self._dispatcher.on_ack(device, ack)
        self.devices.on_ack(device, ack)

    def _device_profiles(self) -> dict[str, DeviceProfile]:
        """What devices are; under a limit with offline rules that fit below it together."""
        config = self._config
        profiles = [device_profile(item) for item in config.devices]
        if config.site.import_limit_w is None:
            return {profile.id: profile for profile in profiles}
        fitted, gave_way = fit_offline_rules(
            profiles,
            {item.id: item.priority for item in config.devices},
            config.site.import_limit_w,
            config.site.base_load_w,
        )
        if gave_way:
            names = ", ".join(gave_way)
            self.health.degraded(LIMIT, f"without the agent {names} will not be charged")
        return fitted


def _contract_start(config: Config) -> datetime | None:
    """Local midnight of the contract's first day is near enough in UTC: it only bounds history."""
    day = getattr(config.tariff, "contract_start", None)
    return None if day is None else datetime.combine(day, time.min, UTC)


def _stored_instant(text: str | None) -> datetime | None:
    """None too where what is stored cannot be read."""
    try:
        return None if text is None else parse_instant(text)
    except ValueError:
        return None


def _connection_factory(config: Config, liveness: Liveness) -> ConnectionFactory:
    def make(
        *,
        will_topic: str,
        client_id: str,
        health: Health,
        subscriptions: Callable[[], Sequence[str]],
        on_message: Callable[[Message], None],
        on_connect: Callable[[], Awaitable[None]],
    ) -> BrokerConnection:
        liveness.register("mqtt", MQTT_ALIVE_WITHIN_S)
        return MqttConnection(
            config.mqtt,
            will_topic,
            client_id,
            health,
            subscriptions,
            on_message,
            on_connect,
            on_alive=lambda: liveness.beat("mqtt"),
        )

    return make


__all__ = ["BrokerConnection", "ConnectionFactory", "plan_in_thread", "run_agent"]
