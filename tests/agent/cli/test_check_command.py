"""`flatpeak-agent check` as a process, against real brokers and the FlatPeak sandbox."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.store import Store
from integrations.sandbox.broker import HOST, free_port
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.brokers import Mosquitto, watching
from tests.fakes.command import ROOT, command

LINE = re.compile(r"^(ok|warning|failed) +(\S+) +(\S.*)$")


@pytest.fixture
async def sandbox() -> AsyncIterator[FlatPeakSandbox]:
    async with FlatPeakSandbox(SystemClock()) as opened:
        yield opened


def write_config(folder: Path, sandbox: FlatPeakSandbox, port: int, **more: str) -> Path:
    keys = {
        "mqtt": f"{{host: {HOST}, port: {port}}}",
        "tariff": f"{{source: flatpeak, base_url: '{sandbox.url}', api_key: {sandbox.api_key}, "
        f"account_id: {sandbox.account_id}, location_id: {next(iter(sandbox.locations))}}}",
        "devices": "[{id: ev, type: ev_charger, max_power_w: 11000, phases: 3, battery_kwh: 60}, "
        "{id: tank, type: water_heater, power_w: 2000, needs: [{hours: 2}]}]",
        "state": f"{{directory: {folder}/state}}",
        **more,
    }
    path = folder / "config.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    return path


async def check(path: Path, **env: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and of each part its verdicts with their texts."""
    async with command("check", "--config", path, env=env) as running:
        code, out, err, _ = await running.ended()
    assert err == ""
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        match = LINE.match(line)
        assert match is not None, line
        found.setdefault(match[2], []).append(f"{match[1]}: {match[3]}")
    return code, found


async def test_all_is_well(tmp_path: Path, sandbox: FlatPeakSandbox) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port) as other:
        path = write_config(tmp_path, sandbox, broker.port)
        code, found = await check(path)
        async with watching(broker.port, name="late") as late:
            await late.client.publish("end", b"", qos=1)
            await late.until_heard("end")
            assert [item.topic for item in late.heard] == ["end"]
        assert {item.topic for item in other.heard} <= {"flatpeak/home/check", "end"}
    assert code == 0
    assert found["broker"][0].startswith(f"ok: MQTT 5 at {HOST}:{broker.port}; wrote to")
    assert re.match(r"ok: import: \d+ price\(s\), now [\d.]+ EUR, known for", found["tariff"][0])
    assert found["ev"] == [
        "ok: charger up to 11000 W, to 80 % of 60 kWh; when nobody answers: charge at 4140 W"
    ]
    assert "2 h from 00:00 to 00:00" in found["tank"][0]
    assert found["state"][0].startswith(f"ok: {tmp_path}/state can be written")
    assert not (tmp_path / "state").exists()
    assert found["clock"][0].startswith(("ok: ", "warning: "))
    assert "topics below flatpeak/home" in found["config"][0]
    assert "limit" not in found


async def test_a_running_agent_does_not_notice(tmp_path: Path, sandbox: FlatPeakSandbox) -> None:
    status = "flatpeak/home/status"
    async with Mosquitto(tmp_path) as broker, watching(broker.port, status) as other:
        path = write_config(tmp_path, sandbox, broker.port)
        async with command("run", "--config", path):
            await other.until_heard(status, b"online")
            assert (await check(path))[0] == 0
            assert other.payloads(status) == [b"online"]


async def test_nothing_answers(tmp_path: Path, sandbox: FlatPeakSandbox) -> None:
    path = write_config(tmp_path, sandbox, free_port(), site="{import_limit_w: 9000}")
    await sandbox.stop()
    (tmp_path / "state").write_text("in the way")
    code, found = await check(path)
    assert code == 69
    assert found["broker"][0].startswith("failed: ")
    assert "refused" in found["broker"][0]
    assert found["tariff"][0].startswith("failed: import from http://")
    assert "tariff.base_url" in found["tariff"][0]
    assert found["state"][0].startswith("failed: ")
    assert "protects no wire" in found["limit"][0]


async def test_a_wrong_key_is_named(tmp_path: Path, sandbox: FlatPeakSandbox) -> None:
    async with Mosquitto(tmp_path) as broker:
        path = write_config(tmp_path, sandbox, broker.port)
        path.write_text(path.read_text().replace(sandbox.api_key, "sk_live_wrong"))
        code, found = await check(path)
    assert code == 69
    assert "check account_id, api_key" in found["tariff"][0]
    assert "sk_live_wrong" not in str(found)


@pytest.mark.parametrize(("protocol", "said"), [("5", "refuses"), ("3.1.1", "without a word")])
async def test_rules_of_the_broker_that_drop_silently(
    tmp_path: Path, sandbox: FlatPeakSandbox, protocol: str, said: str
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read #\n")
    async with Mosquitto(tmp_path, [f"acl_file {acl}"]) as broker:
        mqtt = f"{{host: {HOST}, port: {broker.port}, protocol: '{protocol}'}}"
        code, found = await check(write_config(tmp_path, sandbox, broker.port, mqtt=mqtt))
    assert code == 69
    assert found["broker"][0].startswith("failed: ")
    assert said in found["broker"][0]
    assert "mosquitto.acl" in found["broker"][0]


async def test_another_distribution_under_our_names(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    info = tmp_path / "other_agent-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-agent\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("agent\n")
    async with Mosquitto(tmp_path) as broker:
        path = write_config(tmp_path, sandbox, broker.port)
        code, found = await check(path, PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert code == 0
    assert found["install"] == [
        "warning: other-agent also brings a Python package called 'agent'; "
        "install the agent into a virtual environment of its own"
    ]


async def test_a_damaged_database_is_found_and_left_alone(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    file = tmp_path / "state" / "agent.sqlite"
    Store.open(file, SystemClock().now()).close()
    whole = file.read_bytes()
    async with Mosquitto(tmp_path) as broker:
        path = write_config(tmp_path, sandbox, broker.port)
        assert (await check(path))[1]["state"][0].startswith("ok")
        file.write_bytes(whole[:100] + b"x" * 4000 + whole[4100:])
        code, found = await check(path)
    assert code == 69
    assert found["state"][0].startswith("failed")
    assert file.exists()


async def test_a_wrong_config_ends_with_78(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mqtt: {port: 0}\n")
    async with command("check", "--config", path) as running:
        code, out, err, _ = await running.ended()
    assert (code, out) == (78, "")
    assert "mqtt.port: is 0" in err
    assert "tariff: is missing" in err
