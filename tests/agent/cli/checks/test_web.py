"""What `check` says of the local pages before they are opened, against real ports and files."""

import socket
from pathlib import Path
from typing import Any

import pytest

from agent.cli.checks.web import check_web
from agent.cli.service import Service
from agent.config import Config
from agent.web.settings import WebSection
from integrations.registry import AgentConfig
from integrations.sandbox.broker import HOST, free_port
from tests.fakes.brokers import Authority
from tests.fakes.web_home import running

FIXED = {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}


def config(**web: Any) -> Config:
    section = {"enabled": True, "host": HOST, "port": free_port(), **web}
    return AgentConfig.model_validate({"tariff": FIXED, "web": section})


async def said(service: Service | None = None, **web: Any) -> list[str]:
    return [" ".join(str(result).split()) for result in await check_web(config(**web), service)]


async def test_pages_that_can_be_opened(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("own", names=f"IP:{HOST}")
    [plain] = await said()
    assert plain.startswith(f"ok web http://{HOST}:")
    assert plain.endswith("can be opened")
    [secure] = await said(certificate_file=certificate, key_file=key)
    assert secure.startswith(f"ok web https://{HOST}:")
    own = socket.gethostname().split(".")[0]
    assert (await said(host=None))[0].startswith(f"ok web http://{own}.local:")


async def test_pages_that_are_off() -> None:
    assert WebSection().enabled is False
    assert await said(enabled=False) == ["ok web the local pages are switched off (web.enabled)"]


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "is no address of this machine"), ("no.such.invalid", "is no name that this")],
)
async def test_a_host_that_is_not_this_machine(host: str, why: str) -> None:
    [line] = await said(host=host)
    assert line.startswith(f"failed web web.host {host} {why}")
    assert line.endswith("leave web.host out")


async def test_files_that_are_not_there_or_do_not_belong_together(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (one, one_key), (_, other_key) = (authority.issue(name, names="DNS:a") for name in ("a", "b"))
    missing = tmp_path / "none.pem"
    [line] = await said(certificate_file=missing, key_file=one_key)
    assert line == (
        f"failed web certificate_file {missing}: No such file or directory; "
        "mend web.certificate_file"
    )
    [line] = await said(certificate_file=one, key_file=other_key)
    assert line == f"failed web {other_key} is not the key of {one}; mend web.key_file"
    [line] = await said(certificate_file=one, key_file=tmp_path / "a.csr")
    assert line.startswith("failed web the certificate cannot be used")


async def test_a_key_that_only_root_may_read_is_nothing_to_the_service(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("own", names="DNS:a")
    key.chmod(0o600)
    found = await said(Service(None, {}, {}), certificate_file=certificate, key_file=key)
    assert any("may not be read by others" in line for line in found), found


async def test_a_port_that_another_program_has() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        # It answers with nothing at all.
        [line] = await said(port=port)
    assert line == (
        f"failed web port {port} of {HOST} is taken by another program; "
        "free it, or give another web.port"
    )


@pytest.mark.parametrize("secure", [False, True])
async def test_a_port_that_the_running_agent_has(tmp_path: Path, secure: bool) -> None:
    files: dict[str, Any] = {}
    if secure:
        certificate, key = Authority(tmp_path / "ca").issue("own", names=f"IP:{HOST}")
        files = {"certificate_file": str(certificate), "key_file": str(key)}
    async with running(tmp_path, **files) as house:
        [line] = await said(port=house.port, **files)
    assert line.startswith("ok web http")
    assert line.endswith("is open: an agent runs")
