"""The server beside the agent: it fails alone, tries again, and waits for nobody."""

import asyncio
import contextlib
import signal
import socket
import ssl
from pathlib import Path

import pytest

from agent.store import Store
from integrations.sandbox.broker import HOST, free_port
from tests.fakes.brokers import PATIENCE_S, Authority
from tests.fakes.command import ROOT, command
from tests.fakes.web_home import running, visitor, web_home


async def test_a_port_that_is_taken_is_named_and_taken_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agent.web.companion.RETRY_S", 0.05)
    async with web_home(tmp_path) as house:
        with socket.socket() as other:
            other.bind((HOST, house.port))
            other.listen()
            async with house.agent(state="failed"):
                part = await house.until_part("web", "failed")
                assert f"port {house.port}" in part["why"]
                assert part["who_acts"].startswith("owner: ")
                # The main job is done meanwhile.
                await house.home.say("device/boiler/request", {"id": "7", "mode": "pause"})
                await house.home.until("device/boiler/wish", id="7", accepted=True)
                other.close()
                await house.until_part("web", "ok")
                # Tried again and again, and said once.
                logged = [line for line in caplog.messages if "the local pages are" in line]
                assert len(logged) == 2
                assert "not there: port" in logged[0]
                assert "there again" in logged[1]
                async with visitor(house.url) as owner:
                    assert (await owner.get("/claim"))[0] == 200


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_certificate_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    certificate = tmp_path / "gateway.pem"
    if content is not None:
        certificate.write_text(content)
    files = {"certificate_file": str(certificate), "key_file": str(tmp_path / "key")}
    async with web_home(tmp_path, **files) as house, house.agent(state="failed"):
        part = await house.until_part("web", "failed")
        assert "certificate" in part["who_acts"]


async def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    async with web_home(tmp_path, host="a..b") as house, house.agent(state="failed"):
        part = await house.until_part("web", "failed")
        assert "of a..b cannot be opened" in part["why"]


async def test_an_error_of_the_pages_own_leaves_the_agent_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_context: object) -> None:
        raise RuntimeError("a template is missing")

    monkeypatch.setattr("agent.web.companion.RETRY_S", 0.05)
    async with web_home(tmp_path) as house:
        with monkeypatch.context() as patch:
            patch.setattr("agent.web.companion.prepare", fail)
            async with house.agent(state="failed"):
                await house.home.say("device/boiler/request", {"id": "7", "mode": "pause"})
                await house.home.until("device/boiler/wish", id="7", accepted=True)
                patch.undo()
                await house.until_part("web", "ok")


async def test_a_config_that_changed_is_recorded(tmp_path: Path) -> None:
    async with web_home(tmp_path) as house, visitor(house.url) as owner:
        store = Store.in_memory()
        async with house.agent(store):
            await owner.claim(house.code())
        async with house.agent(store):
            assert "Config changed" not in (await owner.get("/events"))[1]
        house.web = {"names": ["house.lan"]}
        async with house.agent(store):
            _, text = await owner.get("/events")
            assert "<strong>Config changed</strong> web" in text


async def test_a_renewed_certificate_is_used_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.web.companion.LOOK_AT_FILES_S", 0.05)
    authority = Authority(tmp_path / "authority")
    old, key = authority.issue("old", names="IP:127.0.0.1")
    new, new_key = authority.issue("new", names="IP:127.0.0.1")
    files = {"certificate_file": str(old), "key_file": str(key)}
    trust = ssl.create_default_context(cafile=str(authority.file))
    async with running(tmp_path, **files) as house:
        first = await served(house.port, trust)
        key.write_bytes(new_key.read_bytes())
        old.write_bytes(new.read_bytes())
        async with asyncio.timeout(PATIENCE_S):
            while await served(house.port, trust) == first:
                await asyncio.sleep(0.02)


async def served(port: int, trust: ssl.SSLContext) -> object:
    _, writer = await asyncio.open_connection(HOST, port, ssl=trust)
    found = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return found


async def test_hanging_clients_hold_up_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        hanging = [await asyncio.open_connection(HOST, house.port) for _ in range(12)]
        for _, writer in hanging:
            head = "POST /login/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
            writer.write(head.encode())
        assert (await owner.get("/"))[0] == 200
        await house.home.say("device/boiler/request", {"id": "7", "mode": "pause"})
        await house.home.until("device/boiler/wish", id="7", accepted=True)
        for _, writer in hanging:
            writer.close()


async def test_pages_that_are_off_cost_nothing(tmp_path: Path) -> None:
    """Neither the server's library nor the templates' is imported by `run`."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nsys.modules['jinja2'] = None\nsys.modules['agent.web.companion'] = None\n"
    )
    env = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    config = tmp_path / "config.yaml"
    broker = free_port()
    text = (
        "tariff: {source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}\n"
        f"mqtt: {{host: {HOST}, port: {broker}}}\nstate: {{directory: {tmp_path}/state}}\n"
    )
    for web_section, said in (("", "running; 0 device(s)"), ("web: {enabled: true}\n", "halted")):
        config.write_text(text + web_section)
        async with command("run", "--config", config, env=env) as agent:
            if not web_section:
                assert agent.process.stderr is not None
                heard = b""
                async with asyncio.timeout(PATIENCE_S):
                    while said.encode() not in heard:
                        heard += await agent.process.stderr.readline()
                assert (await agent.stopped_by(signal.SIGTERM))[0] == 0
            else:
                # So the first one really did without.
                assert (await agent.ended())[0] != 0
