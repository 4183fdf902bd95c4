"""Builds the rooms and connects them: with `agent.app` the only file that knows them all."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.app_ports import BrokerConnection, ConnectionFactory
from agent.clock import Clock
from agent.clockmonitor import ClockMonitor
from agent.config import Config
from agent.connect_ports import ConnectableSource
from agent.contracts.topics import Topics
from agent.control.announcement import Announcement
from agent.control.companion_services import AgentServices
from agent.control.controller import Controller
from agent.control.device_manager import DeviceManager
from agent.control.house_power import HousePower
from agent.control.incoming import Incoming
from agent.control.limit_control import LimitControl
from agent.control.offline_rules import offline_rules
from agent.control.site import Site
from agent.control.site_meters import SiteMeters, most_of_connection_w
from agent.control.timed_planner import MakePlan, TimedPlanner
from agent.control.used_topics import UsedTopics
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.inbox import Inbox
from agent.dispatch.outbox import (
    COMPANIONS,
    EVENTS,
    Outbox,
)
from agent.dispatch.topic_guard import TopicGuard
from agent.energy.profile import DeviceProfile
from agent.energy.rates import Direction
from agent.energy.sentences import sentence
from agent.health import Health
from agent.home.kinds.meter import Meter
from agent.home.kinds.pv_inverter import PvInverter
from agent.liveness import Liveness
from agent.ports import (
    Companion,
    DeviceAdapter,
    TariffSource,
)
from agent.records.bookkeeper import Bookkeeper
from agent.records.device_store import DeviceStore
from agent.records.ledger import Ledger
from agent.records.ledger_table import LedgerTable
from agent.records.limit_log import LimitLog
from agent.report.event_queue import EventQueue
from agent.report.publisher import Publisher
from agent.store import Store
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.connecting.connector import TariffConnector
from agent.tariff.rate_cache import RateCache
from agent.tariff.records import Records
from integrations.registry import companions, device_adapter

OFFLINE = "offline"
MQTT = "mqtt"
# The longest that each part may be without a sign of life: a connect with all its time-outs, a
# plan that takes its time, a call of the tariff source.
ALIVE_WITHIN_S = {MQTT: 60.0, "setpoints": 420.0, "planning": 480.0, "rate_cache": 3900.0}


@dataclass(slots=True)
class Signals:
    """What one room tells another without knowing it."""

    time_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    refresh_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    confirmation_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    location_changed: asyncio.Event = field(default_factory=asyncio.Event)
    clock_trusted: asyncio.Event = field(default_factory=asyncio.Event)
    online: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Rooms:
    """All rooms, wired."""

    config: Config
    topics: Topics
    health: Health
    clock_monitor: ClockMonitor
    rate_cache: RateCache
    connection: BrokerConnection
    outbox: Outbox
    events: EventQueue
    store: DeviceStore
    site: Site
    devices: DeviceManager
    dispatcher: Dispatcher
    controller: Controller
    publisher: Publisher
    inbox: Inbox
    used_topics: UsedTopics
    companions: tuple[Companion, ...]
    connector: TariffConnector | None
    signals: Signals
    liveness: Liveness


def build(
    config: Config,
    *,
    clock: Clock,
    source: TariffSource,
    store: Store,
    ledger: Ledger,
    plan: MakePlan,
    fallback: MakePlan,
    connection_factory: ConnectionFactory,
    trusted_clock: bool,
) -> Rooms:
    """Every room, ready to run. Nothing has been sent or asked yet."""
    topics = Topics(config.base_topic)
    health = Health(clock)
    signals = Signals()
    device_store = DeviceStore(store, health, clock)
    monitor = ClockMonitor(
        clock,
        health,
        device_store.newest_instant(),
        device_store.newest_confirmed(),
        assume_trusted=trusted_clock,
    )
    monitor.on_trusted = signals.clock_trusted.set
    # Any answer of the tariff source carries the time.
    monitor.on_confirmation_wanted = signals.confirmation_wanted.set
    monitor.on_confirmed_instant = device_store.save_newest_confirmed
    liveness = Liveness(health)
    connector = _connector(
        source,
        Records(store, health),
        clock,
        health,
        zone=lambda: site.location().zone,
        on_location=signals.location_changed.set,
        on_event=lambda kind, text: events.event(kind, None, text),
        on_change=lambda: something_changed(),
    )
    rate_cache = RateCache(
        source,
        store,
        clock,
        health,
        timezone=config.site.timezone or "",
        contract_start=_contract_start(config),
        on_server_time=monitor.on_server_time,
        on_event=lambda kind, text: events.event(kind, None, text),
        is_known=(lambda event: False) if connector is None else connector.is_known,
        on_alive=lambda: liveness.beat("rate_cache"),
        on_prices=lambda since: bookkeeper.prices_changed(since),
    )
    adapters: Mapping[str, DeviceAdapter] = {
        item.id: device_adapter(item, config.base_topic) for item in config.devices
    }
    # The connection calls back only while it runs: by then the rooms built after it are there.
    connection = connection_factory(
        will_topic=topics.status,
        client_id=config.mqtt.client_id or f"flatpeak-agent-{config.site.id}",
        health=health,
        subscriptions=lambda: inbox.subscriptions,
        on_message=lambda message: inbox.receive(message),
        on_connect=lambda: announcement.announce(),
        on_alive=lambda: liveness.beat(MQTT),
        on_refused=lambda topic: dispatcher.setpoints.refused(topic),
    )
    outbox = Outbox(connection, clock, health, lambda: not monitor.trusted)
    appliances = {item.id for item in config.appliances}
    holders = {name for name in appliances if adapters[name].holds_schedule}
    used_topics = UsedTopics(device_store, outbox, topics, appliances, holders)
    outbox.on_topic = used_topics.note
    events = EventQueue(clock, health, topics.event, lambda message: outbox.set(EVENTS, message))
    meters = SiteMeters(
        {item.id: item.role for item in config.devices if isinstance(item, Meter | PvInverter)},
        frozenset(item.id for item in config.devices if not item.controlled),
        health,
    )
    power = HousePower(
        config.site,
        clock,
        health,
        device_store,
        meters,
        location=lambda: site.location(),
        devices_w=lambda now: sum(devices.powers_w(now)),
        given_w=lambda now: -sum(power for power in devices.powers_w(now) if power < 0),
        roof_limited=lambda now: devices.roof_limited(now),
    )
    site = Site(
        config,
        clock,
        health,
        topics,
        outbox,
        events,
        device_store,
        LimitLog(device_store),
        rate_cache,
        power,
        on_stricter=lambda: controller.on_stricter_limit(),
        on_change=lambda: controller.on_site_change(),
        on_weather=lambda: controller.on_weather(),
        on_refresh=signals.refresh_wanted.set,
    )
    profiles = _profiles(config, site, health)
    meters.most_w = most_of_connection_w(config.site, profiles.values())
    bookkeeper = Bookkeeper(
        ledger,
        LedgerTable(store),
        rate_cache,
        zone=lambda: site.location().zone,
        surplus=power.surplus_spans,
        on_change=lambda: publisher.ledger_changed(),
        on_currency=lambda old, new: events.event(
            "currency_changed",
            None,
            sentence("prices are in {new} now: the ledger begins new totals", new=new),
        ),
    )
    devices = DeviceManager(
        clock,
        device_store,
        health,
        topics,
        outbox,
        events,
        site.context,
        clock_trusted=lambda: monitor.trusted,
        on_change=lambda device, user: controller.on_change(device, user),
        on_asked=lambda device: controller.on_request(device),
        on_reappeared=signals.time_wanted.set,
        on_unheard=lambda device: dispatcher.setpoints.tell_again(device),
        on_take_back=lambda device: controller.take_back(device),
        bookkeeper=bookkeeper,
        acknowledges=lambda device: adapters[device].acknowledges,
        holds_schedule=lambda device: adapters[device].holds_schedule,
        revision_problem=lambda device: dispatcher.acknowledgements.revision_problem(device),
        on_profile=profiles.__setitem__,
        look_at_clock=monitor.look,
    )
    dispatcher = Dispatcher(
        profiles,
        adapters,
        outbox,
        device_store,
        events,
        health,
        ledger,
        site.location,
        on_told=devices.on_told,
        on_restored=devices.on_restored,
        on_switch=lambda device, is_on: controller.on_switch(device, is_on),
        on_headroom=lambda: controller.plan_now(),
        runs_until=devices.runs_until,
    )
    controller = Controller(
        config,
        clock,
        lambda: monitor.trusted,
        TimedPlanner(plan, fallback, config.planner.time_limit_s),
        site,
        devices,
        dispatcher,
        outbox,
        events,
        device_store,
        bookkeeper,
        LimitControl(site, devices, dispatcher, site.limit_log, profiles),
        topics,
        profiles,
    )
    publisher = Publisher(
        topics,
        outbox,
        clock,
        lambda: monitor.trusted,
        health,
        rate_cache,
        bookkeeper,
        on_event=lambda kind, text: events.event(kind, None, text),
    )
    outbox.on_sent = dispatcher.setpoints.sent
    dispatcher.setpoints.on_arrived = devices.on_arrived
    devices.restore({item.id: item for item in config.appliances}, profiles)
    dispatcher.restore(clock.now())

    def on_clock_jump(by: timedelta) -> None:
        devices.clock_jumped(by, site.location().zone)
        power.clock_jumped()

    monitor.on_jump = on_clock_jump
    guard = TopicGuard(topics, outbox, health)

    incoming = Incoming(
        clock,
        topics,
        meters,
        devices,
        dispatcher,
        controller,
        guard,
        look_at_clock=monitor.look,
        on_change=lambda: something_changed(),
    )
    announcement = Announcement(
        topics, outbox, dispatcher.setpoints, publisher.send_time, signals.online
    )
    services: dict[str, AgentServices] = {}

    def services_for(name: str) -> AgentServices:
        services[name] = AgentServices(
            name,
            clock,
            outbox,
            device_store,
            rate_cache,
            site,
            devices,
            events,
            controller,
            health,
            store,
            lambda: monitor.trusted,
            announcement.repeat_status,
            connector,
        )
        return services[name]

    others = tuple(companions(config, clock, services_for))
    used_topics.others = {topic for item in others for topic in item.topics}

    def something_changed(lane: str = "") -> None:
        if lane != COMPANIONS:
            for service in services.values():
                service.changed.set()

    outbox.on_set = something_changed
    inbox = Inbox(
        topics,
        adapters,
        health,
        site.subscriptions,
        on_decoded=incoming.on_decoded,
        on_request=devices.on_request,
        on_site=site.receive,
        on_schedule_seen=incoming.on_schedule_seen,
        on_published=guard.receive,
        companions=others,
    )

    health.on_change.append(lambda part: publisher.health_changed())

    def report_disk() -> None:
        if store.unreadable_rows:
            health.counts["unreadable_rows"] = store.unreadable_rows
        problem = store.problem
        if problem is None:
            health.ok("disk")
        elif store.durable:
            health.degraded("disk", problem.why, problem.who_acts)
        else:
            health.failed("disk", problem.why, problem.who_acts)

    store.on_problem = report_disk
    report_disk()
    controller.on_turn = liveness.beat
    for part, allowed_s in ALIVE_WITHIN_S.items():
        liveness.register(part, allowed_s)
    used_topics.ended = {
        topic
        for direction in Direction
        if direction not in rate_cache.current.value
        for topic in (topics.tariff(direction.value), topics.tariff(f"{direction.value}/list"))
    }
    used_topics.empty_what_is_nobodys()
    return Rooms(
        config=config,
        topics=topics,
        health=health,
        clock_monitor=monitor,
        rate_cache=rate_cache,
        connection=connection,
        outbox=outbox,
        events=events,
        store=device_store,
        site=site,
        devices=devices,
        dispatcher=dispatcher,
        controller=controller,
        publisher=publisher,
        inbox=inbox,
        used_topics=used_topics,
        companions=others,
        connector=connector,
        signals=signals,
        liveness=liveness,
    )


def _connector(
    source: TariffSource,
    kept: Records,
    clock: Clock,
    health: Health,
    *,
    zone: Callable[[], ZoneInfo],
    on_location: Callable[[], None],
    on_event: Callable[[str, str], None],
    on_change: Callable[[], None],
) -> TariffConnector | None:
    """For a source whose tariff a person connects, which is told what was connected before."""
    if not isinstance(source, ConnectableSource):
        return None
    connections = ConnectionStore(kept)
    source.use_connection(connections.location.location_id, connections.location.directions)
    return TariffConnector(
        source.connect_api,
        connections,
        clock,
        health,
        configured_location=source.configured_location,
        zone=zone,
        on_location=on_location,
        on_event=on_event,
        on_change=on_change,
    )


def _profiles(config: Config, site: Site, health: Health) -> dict[str, DeviceProfile]:
    """What devices are; under a limit with offline rules that fit below it together."""
    rules = offline_rules(config, max(site.base_load().values))
    if rules.why is not None:
        health.degraded(OFFLINE, rules.why, rules.who_acts)
    return rules.profiles


def _contract_start(config: Config) -> datetime | None:
    """Local midnight of the contract's first day is near enough in UTC: it only bounds history."""
    day = config.tariff.contract_since
    return None if day is None else datetime.combine(day, time.min, UTC)
