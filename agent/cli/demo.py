"""`flatpeak-agent demo`: the main job with everything embedded, in fast motion.

Sandbox with real prices, a broker on loopback, the agent, and appliances that know only MQTT.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from datetime import datetime, time, timedelta
from pathlib import Path

from agent.app import plan_in_thread, run_agent
from agent.cli.arguments import CommandParser, number_to, port
from agent.cli.common import (
    EX_OK,
    EX_UNAVAILABLE,
    run_until_stopped,
    set_up_logging,
    stop_on_signals,
)
from agent.cli.demo_connect import demo_energy, invite, pages_section
from agent.cli.demo_display import DemoDisplay
from agent.cli.demo_summary import Course, is_good, summary_document, summary_text
from agent.cli.paced_clock import PacedClock
from agent.clock import SystemClock
from agent.config import Config
from agent.energy.localtime import local_instant
from agent.energy.plan import Plan
from agent.energy.situation import Situation
from agent.errors import Unavailable
from agent.records.ledger import Ledger
from agent.store import Store
from agent.tasks import cancel_all
from integrations.firmware.compiled import CompiledFollower, compile_follower
from integrations.firmware.follower import Follower
from integrations.registry import AgentConfig, tariff_source
from integrations.sandbox.appliances.link import open_link
from integrations.sandbox.broker import HOST, Broker, open_broker
from integrations.sandbox.household import HOUSEHOLDS, Household
from integrations.sandbox.locations import Location, built_in
from integrations.sandbox.server import FlatPeakSandbox

BEGINS_AT = time(16, 0)
DEFAULT_SPEED = 1200.0
DEFAULT_DAYS = 2.0
MOST_SPEED, MOST_DAYS = 1_000_000, 3650
BASE = "flatpeak/home"
PULSE = "demo/pulse"
ANSWERS_WITHIN_S = 30.0
ENDING_SPEED = 60.0
# Who looks on shall not wait for a tariff to be read; FlatPeak takes minutes.
PROCESSING_S = 5
EX_MISSED = 1


def main(argv: list[str]) -> int:
    parser = CommandParser(
        "demo", "The agent at work in fast motion, with real prices and nothing to install."
    )
    parser.add_argument(
        "--speed",
        type=number_to(MOST_SPEED),
        default=None,
        help=f"times real time ({DEFAULT_SPEED:g}; with --connect 1)",
    )
    parser.add_argument(
        "--days",
        type=number_to(MOST_DAYS),
        default=None,
        help="simulated days (2; with --forever no end)",
    )
    parser.add_argument("--forever", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="only the summary, as JSON")
    parser.add_argument(
        "--broker", choices=("auto", "mosquitto", "embedded"), default="auto", help="which broker"
    )
    parser.add_argument(
        "--broker-port",
        type=port,
        default=0,
        metavar="PORT",
        help=f"where it listens on {HOST}, for mosquitto_sub (one that is free)",
    )
    parser.add_argument(
        "--house",
        choices=tuple(HOUSEHOLDS),
        default="flat",
        help="flat: appliances alone; full: with a battery, a roof, a second car",
    )
    parser.add_argument(
        "--connect",
        action="store_true",
        help="in real time with nothing connected yet: click through it in a browser; no end",
    )
    args = parser.parse_args(argv)
    if args.connect and args.json:
        parser.error("--connect waits for a person: it goes without --json")
    set_up_logging("error")
    endless = args.forever or args.connect
    days = args.days or (None if endless else DEFAULT_DAYS)
    speed = args.speed or (1.0 if args.connect else DEFAULT_SPEED)
    house = HOUSEHOLDS[args.house]
    try:
        return run_until_stopped(
            _demo(
                speed,
                days,
                open_broker(args.broker, args.broker_port),
                house,
                as_json=args.json,
                connect=args.connect,
            )
        )
    except (Unavailable, FileNotFoundError) as error:
        # The second: there is no folder for temporary files that can be written.
        print(f"flatpeak-agent demo: {error}", file=sys.stderr)
        return EX_UNAVAILABLE


async def _demo(
    speed: float,
    days: float | None,
    opened: contextlib.AbstractAsyncContextManager[Broker],
    house: Household,
    *,
    as_json: bool,
    connect: bool,
) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with opened as broker, contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flatpeak-demo-")))
        library = await asyncio.to_thread(compile_follower, folder)
        locations = built_in()
        location = locations[0]
        start = SystemClock().now()
        if not connect:
            # Who clicks has a browser, whose cookies go by its own clock.
            today = start.astimezone(location.zone).date()
            start = local_instant(today, BEGINS_AT, location.zone)
        clock = PacedClock(start, speed)
        sandbox = await stack.enter_async_context(
            FlatPeakSandbox(clock, locations=locations, processing_s=PROCESSING_S)
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        config = _config(sandbox, location, broker, house, folder if connect else None)
        ledger, store = Ledger(), Store.in_memory()
        display = DemoDisplay(
            clock,
            location.zone,
            BASE,
            ledger,
            currency=location.currency,
            quiet=as_json,
            broker=f"{broker.name} at {HOST} port {broker.port}",
            on_gone=stop.set,
            in_place=not connect,
        )
        watch = await stack.enter_async_context(open_link(HOST, broker.port, "demo-watch"))
        await watch.subscribe([f"{BASE}/#"], display.receive)
        links = {
            name: await stack.enter_async_context(open_link(HOST, broker.port, f"appliance-{name}"))
            for name in house.connections
        }
        appliances = house.build(
            BASE,
            clock,
            location.zone,
            lambda name: links[name],
            lambda safe: CompiledFollower(library, safe) if library else Follower(safe),
        )
        jobs = [asyncio.create_task(item.run()) for item in appliances]
        jobs.append(asyncio.create_task(clock.run(), name="clock"))
        pulse = asyncio.Event()
        pulse_link = await stack.enter_async_context(open_link(HOST, broker.port, "demo-pulse"))
        await pulse_link.subscribe([PULSE], lambda _topic, _payload: pulse.set())
        pacing = clock.follow(lambda: pulse_link.publish(PULSE, "", retain=False), pulse)
        jobs.append(asyncio.create_task(pacing, name="pulse"))
        jobs.append(asyncio.create_task(display.run(), name="display"))
        if connect:
            login = await stack.enter_async_context(demo_energy(sandbox, clock, folder))
            jobs.append(asyncio.create_task(invite(config, folder, login), name="invitation"))
        end = None if days is None else start + timedelta(days=days)
        jobs.append(asyncio.create_task(_end(stop, clock, end, ledger), name="end"))

        async def plan(situation: Situation) -> Plan:
            with clock.hold():
                return await plan_in_thread(situation)

        try:
            await run_agent(
                config,
                clock=clock,
                source=tariff_source(config.tariff, clock),
                store=store,
                stop=stop,
                plan=plan,
                ledger=ledger,
                trusted_clock=True,
            )
        finally:
            await cancel_all(jobs)
            store.close()
        ran = clock.now() - start
        # Stopped by a person it has promised nothing.
        broken_off = end is None or clock.now() < end
        names = house.appliance_ids
        course = Course(
            ran,
            location.currency,
            sandbox.count(),
            display.messages,
            broken_off,
            speed,
            ran.total_seconds() / (loop.time() - began) if clock.slowed else None,
        )
        display.close()
        if as_json:
            print(json.dumps(summary_document(ledger, names, course)))
        else:
            print(summary_text(ledger, names, course))
    good = is_good([ledger.of(name) for name in names])
    return EX_OK if good or broken_off else EX_MISSED


def _config(
    sandbox: FlatPeakSandbox,
    location: Location,
    broker: Broker,
    house: Household,
    pages_in: Path | None,
) -> Config:
    """With `pages_in`, a folder for their state: nothing is connected, and the pages are on."""
    tariff: dict[str, object] = {
        "source": "flatpeak",
        "base_url": sandbox.url,
        "account_id": sandbox.account_id,
        "api_key": sandbox.api_key,
        "connect_url": sandbox.connect_web_url,
    }
    if pages_in is None:
        tariff["location_id"] = location.id
    return AgentConfig.model_validate(
        {
            # Known from the start, as for who looks on, and not only when a tariff says so.
            "site": {"id": "home", "timezone": location.zone.key, **house.site},
            "tariff": tariff,
            **({} if pages_in is None else pages_section(pages_in)),
            "mqtt": {"host": HOST, "port": broker.port, "protocol": broker.protocol},
            "devices": list(house.devices),
            # Nobody else can reach the demo's broker.
            "homeassistant": {"enabled": False},
        }
    )


async def _end(
    stop: asyncio.Event, clock: PacedClock, end: datetime | None, ledger: Ledger
) -> None:
    """Stop at the end; what was published last still gets its acknowledgement."""
    if end is None:
        return
    await clock.sleep_until(end)
    # While the last answers come nothing new shall become due.
    clock.slow_down_to(ENDING_SPEED)
    accounts = ledger.accounts.values()
    for _ in range(int(ANSWERS_WITHIN_S * 20)):
        if all(account.schedules == account.schedules_followed for account in accounts):
            break
        await asyncio.sleep(0.05)
    stop.set()
