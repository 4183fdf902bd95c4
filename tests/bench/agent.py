"""Speeds and sizes of the running agent, in a process of its own, against a real broker."""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiomqtt

from integrations.sandbox.appliances.link import NO_DELAY, open_link
from integrations.sandbox.broker import HOST, Broker, open_broker
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.bench.child import SharedClock

Row = tuple[str, float, float, str]
BASE = "flatpeak/home"
START = datetime(2026, 1, 15, 16, tzinfo=UTC)
LATENCIES = 200


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

    async def agent(self, database: Path, seconds: float) -> dict[str, float]:
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
                "devices": list(DEVICES),
            },
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bench.child",
            json.dumps(task),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        figures: dict[str, float] = json.loads(out)
        return figures

    def client(self) -> aiomqtt.Client:
        return aiomqtt.Client(HOST, self.broker.port, socket_options=NO_DELAY)


async def _day(folder: Path) -> list[Row]:
    """A simulated day with all appliances: memory after an hour and at its end, and the disk."""
    async with Bench.open(speed=2880) as bench, contextlib.AsyncExitStack() as stack:
        links = {
            str(device["id"]): await stack.enter_async_context(
                open_link(HOST, bench.broker.port, f"appliance-{device['id']}")
            )
            for device in DEVICES
        }
        zone = next(iter(bench.sandbox.locations.values())).zone
        appliances = build_appliances(BASE, bench.clock, zone, lambda name: links[name])
        jobs = [asyncio.create_task(appliance.run()) for appliance in appliances]
        figures = await bench.agent(folder / "day.sqlite", 30)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
    return [
        ("resident memory after a simulated hour", figures["resident_after_hour_mb"], 60, "MB"),
        ("resident memory after a simulated day", figures["resident_mb"], 60, "MB"),
        ("written to disk in a simulated day", figures["disk_mb"], 2, "MB"),
    ]


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
        ("process start to first schedule, warm cache", took, 1.5, "s"),
        ("idle CPU", figures["idle_cpu_percent"], 0.5, "% of a core"),
    ]


async def _latency(folder: Path) -> list[Row]:
    """A car that is nearly empty, full, nearly empty …: each reading turns the setpoint over."""
    taken: list[float] = []
    async with Bench.open(speed=1) as bench:
        running = asyncio.create_task(bench.agent(folder / "latency.sqlite", 30))
        async with bench.client() as client:
            await client.subscribe([(f"{BASE}/device/ev/setpoint", 1), (f"{BASE}/status", 1)])
            messages = client.messages
            async for message in messages:
                if message.payload == b"online":
                    break
            for number in range(LATENCIES):
                soc, wanted = (10, "charge") if number % 2 == 0 else (95, "idle")
                at = bench.clock.now().isoformat()
                body = {"plugged": True, "soc_percent": soc, "at": at}
                began = time.perf_counter()
                await client.publish(f"{BASE}/device/ev/state", json.dumps(body), qos=1)
                await _until(messages, wanted)
                if number:
                    taken.append((time.perf_counter() - began) * 1000)
        await running
    taken.sort()
    return [
        ("reading to new setpoint, median", statistics.median(taken), 200, "ms"),
        ("reading to new setpoint, p99", taken[int(len(taken) * 0.99) - 1], 200, "ms"),
    ]


async def _until(messages: Any, mode: str) -> None:
    async for message in messages:
        if str(message.topic).endswith("setpoint") and json.loads(message.payload)["mode"] == mode:
            return


def rows() -> list[Row]:
    """Each: what, measured, target, unit."""
    out: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        for measure in (_warm_start, _latency, _day):
            out += asyncio.run(measure(Path(name)))
    return out
