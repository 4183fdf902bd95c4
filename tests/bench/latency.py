"""From a reading to the new setpoint on the broker, quiet and while another device floods.

One device may have a new revision every six seconds, so several cars take turns: each is plugged in
and out, and each turn turns its setpoint over. A plug that goes on to come and go within minutes is
taken for a loose contact, so each car has few turns, and the agent several lives.
"""

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aiomqtt

from agent.dispatch.dispatcher import REVISION_EVERY_S
from tests.bench.agent import BASE, Bench, Row

CARS = 10
# In, out, in, out, in: what comes then is no longer believed at once.
TURNS_A_CAR = 5
LIVES = 2
TURN_S = 0.7
# So long a setpoint may take before the measurement is given up.
NEVER_S = 20.0
FLOOD_A_SECOND = 500
FLOOD_BURST_S = 0.02
START_S = REVISION_EVERY_S + 4.0
Message = tuple[str, Mapping[str, object]]


def _car(name: str) -> Mapping[str, object]:
    """It needs more than the night has: it charges whenever it is there."""
    return {
        "id": name,
        "type": "ev_charger",
        "max_power_w": 7400,
        "energy_kwh": 900,
        "ready_by": {"every_day": "07:00"},
    }


def _soc_walk() -> Iterator[Message]:
    for number in itertools.count():
        yield "state", {"plugged": True, "soc_percent": 20 + number % 60}


def _plug_toggles() -> Iterator[Message]:
    for number in itertools.count():
        yield "state", {"plugged": number % 2 == 0}


def _rejections() -> Iterator[Message]:
    for number in itertools.count():
        yield "ack", {"revision": number, "status_type": "REJECTED", "diagnostic": f"no {number}"}


def _requests() -> Iterator[Message]:
    for number in itertools.count():
        yield "request", {"mode": ("boost", "pause")[number % 2], "id": str(number)}


FLOODS: Mapping[str, Callable[[], Iterator[Message]]] = {
    "500 SoC a second": _soc_walk,
    "500 plug changes a second": _plug_toggles,
    "500 rejections a second": _rejections,
    "500 boosts and pauses a second": _requests,
}


async def _flood(client: aiomqtt.Client, messages: Iterator[Message]) -> None:
    burst = int(FLOOD_A_SECOND * FLOOD_BURST_S)
    while True:
        for form, body in itertools.islice(messages, burst):
            await client.publish(f"{BASE}/device/flooding/{form}", json.dumps(body), qos=0)
        await asyncio.sleep(FLOOD_BURST_S)


async def _setpoint(messages: Any, device: str, mode: str) -> None:
    async for message in messages:
        ours = str(message.topic).split("/")[-2] == device and message.payload
        if ours and json.loads(message.payload)["mode"] == mode:
            return


def _measured(flood: Callable[[], Iterator[Message]] | None) -> list[float]:
    """Milliseconds, sorted."""
    taken: list[float] = []
    for _ in range(LIVES):
        with tempfile.TemporaryDirectory() as name:
            taken += asyncio.run(_life(Path(name), flood))
    return sorted(taken)


async def _life(folder: Path, flood: Callable[[], Iterator[Message]] | None) -> list[float]:
    """Milliseconds of each turn after the first of each car."""
    names = [f"car{number}" for number in range(CARS)]
    turns = CARS * TURNS_A_CAR
    taken: list[float] = []
    async with Bench.open(speed=1) as bench, bench.client() as client, bench.client() as other:
        devices = [_car(name) for name in (*names, "flooding")]
        seconds = START_S + turns * TURN_S * 1.2
        running = asyncio.create_task(bench.agent(folder / "latency.sqlite", seconds, devices))
        await client.subscribe([(f"{BASE}/device/+/setpoint", 1), (f"{BASE}/status", 1)])
        messages = client.messages
        async for message in messages:
            if message.payload == b"online":
                break
        # What was published at the start counts for the six seconds too.
        await asyncio.sleep(REVISION_EVERY_S)
        flooding = asyncio.create_task(_flood(other, flood())) if flood else None
        for number in range(turns):
            name, plugged = names[number % CARS], number // CARS % 2 == 0
            began = time.perf_counter()
            body = json.dumps({"plugged": plugged})
            await client.publish(f"{BASE}/device/{name}/state", body, qos=1)
            async with asyncio.timeout(NEVER_S):
                await _setpoint(messages, name, "charge" if plugged else "idle")
            took = time.perf_counter() - began
            if number >= CARS:
                taken.append(took * 1000)
            await asyncio.sleep(max(0.0, TURN_S - took))
        if flooding is not None:
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
        await running
    return taken


def rows() -> Iterator[Row]:
    """Each: what, measured, target, unit."""
    quiet = _measured(None)
    yield "reading to new setpoint, median", statistics.median(quiet), 50, "ms"
    yield "reading to new setpoint, p99", _p99(quiet), 50, "ms"
    for what, flood in FLOODS.items():
        yield f"the same, p99, beside {what}", _p99(_measured(flood)), 200, "ms"


def _p99(taken: list[float]) -> float:
    return taken[int(len(taken) * 0.99) - 1]
