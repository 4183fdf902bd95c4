"""`flatpeak-agent demo` as a process, on both brokers."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import aiomqtt
import pytest

from integrations.sandbox.broker import HOST, free_port
from tests.fakes.command import PATIENCE_S, ROOT, command

QUICK_S = 2.0
DEVICE_KEYS = {
    "id": str,
    "energy_kwh": float,
    "cost": float,
    "baseline_cost": float,
    "deadlines": int,
    "deadlines_met": int,
    "schedules": int,
    "schedules_followed": int,
}


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
async def test_half_a_day_ends_well_with_its_figures(broker: str) -> None:
    args = ("demo", "--days", "0.5", "--speed", "7200", "--json", "--broker", broker)
    async with command(*args) as demo:
        code, out, err, _ = await demo.ended()
    assert err == ""
    assert out.count("\n") == 1
    summary = json.loads(out)
    assert set(summary) == {
        "ok",
        "simulated_s",
        "currency",
        "devices",
        "api_calls",
        "messages",
    }
    assert (code, summary["ok"]) == (0, True), summary
    assert 43_200 <= summary["simulated_s"] < 43_200 + 7200 * 3
    assert summary["currency"] == "EUR"
    assert summary["api_calls"] >= 2
    assert summary["messages"] > 50
    names = [device["id"] for device in summary["devices"]]
    assert names == ["ev", "heat_pump", "water_heater", "dishwasher"]
    for device in summary["devices"]:
        assert set(device) == set(DEVICE_KEYS)
        for key, kind in DEVICE_KEYS.items():
            assert isinstance(device[key], kind), (key, device)
        assert device["schedules_followed"] == device["schedules"] > 0
        assert device["deadlines_met"] == device["deadlines"]


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
async def test_ctrl_c_ends_it_with_the_summary(broker: str) -> None:
    """A terminal sends it to all its processes: the broker has to outlive the last words."""
    async with command("demo", "--days", "9", "--speed", "3600", "--broker", broker) as demo:
        assert demo.process.stdout is not None
        line = b""
        while b"plan changed" not in line:
            line = await demo.process.stdout.readline()
            assert line, await demo.ended()
        os.killpg(demo.process.pid, signal.SIGINT)
        code, out, err, took = await demo.ended()
    assert (code, err) == (0, "")
    assert took < QUICK_S
    assert "calls to FlatPeak" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_told_to_stop_while_it_is_still_starting(number: signal.Signals) -> None:
    async with command("demo", "--broker", "embedded") as demo:
        await demo.until_it_has_handlers()
        code, _, err, took = await demo.stopped_by(number)
    assert (code, err) == (0, "")
    assert took < QUICK_S


async def test_the_terminal_is_closed() -> None:
    async with command("demo", "--days", "9", "--speed", "3600") as demo:
        assert demo.process.stdout is not None
        await demo.process.stdout.readline()
        code, out, err, _ = await demo.stopped_by(signal.SIGHUP)
    assert (code, err) == (0, "")
    assert "calls to FlatPeak" in out


async def test_its_broker_can_be_listened_to_where_it_says() -> None:
    """And with nothing connected yet its sentences are in the zone of the times beside them."""
    port = free_port()
    args = ("demo", "--connect", "--broker", "embedded", "--broker-port", str(port))
    async with command(*args) as demo:
        assert demo.process.stdout is not None
        said = (await demo.process.stdout.readline()).decode()
        assert said.endswith(f"broker iotcore at {HOST} port {port}\n")
        async with asyncio.timeout(PATIENCE_S), aiomqtt.Client(HOST, port) as client:
            await client.subscribe("flatpeak/home/ledger")
            ledger = json.loads(bytes((await anext(aiter(client.messages))).payload))
        assert ledger["timezone"] == "Europe/Berlin"
        async with command("demo", "--broker-port", str(port)) as second:
            code, _, err, _ = await second.ended()
        assert code == 69
        assert f"{HOST} port {port}: Address already in use" in err
        await demo.stopped_by(signal.SIGINT)


BROKER_ALONE = """
import asyncio, sys
from integrations.sandbox.broker import open_broker

async def main():
    async with open_broker(sys.argv[1]) as broker:
        print(broker.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("broker", ["mosquitto", "embedded"])
async def test_killed_it_leaves_no_broker_behind(broker: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BROKER_ALONE, broker, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    process.kill()
    await process.wait()
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                await asyncio.sleep(0.02)


async def test_a_machine_that_stands_still_makes_nothing_late() -> None:
    """Stopped for a while, as a busy machine would: no simulated night passes meanwhile."""
    args = ("demo", "--days", "0.6", "--speed", "7200")
    async with command(*args) as demo:
        assert demo.process.stdout is not None
        line = b""
        while b"plan changed" not in line:
            line = await demo.process.stdout.readline()
        for _ in range(2):
            demo.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(1.5)
            demo.process.send_signal(signal.SIGCONT)
            await demo.process.stdout.readline()
        code, out, err, _ = await demo.ended()
    assert (code, err) == (0, "")
    assert "Everything that was due was ready in time." in out
    assert "This machine managed about" in out
