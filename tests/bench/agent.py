"""Speeds and sizes of the running agent, in a process of its own, against a real broker."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import aiomqtt

from agent.web.claim_code import issue_claim_code
from integrations.sandbox.appliances.link import NO_DELAY, open_link
from integrations.sandbox.broker import HOST, Broker, free_port, open_broker
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.bench.child import SharedClock
from tests.fakes.web_home import visitor

Row = tuple[str, float, float, str]
BASE = "flatpeak/home"
SPEED = 2880
FORTNIGHT = 14
START = datetime(2026, 1, 15, 16, tzinfo=UTC)


class Bench:
    """A broker and a sandbox; `agent` starts the child and gives its figures when it has ended."""

    def __init__(self, broker: Broker, sandbox: FlatPeakSandbox, clock: SharedClock) -> None:
        self.broker, self.sandbox, self.clock = broker, sandbox, clock

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, speed: float) -> AsyncIterator["Bench"]:
        epoch = time.time()
        clock = SharedClock(START, epoch, speed)
        async with open_broker() as broker, FlatPeakSandbox(clock) as sandbox:
            bench = cls(broker, sandbox, clock)
            bench.epoch, bench.speed = epoch, speed
            yield bench

    epoch: float
    speed: float

    async def agent(
        self,
        database: Path,
        seconds: float,
        devices: Sequence[object] = DEVICES,
        sections: Mapping[str, object] | None = None,
    ) -> dict[str, float]:
        """`sections` of the config besides those of every house."""
        task = {
            "start": START.timestamp(),
            "epoch": self.epoch,
            "speed": self.speed,
            "seconds": seconds,
            "database": str(database),
            "config": {
                "tariff": {
                    "source": "flatpeak",
                    "base_url": self.sandbox.url,
                    "account_id": self.sandbox.account_id,
                    "api_key": self.sandbox.api_key,
                    "location_id": next(iter(self.sandbox.locations)),
                },
                "mqtt": {
                    "host": HOST,
                    "port": self.broker.port,
                    "protocol": self.broker.protocol,
                },
                "devices": list(devices),
                **(sections or {}),
            },
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bench.child",
            json.dumps(task),
            stdout=asyncio.subprocess.PIPE,
            # As the systemd unit starts it.
            env={**os.environ, "MALLOC_ARENA_MAX": "1", "PYTHONNODEBUGRANGES": "1"},
        )
        try:
            out, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        figures: dict[str, float] = json.loads(out)
        return figures

    def client(self) -> aiomqtt.Client:
        return aiomqtt.Client(HOST, self.broker.port, socket_options=NO_DELAY)


async def _life(
    folder: Path, days: float, sections: Mapping[str, object] | None = None
) -> dict[str, float]:
    """Simulated days with all appliances."""
    async with Bench.open(speed=SPEED) as bench, contextlib.AsyncExitStack() as stack:
        links = {
            str(device["id"]): await stack.enter_async_context(
                open_link(HOST, bench.broker.port, f"appliance-{device['id']}")
            )
            for device in DEVICES
        }
        zone = next(iter(bench.sandbox.locations.values())).zone
        appliances = build_appliances(BASE, bench.clock, zone, lambda name: links[name])
        jobs = [asyncio.create_task(appliance.run()) for appliance in appliances]
        database = folder / f"{days}-{len(sections or {})}.sqlite"
        figures = await bench.agent(database, days * 86_400 / SPEED, sections=sections)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    return figures


async def _day(folder: Path) -> list[Row]:
    figures = await _life(folder, 1)
    return [
        ("resident memory after a simulated hour", figures["resident_after_hour_mb"], 60, "MB"),
        ("resident memory after a simulated day", figures["resident_mb"], 60, "MB"),
        ("written to disk on a simulated first day", figures["disk_mb"], 0.5, "MB"),
    ]


async def _pages(folder: Path) -> list[Row]:
    """The same day while somebody looks at the local pages all the time."""
    port = free_port()
    state = folder / "pages"
    pages = {"enabled": True, "host": HOST, "port": port}
    visits = asyncio.create_task(_visits(f"http://{HOST}:{port}", state))
    try:
        figures = await _life(folder, 1, {"web": pages, "state": {"directory": str(state)}})
    finally:
        visits.cancel()
        await asyncio.gather(visits, return_exceptions=True)
    return [
        (
            "the same with pages looked at, after an hour",
            figures["resident_after_hour_mb"],
            70,
            "MB",
        ),
        ("the same with pages looked at, after a day", figures["resident_mb"], 70, "MB"),
    ]


async def _visits(url: str, state: Path) -> None:
    """Never ends: whoever comes before the agent is there tries again."""
    async with visitor(url) as owner:
        claimed = False
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                if not claimed:
                    claimed = (await owner.claim(issue_claim_code(state))).status == 303
                for path in ("/", "/health", "/events", "/api/v1/devices", "/api/v1/plan"):
                    await owner.get(path)
            await asyncio.sleep(0.5)


async def soak(folder: Path, days: int) -> list[Row]:
    """One life of so many days, with all appliances."""
    figures = await _life(folder, days)
    a_day = figures["disk_mb"] / days
    return [
        (f"resident memory after {days} simulated days", figures["resident_mb"], 60, "MB"),
        (f"written to disk in each of {days} simulated days", a_day, 0.5, "MB"),
    ]


async def _fortnight(folder: Path) -> list[Row]:
    return await soak(folder, FORTNIGHT)


async def _warm_start(folder: Path) -> list[Row]:
    """From starting the process to the first schedule on the broker, and what idling costs."""
    async with Bench.open(speed=1) as bench:
        await bench.agent(folder / "warm.sqlite", 5)
        async with bench.client() as client:
            topic = f"{BASE}/device/heat_pump/schedule"
            await client.publish(topic, "", retain=True)
            await client.subscribe(topic)
            began = time.perf_counter()
            running = asyncio.create_task(bench.agent(folder / "warm.sqlite", 25))
            async for message in client.messages:
                if message.payload and not message.retain:
                    break
            took = time.perf_counter() - began
        figures = await running
    return [
        ("process start to first schedule, warm cache", took, 1.0, "s"),
        ("idle CPU", figures["idle_cpu_percent"], 0.5, "% of a core"),
    ]


def rows() -> list[Row]:
    """Each: what, measured, target, unit."""
    out: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        for measure in (_warm_start, _day, _pages, _fortnight):
            out += asyncio.run(measure(Path(name)))
    return out
