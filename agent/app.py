"""The hall: one task group, one stop event, the life of all rooms. Built by `agent.wiring`."""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter

from agent.app_ports import BrokerConnection, ConnectionFactory
from agent.clock import Clock
from agent.config import Config
from agent.control.timed_planner import MakePlan
from agent.dispatch.outbox import is_device_lane
from agent.energy.plan import Engine, Plan
from agent.energy.sentences import sentence
from agent.energy.situation import Situation
from agent.mqtt.connection import MqttConnection
from agent.planning import make_plan, make_rule_plan
from agent.planning.calm import OF_EACH_DEVICE
from agent.planning.portfolio import ENGINES, Entry
from agent.ports import TariffSource
from agent.records.ledger import Ledger
from agent.solver import SolverClient
from agent.store import Store
from agent.systemd import announce_ready, feed_watchdog, notify
from agent.tariff.connecting.connector import TariffConnector
from agent.tariff.connecting.control_socket import serve
from agent.tasks import cancel_all
from agent.wiring import Rooms, build

log = logging.getLogger(__name__)

DISCONNECT_TIMEOUT_S = 1.0
RELEASE_TIMEOUT_S = 2.0
FIRST_SCHEDULES_LOOK_S = 0.2
PLAN_TIME_LIMIT_S = 2.0
TIME_AT_MOST_EVERY_S = 5.0


async def plan_in_thread(
    situation: Situation,
    time_limit_s: float = PLAN_TIME_LIMIT_S,
    solver: SolverClient | None = None,
) -> Plan:
    """Plan beside the event loop, so that a long search delays no message."""
    began = perf_counter()
    engines = ENGINES if solver is None else (*ENGINES, Entry(Engine.JOINT, solver))
    plan = await asyncio.to_thread(
        make_plan, situation, perf_counter, time_limit_s, engines, OF_EACH_DEVICE
    )
    return dataclasses.replace(plan, took_ms=int((perf_counter() - began) * 1000))


async def rule_in_thread(situation: Situation) -> Plan:
    """The rule's plan: always there in a moment."""
    return await asyncio.to_thread(make_rule_plan, situation, perf_counter)


