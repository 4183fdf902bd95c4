"""`flatpeak-agent demo`: the main job with everything embedded, in fast motion.

Sandbox with real prices, a broker on loopback, the agent, and appliances that know only MQTT.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from agent.app import run_agent
from agent.cli.common import EX_OK, EX_UNAVAILABLE, run_until_stopped, set_up_logging
from agent.cli.screen import Screen, summary_text
from agent.clock import Clock, SteppedClock, SystemClock
from agent.config import Config
from agent.energy.localtime import local_instant
from agent.errors import Unavailable
from agent.records.ledger import Ledger
from agent.store import Store
from agent.tasks import cancel_all
from integrations.firmware.compiled import CompiledFollower, compile_follower
from integrations.firmware.follower import Follower
from integrations.registry import AgentConfig, tariff_source
from integrations.sandbox.appliances.appliance import Appliance
from integrations.sandbox.appliances.link import open_link
from integrations.sandbox.broker import HOST, Broker, open_broker
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.locations import Location
from integrations.sandbox.server import FlatPeakSandbox

BEGINS_AT = time(16, 0)
DEFAULT_SPEED = 1200.0
DEFAULT_DAYS = 2.0
BASE = "flatpeak/home"
ANSWERS_WITHIN_S = 5.0
EX_MISSED = 1


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatpeak-agent demo",
        description="The agent at work in fast motion, with real prices and nothing to install.",
    )
    parser.add_argument("--speed", type=_positive, default=DEFAULT_SPEED, help="times real time")
    parser.add_argument(
        "--days", type=_positive, default=None, help="simulated days (2; with --forever no end)"
    )
    parser.add_argument("--forever", action="store_true", help="go on until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="only the summary, as JSON")
    parser.add_argument(
        "--broker", choices=("auto", "mosquitto", "embedded"), default="auto", help="which broker"
    )
    args = parser.parse_args(argv)
    set_up_logging("error")
    days = None if args.forever else args.days or DEFAULT_DAYS
    try:
        return run_until_stopped(_demo(args.speed, days, args.broker, as_json=args.json))
    except Unavailable as error:
        print(f"flatpeak-agent demo: {error}", file=sys.stderr)
        return EX_UNAVAILABLE


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


async def _demo(speed: float, days: float | None, choice: str, *, as_json: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_broker(choice) as broker, contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flatpeak-demo-")))
        library = await asyncio.to_thread(compile_follower, folder)
        clock: Clock = SteppedClock(SystemClock().now(), speed)
        sandbox = await stack.enter_async_context(FlatPeakSandbox(clock))
        location = next(iter(sandbox.locations.values()))
        start = local_instant(
            clock.now().astimezone(location.zone).date(), BEGINS_AT, location.zone
        )
        sandbox.clock = clock = SteppedClock(start, speed)
        config = _config(sandbox, location, broker)
        ledger, store = Ledger(), Store.in_memory()
        screen = Screen(
            clock,
            location.zone,
            BASE,
            ledger,
            currency=location.currency,
            quiet=as_json,
            title=_title(speed, broker),
        )
        watch = await stack.enter_async_context(open_link(HOST, broker.port, "demo-watch"))
        await watch.subscribe([f"{BASE}/#"], screen.receive)
        links = {
            str(device["id"]): await stack.enter_async_context(
                open_link(HOST, broker.port, f"appliance-{device['id']}")
            )
            for device in DEVICES
        }
        appliances = build_appliances(
            BASE,
            clock,
            location.zone,
            lambda name: links[name],
            lambda safe: CompiledFollower(library, safe) if library else Follower(safe),
        )
        jobs = [
            asyncio.create_task(appliance.run(), name=appliance.name) for appliance in appliances
        ]
        jobs.append(asyncio.create_task(screen.run(), name="screen"))
        end = None if days is None else start + timedelta(days=days)
        jobs.append(asyncio.create_task(_end(stop, clock, end, ledger), name="end"))
        try:
            await run_agent(
                config,
                clock=clock,
                source=tariff_source(config.tariff, clock),
                store=store,
                stop=stop,
                ledger=ledger,
                trusted_clock=True,
            )
        finally:
            await cancel_all(jobs)
            store.close()
        summary = _summary(
            ledger, appliances, clock.now() - start, sandbox, location, screen.messages
        )
        screen.close()
        print(json.dumps(summary) if as_json else summary_text(summary))
    # Stopped by a person it has promised nothing.
    broken_off = end is None or clock.now() < end
    return EX_OK if summary["ok"] or broken_off else EX_MISSED


def _config(sandbox: FlatPeakSandbox, location: Location, broker: Broker) -> Config:
    return AgentConfig.model_validate(
        {
            "site": {"id": "home"},
            "tariff": {
                "source": "flatpeak",
                "base_url": sandbox.url,
                "account_id": sandbox.account_id,
                "api_key": sandbox.api_key,
                "location_id": location.id,
            },
            "mqtt": {"host": HOST, "port": broker.port, "protocol": broker.protocol},
            "devices": list(DEVICES),
        }
    )


def _title(speed: float, broker: Broker) -> str:
    return f"FlatPeak edge agent, demo at {speed:g} times real time, broker {broker.name}"


async def _end(stop: asyncio.Event, clock: Clock, end: datetime | None, ledger: Ledger) -> None:
    """Stop at the end; what was published last still gets its acknowledgement."""
    if end is None:
        return
    await clock.sleep_until(end)
    accounts = ledger.accounts.values()
    for _ in range(int(ANSWERS_WITHIN_S * 20)):
        if all(account.schedules == account.schedules_followed for account in accounts):
            break
        await asyncio.sleep(0.05)
    stop.set()


def _summary(
    ledger: Ledger,
    appliances: Sequence[Appliance],
    ran: timedelta,
    sandbox: FlatPeakSandbox,
    location: Location,
    messages: int,
) -> dict[str, object]:
    """The figures of the demo, from the ledger."""
    devices = []
    for appliance in appliances:
        account = ledger.of(appliance.name)
        devices.append(
            {
                "id": appliance.name,
                "energy_kwh": _rounded(account.energy_kwh, 3),
                "cost": _rounded(account.cost, 4),
                "baseline_cost": _rounded(account.baseline_cost, 4),
                "deadlines": account.deadlines,
                "deadlines_met": account.deadlines_met,
                "schedules": account.schedules,
                "schedules_followed": account.schedules_followed,
            }
        )
    good = all(
        account.deadlines == account.deadlines_met
        and account.schedules == account.schedules_followed > 0
        for account in (ledger.of(appliance.name) for appliance in appliances)
    )
    return {
        "ok": good,
        "simulated_s": round(ran.total_seconds()),
        "currency": location.currency,
        "devices": devices,
        "api_calls": sandbox.count(),
        "messages": messages,
    }


def _rounded(value: Decimal, digits: int) -> float:
    return float(round(value, digits))
