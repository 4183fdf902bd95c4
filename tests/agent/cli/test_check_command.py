"""`flatpeak-agent check` as a process, against real brokers and the FlatPeak sandbox."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.checks.broker import lan_addresses
from agent.cli.common import EX_UNAVAILABLE
from agent.clock import SystemClock
from agent.store import Store
from integrations.sandbox.broker import HOST, free_port
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.brokers import Mosquitto, password_file, watching
from tests.fakes.command import ROOT, command
from tests.fakes.disks import fill, read_only, small_disk

LINE = re.compile(r"^(ok|warning|failed) +(\S+) +(\S.*)$")
FIXED = "{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}"


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


async def check(path: Path, *more: str, **env: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and of each part its verdicts with their texts."""
    async with command("check", "--config", path, *more, env=env) as running:
        code, out, err, _ = await running.ended()
    assert err == ""
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        match = LINE.match(line)
        assert match is not None, line
        # Whoever is told that something is wrong is told what to do.
        assert match[1] == "ok" or "; " in match[3], line
        found.setdefault(match[2], []).append(f"{match[1]}: {match[3]}")
    return code, found


async def test_secrets_that_everyone_can_read_are_named(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    path = write_config(tmp_path, sandbox, free_port())
    path.chmod(0o644)
    _, found = await check(path)
    (warned,) = [text for text in found["config"] if text.startswith("warning")]
    assert "tariff.api_key" in warned
    assert f"chmod o-r {path}" in warned
    path.chmod(0o640)
    _, found = await check(path)
    assert not [text for text in found["config"] if text.startswith("warning")]
    # What stands in a file of its own is no secret of this one.
    path.write_text(path.read_text().replace(f", api_key: {sandbox.api_key}", ""))
    path.chmod(0o644)
    _, found = await check(path, FLATPEAK_AGENT__TARIFF__API_KEY=sandbox.api_key)
    assert not [text for text in found["config"] if text.startswith("warning")]


async def test_a_device_of_another_maker_shows_what_it_would_be_told(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    plug = (
        "[{id: pump, type: load, power_w: 800, needs: [{hours: 3}], "
        "adapter: {family: tasmota, topic: tas}}]"
    )
    async with Mosquitto(tmp_path) as broker, watching(broker.port) as other:
        path = write_config(tmp_path, sandbox, broker.port, devices=plug)
        code, found = await check(path)
        assert code == 0
        about, *said = found["pump"]
        assert "without the agent it switches itself off" in about
        assert "ok: charge: cmnd/tas/PulseTime1 1000, then cmnd/tas/POWER1 ON" in said
        # Empty, and 8 to STATUS: questions.
        asked = [item for item in other.heard if item.topic.startswith("cmnd/")]
        assert {(item.topic, item.payload, item.retain) for item in asked} == {
            ("cmnd/tas/POWER1", b"", False),
            ("cmnd/tas/STATUS", b"8", False),
            ("cmnd/tas/PulseTime1", b"", False),
        }


RULES = "topic readwrite flatpeak/home/#\ntopic write other/status\n"
HEAT = (
    "[{id: hp, type: heat_pump, power_w: 2000, needs: [{hours: 2}], "
    "adapter: {family: sg-ready-shelly, topic: shelly-1}}, "
    "{id: ev, type: ev_charger, max_power_w: 11000, phases: 3, battery_kwh: 60, "
    "adapter: {family: go-e, topic: go-eCharger/123456}}, "
    "{id: grid, type: meter, role: grid, adapter: {family: evcc-meter, reading: grid/power}}]"
)


@pytest.mark.parametrize("rules", [RULES, RULES + "topic write shelly-1/rpc\n"])
async def test_a_topic_of_another_maker_that_the_broker_refuses_is_named_with_its_line(
    tmp_path: Path, sandbox: FlatPeakSandbox, rules: str
) -> None:
    acl = tmp_path / "acl"
    acl.write_text(rules)
    async with Mosquitto(tmp_path, [f"acl_file {acl}"]) as broker:
        code, found = await check(write_config(tmp_path, sandbox, broker.port, devices=HEAT))
    assert code == 69
    well, *more = found["broker"]
    assert well.startswith("ok: MQTT 5")
    refused = [text for text in more if text.startswith("failed")]
    needed = ["shelly-1/command/switch:1"] + (["shelly-1/rpc"] if rules == RULES else [])
    assert len(refused) == len(needed)
    for text, topic in zip(refused, needed, strict=True):
        assert "hp" in text
        assert text.endswith(f"topic write {topic}")
    # What a go-eCharger would do with an odd message nobody promises.
    (untried,) = [text for text in more if text.startswith("ok: what is said to")]
    assert "topic write go-eCharger/123456/frc/set" in untried


async def test_where_a_broker_does_not_answer_it_is_said_what_its_rules_have_to_allow(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port) as other:
        mqtt = f"{{host: {HOST}, port: {broker.port}, protocol: '3.1.1'}}"
        path = write_config(tmp_path, sandbox, broker.port, mqtt=mqtt, devices=HEAT)
        code, found = await check(path)
        assert not [item for item in other.heard if not item.topic.startswith("flatpeak/")]
    assert code == 0
    said = " ".join(found["broker"])
    assert "MQTT 3.1.1 does not tell what it drops" in said
    assert "topic write shelly-1/rpc" in said


THREE = (
    "[{id: pump, type: load, power_w: 800, needs: [{hours: 3}], "
    "adapter: {family: tasmota, topic: tas}}, "
    "{id: plug, type: load, power_w: 800, needs: [{hours: 3}], "
    "adapter: {family: zigbee2mqtt, topic: plugz}}, "
    "{id: yard, type: ev_charger, max_power_w: 11000, phases: 3, battery_kwh: 60, "
    "adapter: {family: evcc, loadpoint: 1}}]"
)
SAID = ("tele/tas/SENSOR", "zigbee2mqtt/plugz", "evcc/loadpoints/1/connected", "roof/temperature")
NEEDED_LINE = re.compile(r"topic (?:read|write) [^ ;]+")


async def test_with_exactly_the_lines_that_it_names_everything_is_heard(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite flatpeak/home/#\n")
    async with Mosquitto(tmp_path, [f"acl_file {acl}"]) as broker:
        more = {"devices": THREE, "site": "{outdoor_topic: roof/temperature}"}
        path = write_config(tmp_path, sandbox, broker.port, **more)
        _, found = await check(path)
    named = NEEDED_LINE.findall(" ".join(found["broker"]))
    said = [text for text in found["broker"] if "topic read " in text]
    assert len(said) == 4
    assert all(text.startswith("ok") and "not tried" in text for text in said)
    # What is below the base is the agent's own.
    assert not [line for line in named if "flatpeak/home" in line]
    rules = ["user agent", "topic readwrite flatpeak/home/#", *named]
    acl.write_text("\n".join([*rules, "user house", "topic readwrite #", ""]))
    users = password_file(tmp_path, agent="secret", house="secret")
    guarded = [f"password_file {users}", f"acl_file {acl}"]
    logins: list[dict[str, Any]] = [
        {"username": name, "password": "secret"} for name in ("agent", "house")
    ]
    async with (
        Mosquitto(tmp_path, guarded) as broker,
        watching(broker.port, "#", **logins[0]) as agent,
        watching(broker.port, name="house", **logins[1]) as house,
    ):
        for topic in SAID:
            await house.client.publish(topic, b"1", qos=1)
        await house.client.publish("flatpeak/home/end", b"", qos=1)
        await agent.until_heard("flatpeak/home/end")
        assert [item.topic for item in agent.heard] == [*SAID, "flatpeak/home/end"]


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
    assert "2 h at any time of the day; " in found["tank"][0]
    assert found["web"] == ["ok: the local pages are switched off (web.enabled)"]
    assert found["state"][0].startswith(f"ok: {tmp_path}/state can be written")
    assert not (tmp_path / "state").exists()
    assert found["clock"][0].startswith(("ok: ", "warning: "))
    assert "topics below flatpeak/home" in found["config"][0]
    assert "limit" not in found


async def test_an_inverter_without_prices_for_export_is_doubtful(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    async with Mosquitto(tmp_path) as broker:
        roof = "{id: roof, type: pv_inverter, max_power_w: 6000, curtailable: true}"
        read = "{id: shed, type: pv_inverter, max_power_w: 2000}"
        more = {"devices": f"[{roof}, {read}]", "site": "{export_limit_w: 0}"}
        code, found = await check(write_config(tmp_path, sandbox, broker.port, **more))
    assert code == 0
    assert sorted(text.partition(":")[0] for text in found["roof"]) == ["ok", "warning"]
    assert any("when nobody answers: limit at 0 W" in text for text in found["roof"])
    assert any("directions: [import, export]" in text for text in found["roof"])
    assert found["shed"] == ["ok: pv meter, only read"]


async def test_a_running_agent_does_not_notice(tmp_path: Path, sandbox: FlatPeakSandbox) -> None:
    status = "flatpeak/home/status"
    async with Mosquitto(tmp_path) as broker, watching(broker.port, status) as other:
        path = write_config(tmp_path, sandbox, broker.port)
        async with command("run", "--config", path):
            await other.until_heard(status, b"online")
            assert (await check(path))[0] == 0
            assert other.payloads(status) == [b"online"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_broken_off_it_leaves_nothing_at_the_broker(
    tmp_path: Path, sandbox: FlatPeakSandbox, number: signal.Signals
) -> None:
    topic = "flatpeak/home/check"
    login: dict[str, Any] = {"username": "reader", "password": "secret"}
    acl = tmp_path / "acl"
    # What it writes does not come back to it, so it waits.
    acl.write_text(f"user agent\ntopic write {topic}\nuser reader\ntopic readwrite #\n")
    users = password_file(tmp_path, agent="secret", reader="secret")
    rules = ["allow_anonymous false", f"password_file {users}", f"acl_file {acl}"]
    async with Mosquitto(tmp_path, rules) as broker:
        mqtt = f"{{host: {HOST}, port: {broker.port}, username: agent, password: secret}}"
        path = write_config(tmp_path, sandbox, broker.port, mqtt=mqtt)
        # On a slow machine its wait may be over before the signal gets there: then once more.
        for _ in range(5):
            async with (
                watching(broker.port, **login) as reader,
                command("check", "--config", path) as running,
            ):
                await reader.until(lambda heard: any(item.topic == topic for item in heard))
                code, _, err, _ = await running.stopped_by(number)
            if code != EX_UNAVAILABLE:
                break
        assert (code, err) == (128 + number, "")
        async with watching(broker.port, name="late", **login) as late:
            await late.client.publish("end", b"", qos=1)
            await late.until_heard("end")
            assert [item.topic for item in late.heard] == ["end"]


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


async def test_before_a_tariff_is_connected_the_login_is_tried(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    location = f", location_id: {next(iter(sandbox.locations))}"
    path = write_config(tmp_path, sandbox, free_port())
    path.write_text(path.read_text().replace(location, ""))
    _, found = await check(path)
    assert found["tariff"] == [
        f"warning: {sandbox.url} accepts the login; no tariff is connected yet; "
        f"flatpeak-agent connect --config {tmp_path}/config.yaml, or the page Tariff"
    ]
    path.write_text(path.read_text().replace(sandbox.api_key, "sk_live_wrong"))
    _, found = await check(path)
    [line] = found["tariff"]
    assert line.startswith(f"failed: login at {sandbox.url}: the credentials were not accepted")
    assert "check account_id, api_key" in line
    assert "sk_live_wrong" not in line
    await sandbox.stop()
    assert (await check(path))[1]["tariff"][0].startswith("failed: login at ")


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


async def test_a_disk_that_takes_nothing_is_a_failed_check(tmp_path: Path) -> None:
    with small_disk(tmp_path / "state") as disk:
        path = tmp_path / "config.yaml"
        path.write_text(
            f"tariff: {FIXED}\nmqtt: {{host: {HOST}, port: {free_port()}}}\n"
            f"state: {{directory: {disk}}}\n"
        )
        filler = fill(disk)
        assert (await check(path))[1]["state"] == [
            f"failed: {disk}, as uid {os.getuid()}: No space left on device; nothing would be kept "
            "over a restart; make room on the disk"
        ]
        filler.unlink()
        read_only(disk)
        assert (await check(path))[1]["state"] == [
            f"failed: {disk}, as uid {os.getuid()}: Read-only file system; nothing would be kept "
            "over a restart; mount the disk to be written, or change the SD card that made it so"
        ]


async def test_a_wrong_config_ends_with_78(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mqtt: {port: 0}\n")
    async with command("check", "--config", path) as running:
        code, out, err, _ = await running.ended()
    assert (code, out) == (78, "")
    assert "mqtt.port: is 0" in err
    assert "tariff: is missing" in err


async def test_the_broker_wants_a_user(tmp_path: Path, sandbox: FlatPeakSandbox) -> None:
    rules = ["allow_anonymous false", f"password_file {password_file(tmp_path, agent='secret')}"]
    async with Mosquitto(tmp_path, rules) as broker:
        path = write_config(tmp_path, sandbox, broker.port)
        code, found = await check(path)
        assert code == 69
        assert "set mqtt.username and mqtt.password" in found["broker"][0]
        mqtt = f"{{host: {HOST}, port: {broker.port}, username: agent, password: wrong}}"
        _, found = await check(write_config(tmp_path, sandbox, broker.port, mqtt=mqtt))
        assert "check mqtt.username and mqtt.password" in found["broker"][0]
        mqtt = f"\n  host: {HOST}\n  port: {broker.port}\n  username: agent\n  password: secret #2"
        _, found = await check(write_config(tmp_path, sandbox, broker.port, mqtt=mqtt))
        said = (
            "warning: line 5: password ends before the #, where a comment begins; if the # belongs"
        )
        assert any(line.startswith(said) for line in found["config"]), found


async def test_a_broker_that_no_appliance_can_reach(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    addresses = lan_addresses()
    if not addresses:
        pytest.skip("this machine has no address but loopback")
    async with Mosquitto(tmp_path) as broker:
        code, found = await check(write_config(tmp_path, sandbox, broker.port))
    assert code == 0
    assert found["broker"][1].startswith("warning: it listens on this machine only, not on ")
    assert addresses[0] in found["broker"][1]
    port = free_port()
    async with Mosquitto(tmp_path, [f"listener {port}"], port):
        _, found = await check(write_config(tmp_path, sandbox, port))
    assert len(found["broker"]) == 1


def test_the_addresses_of_this_machine_are_its_own() -> None:
    for address in lan_addresses():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((address, 0))


EV = "id: ev, type: ev_charger"


@pytest.mark.parametrize(
    ("part", "said", "sections"),
    [
        ("tariff", "30 EUR per kWh is beyond belief", {"tariff": FIXED.replace("0.3", "30")}),
        ("tariff", "30 pence are 0.30",
         {"tariff": FIXED.replace("0.3", "30").replace("EUR", "GBP")}),
        ("tariff", "-6 EUR per kWh", {"tariff": FIXED.replace("0.3", "-6")}),
        ("limit", "import_limit_w of 11 W there is no room for ev (4140 W), tank (2000 W)",
         {"site": "{import_limit_w: 11}"}),
        ("limit", "failsafe_limit_w of 4200 W there is no room for ev (4140 W)",
         {"site": "{failsafe_limit_w: 4200, base_load_w: 300}"}),
        ("tank", "needs 12 h at 2000 W, but its window from 22:00 to 06:00 has 8 h",
         {"devices": "[{id: tank, type: water_heater, power_w: 2000, needs: "
          "[{energy_kwh: 24, window: {start: '22:00', end: '06:00'}}]}]"}),
        ("ev", "charging from 40 to 80 % takes 18.7 h at 1380 W: to be ready by 07:00",
         {"devices": f"[{{{EV}, max_power_w: 1380, battery_kwh: 58}}]"}),
        ("ev", "charging 50 kWh takes 13.5 h at 3700 W",
         {"devices": f"[{{{EV}, max_power_w: 3700, energy_kwh: 50}}]"}),
    ],
)  # fmt: skip
async def test_what_can_hardly_be_meant(
    tmp_path: Path, sandbox: FlatPeakSandbox, part: str, said: str, sections: dict[str, str]
) -> None:
    async with Mosquitto(tmp_path) as broker:
        more = {"tariff": FIXED, **sections}
        code, found = await check(write_config(tmp_path, sandbox, broker.port, **more))
    assert code == 0
    assert any(line.startswith("warning") and said in line for line in found[part]), found


async def test_an_offline_rule_that_a_lasting_limit_takes_away_is_told_before_the_start(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    car = "{id: ev, type: ev_charger, max_power_w: 7400, energy_kwh: 10, offline_power_w: 3680}"
    more = {"tariff": FIXED, "devices": f"[{car}]"}

    async def found(site: str) -> dict[str, list[str]]:
        return (await check(write_config(tmp_path, sandbox, free_port(), site=site, **more)))[1]

    limited = await found("{failsafe_limit_w: 4200, base_load_w: 600}")
    assert (
        "warning: without the agent ev will not be charged: all of it would break the limit; "
        "lower offline_power_w, or accept it"
    ) in limited["limit"]
    assert "when nobody answers: idle" in limited["ev"][0]
    room = await found("{failsafe_limit_w: 4200, base_load_w: 400}")
    assert "limit" not in room
    assert "when nobody answers: charge at 3680 W" in room["ev"][0]


async def test_devices_that_are_not_controllable_have_their_room_and_take_none_of_the_limit(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    car = "{id: ev, type: ev_charger, max_power_w: 11000, phases: 3, energy_kwh: 10}"
    site = "{failsafe_limit_w: 4200, limit_scope: controllable, controllable_devices: [ev]}"
    for power_w in (3000, 5000):
        pump = f"{{id: hp, type: heat_pump, power_w: {power_w}, needs: [{{hours: 3}}]}}"
        more = {"tariff": FIXED, "devices": f"[{car}, {pump}]"}
        _, found = await check(write_config(tmp_path, sandbox, free_port(), site=site, **more))
        assert "limit" not in found
        assert "when nobody answers: charge at 4140 W" in found["ev"][0]


async def test_prices_of_countries_with_small_crowns_are_no_fault(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    tariff = FIXED.replace("EUR", "SEK").replace("0.3", "12")
    async with Mosquitto(tmp_path) as broker:
        path = write_config(tmp_path, sandbox, broker.port, tariff=tariff)
        assert [line[:3] for line in (await check(path))[1]["tariff"]] == ["ok:"]


async def test_the_examples_own_values_are_told_from_real_ones(tmp_path: Path) -> None:
    text = (ROOT / "config.example.yaml").read_text()
    async with Mosquitto(tmp_path) as broker:
        path = tmp_path / "config.yaml"
        path.write_text(text.replace("  #: port: 1883", f"  port: {broker.port}"))
        code, found = await check(path, HOME=str(tmp_path))
    assert code == 69
    assert found["tariff"] == [
        "failed: account_id, api_key: still as in the example; "
        "write your own in, as FlatPeak gave them to you"
    ]


async def test_what_the_source_says_besides_the_prices(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    sandbox.faults.on("test_mode")
    async with Mosquitto(tmp_path) as broker:
        path = write_config(tmp_path, sandbox, broker.port)
        code, found = await check(path)
    assert code == 0
    assert found["tariff"][1] == (
        "warning: import: the API key is a test key, its prices may be made up; "
        "use a live key (sk_live_…)"
    )


SERVICE = Path("/etc/systemd/system/flatpeak-agent.service")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs a mount namespace of its own")
def test_as_service_it_reads_what_the_service_reads(tmp_path: Path) -> None:
    """On a copy of /etc and /var/lib that only this test sees."""
    (tmp_path / "api_key").write_text("sk_live_from_file\n")
    (tmp_path / "config.yaml").write_text(
        "tariff: {source: flatpeak, base_url: 'http://127.0.0.1:9', location_id: loc_1, "
        "account_id: acc_1}\nmqtt: {port: 9}\n"
    )
    unit = (ROOT / "systemd" / SERVICE.name).read_text().replace("# LoadC", "LoadC", 1)
    unit = unit.replace("[Service]", "[Service]\nLoadCredential=mqtt_password:/etc/x", 1)
    (tmp_path / "unit").write_text(unit)
    script = f"""
        set -e
        mount -t tmpfs none /etc/systemd
        mkdir -p /etc/systemd/system
        cp {tmp_path}/unit {SERVICE}
        mkdir -p /etc/flatpeak-agent
        mount -t tmpfs none /etc/flatpeak-agent
        cp {tmp_path}/config.yaml {tmp_path}/api_key /etc/flatpeak-agent/
        mount -t tmpfs none /var/lib
        {sys.executable} -m agent check || true
        {sys.executable} -m agent check --as-service || true
        sed -i /mqtt_password/d {SERVICE}
        chmod 600 /etc/flatpeak-agent/config.yaml
        {sys.executable} -m agent check --as-service || true
        chmod 644 /etc/flatpeak-agent/config.yaml
        chmod 600 /etc/flatpeak-agent/api_key
        FLATPEAK_AGENT__MQTT__HOST=a.lan {sys.executable} -m agent check --as-service
    """
    folder = Path("/etc/flatpeak-agent")
    was_there = folder.exists()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not was_there and folder.exists():
        # What was mounted on it has gone with the namespace; the folder itself has not.
        folder.rmdir()
    if "Operation not permitted" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert done.returncode == 69, done
    assert f"as {SERVICE} says: tariff.api_key from /etc/flatpeak-agent/api_key" in done.stdout
    assert "ok       config       /etc/flatpeak-agent/config.yaml" in done.stdout
    assert "/var/lib/flatpeak-agent can be written" in done.stdout
    assert "http://127.0.0.1:9" in done.stdout
    # As the service would refuse it.
    assert "/etc/x: nobody reads a secret of this name; did you mean mqtt__password?" in done.stderr
    shell = "FLATPEAK_AGENT__MQTT__HOST: set in this shell alone, the service does not see it; "
    assert done.stdout.count(shell) == 1
    # In the run that read it before it was closed.
    assert done.stdout.count("api_key: whoever has an account on this machine can read it") == 1
    closed = "failed   service      /etc/flatpeak-agent/config.yaml may not be read by others"
    assert done.stdout.count(closed) == 1


@pytest.mark.parametrize(
    ("section", "written", "part", "said"),
    [
        (
            "devices",
            "[{id: roof, type: pv_inverter, max_power_w: 6}]",
            "roof",
            "warning: devices[0].max_power_w is 6 W; powers are in W: 6 kW are 6000",
        ),
        (
            "devices",
            "[{id: ev, type: ev_charger, max_power_w: 7400, battery_kwh: 9, "
            "target_soc_percent: 0.8}]",
            "ev",
            "warning: devices[0].target_soc_percent is 0.8 %; it is in percent, of 0 to 100: 80 "
            "for a share of 0.8",
        ),
        (
            "devices",
            "[{id: pump, type: heat_pump, power_w: 900, needs: [{hours: 3}], price_cap: 20}]",
            "pump",
            "warning: devices[0].price_cap is 20 EUR; amounts are in whole EUR: 20 cents are 0.20",
        ),
        (
            "site",
            "{latitude: 51, longitude: 0, pv: {peak_w: 6}}",
            "site",
            "warning: site.pv.peak_w is 6 W; powers are in W: 6 kW are 6000",
        ),
        (
            "devices",
            "[{id: dish, type: program, profile: [{duration_s: 15, power_w: 1900}, "
            "{duration_s: 40, power_w: 120}]}]",
            "dish",
            "warning: devices[0].profile takes 55 s in all; durations are in seconds: 55 minutes "
            "are 3300",
        ),
        (
            "devices",
            "[{id: pump, type: load, power_w: 900, needs: [{hours: 3}], offline_after_s: 15}]",
            "pump",
            "warning: devices[0].offline_after_s is 15 s; durations are in seconds: 15 minutes "
            "are 900",
        ),
        (
            "devices",
            "[{id: ev, type: ev_charger, max_power_w: 11000, phases: 1, battery_kwh: 60}]",
            "ev",
            "warning: max_power_w of 11000 W is 48 A on 1 phase(s); check max_power_w, or give "
            "phases: 3 (it would be 16 A)",
        ),
        (
            "devices",
            "[{id: ev, type: ev_charger, max_power_w: 11000, battery_kwh: 60, "
            "adapter: {family: go-e, topic: g}}]",
            "ev",
            "warning: max_power_w of 11000 W is 48 A on 1 phase(s), unless the charger says that "
            "it has more; check max_power_w, or give "
            "phases: 3 (it would be 16 A)",
        ),
        (
            "devices",
            "[{id: heat, type: house_heat_pump, power_w: 3000}]",
            "heat",
            "ok: heat pump of 3000 W for a house that loses 262 W a degree and stores 7.2 kWh a "
            "degree (as detached_1990: its type is not given), 20 to 22.5 °C from 06:00 to 22:30, "
            "else 18 to 22.5 °C; when nobody answers: normal",
        ),
        (
            "site",
            "{limit_scope: controllable}",
            "limit",
            "warning: site.limit_scope: controllable does nothing: no limit of the grid is "
            "expected; give site.failsafe_limit_w, such as 4200",
        ),
        (
            "site",
            "{failsafe_limit_w: 4200, limit_scope: controllable, controllable_devices: []}",
            "limit",
            "warning: site.limit_scope: controllable binds no device: none is controllable; name "
            "them in site.controllable_devices",
        ),
        (
            "site",
            "{failsafe_limit_w: 11000, controllable_devices: [ev]}",
            "limit",
            "warning: site.controllable_devices does nothing: a limit binds the whole house; "
            "site.limit_scope: controllable",
        ),
    ],
)
async def test_what_is_allowed_but_cannot_be_meant_is_doubted(
    sandbox: FlatPeakSandbox, tmp_path: Path, section: str, written: str, part: str, said: str
) -> None:
    path = write_config(tmp_path, sandbox, free_port(), tariff=FIXED, **{section: written})
    _, found = await check(path)
    assert said in found[part]


async def test_a_currency_that_is_none_is_doubtful(
    tmp_path: Path, sandbox: FlatPeakSandbox
) -> None:
    for code, doubtful in (("XXY", True), ("HUF", False), ("EUR", False)):
        path = write_config(tmp_path, sandbox, free_port(), tariff=FIXED.replace("EUR", code))
        _, found = await check(path)
        assert any("which is no currency" in text for text in found["tariff"]) == doubtful, code