async def run_agent(
    config: Config,
    *,
    clock: Clock,
    source: TariffSource,
    store: Store,
    stop: asyncio.Event,
    connection_factory: ConnectionFactory | None = None,
    plan: MakePlan | None = None,
    fallback: MakePlan = rule_in_thread,
    ledger: Ledger | None = None,
    trusted_clock: bool = False,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Do the main job until `stop` is set; `offline` stands on the status topic afterwards.

    `trusted_clock`: the clock is somebody's own (demo, tests) and needs no confirmation; without
    `plan` it is planned in a thread, within the owner's time limit, by all engines, the joint one
    in a process of its own.
    """
    solver = SolverClient()
    rooms = build(
        config,
        clock=clock,
        source=source,
        store=store,
        ledger=ledger or Ledger(),
        plan=plan
        or partial(plan_in_thread, time_limit_s=config.planner.time_limit_s, solver=solver),
        fallback=fallback,
        connection_factory=connection_factory or _to_the_broker(config),
        trusted_clock=trusted_clock,
    )
    try:
        async with asyncio.TaskGroup() as group:
            jobs = _jobs(rooms, store.folder, trusted_clock=trusted_clock)
            tasks = [group.create_task(job, name=name) for name, job in jobs.items()]
            on_ready()
            await stop.wait()
            notify("STOPPING=1")
            await _release_devices(rooms)
            await rooms.connection.publish_offline("offline", DISCONNECT_TIMEOUT_S)
            await cancel_all(tasks)
    finally:
        rooms.devices.save_all()
        rooms.site.power.save()
        rooms.store.queue.flush(everything=True)
        await asyncio.to_thread(solver.close)
        await source.close()


def _jobs(
    rooms: Rooms, folder: Path | None, *, trusted_clock: bool
) -> Mapping[str, Coroutine[None, None, None]]:
    jobs: dict[str, Coroutine[None, None, None]] = {
        "rate-cache": rooms.rate_cache.run(),
        "rates": _on_new_rates(rooms),
        "controller": rooms.controller.run(),
        "outbox": rooms.outbox.run(),
        "tariff": rooms.publisher.run_tariff(),
        "health": rooms.publisher.run_health(),
        "ledger": rooms.publisher.run_ledger(),
        "time": rooms.publisher.run_time(),
        "time-wanted": _time_on_demand(rooms),
        "refresh-wanted": _refresh_on_demand(rooms),
        "connection": rooms.connection.run(),
        "watchdog": feed_watchdog(rooms.liveness.check),
        "ready": announce_ready(lambda: _first_schedules(rooms)),
    }
    for number, companion in enumerate(rooms.companions):
        jobs[f"companion-{number}"] = companion.run()
    if rooms.connector is not None:
        jobs["connect"] = rooms.connector.run()
        jobs["location"] = _on_location(rooms, rooms.connector)
        if folder is not None:
            jobs["connect-command"] = serve(rooms.connector, folder)
    if not trusted_clock:
        jobs |= {
            "clock": rooms.clock_monitor.run(),
            "clock-trusted": _on_clock_trusted(rooms),
            "clock-wanted": _time_of_the_source(rooms),
        }
    return jobs


async def _first_schedules(rooms: Rooms) -> None:
    """Until devices have something to follow."""
    await rooms.signals.online.wait()
    while rooms.config.appliances and not rooms.dispatcher.holdings.any_held:
        await asyncio.sleep(FIRST_SCHEDULES_LOOK_S)


async def _release_devices(rooms: Rooms) -> None:
    """Who follows no schedule without us is let go; a broker that is away is not waited for."""
    rooms.dispatcher.setpoints.release_at_end()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_TIMEOUT_S):
            await rooms.outbox.drained(is_device_lane)


async def _on_new_rates(rooms: Rooms) -> None:
    seen = -1
    while True:
        await rooms.rate_cache.current.newer_than(seen)
        seen = rooms.rate_cache.current.version
        rooms.publisher.rates_changed()
        rooms.controller.on_rates()


async def _on_clock_trusted(rooms: Rooms) -> None:
    while True:
        await rooms.signals.clock_trusted.wait()
        rooms.signals.clock_trusted.clear()
        rooms.controller.wake()
        rooms.publisher.rates_changed()
        rooms.publisher.ledger_changed()
        rooms.outbox.flush_timed()
        rooms.dispatcher.setpoints.connected()
        await rooms.publisher.send_time()


async def _time_on_demand(rooms: Rooms) -> None:
    while True:
        await rooms.signals.time_wanted.wait()
        rooms.signals.time_wanted.clear()
        await rooms.publisher.send_time()
        # Of a device that comes and goes all the time.
        await asyncio.sleep(TIME_AT_MOST_EVERY_S)


async def _refresh_on_demand(rooms: Rooms) -> None:
    while True:
        await rooms.signals.refresh_wanted.wait()
        rooms.signals.refresh_wanted.clear()
        again = await rooms.rate_cache.refresh_now()
        if again is not None:
            text = sentence("prices were asked for a moment ago; again from {at}", at=again)
            rooms.events.event("request_refused", None, text)


async def _on_location(rooms: Rooms, connector: TariffConnector) -> None:
    while True:
        await rooms.signals.location_changed.wait()
        rooms.signals.location_changed.clear()
        found = connector.location
        await rooms.rate_cache.use_connection(found.location_id, found.directions)


async def _time_of_the_source(rooms: Rooms) -> None:
    while True:
        await rooms.signals.confirmation_wanted.wait()
        rooms.signals.confirmation_wanted.clear()
        await rooms.rate_cache.ask_the_time()


def _to_the_broker(config: Config) -> ConnectionFactory:
    def connect(**wiring: object) -> BrokerConnection:
        return MqttConnection(config.mqtt, **wiring)  # type: ignore[arg-type]  # the factory's own

    return connect


__all__ = ["plan_in_thread", "run_agent"]
