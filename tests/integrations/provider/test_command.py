"""`flatpeak-agent provider` as a supplier runs it: config, CSV, worker processes, audit."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from pydantic_core import PydanticUndefined
from ruamel.yaml import YAML

from agent.cli.provider import main
from agent.config.base import Section
from agent.errors import ConfigError
from integrations.provider.demo import FOLDER
from integrations.provider.settings import ProviderConfig, read_settings
from integrations.sandbox.broker import free_port
from tests.fakes.brokers import PATIENCE_S
from tests.fakes.flatpeak_for_providers import PASSWORD, USERNAME, Poller, flatpeak_for_providers
from tests.fakes.provider import CLEO, SECRET, Browser, sign_in

FILES = [str(FOLDER / f"{name}.csv") for name in ("customers", "tariffs", "contracts")]


def write_config(
    folder: Path, url: str, flatpeak_url: str, port: int = 1, workers: int = 1
) -> Path:
    path = folder / "provider.yaml"
    path.write_text(
        f"public_url: http://127.0.0.1:{port}\n"
        f"http: {{port: {port}, workers: {workers}}}\n"
        f"database: {{url: '{url}'}}\n"
        f"flatpeak: {{url: '{flatpeak_url}', username: {USERNAME}, password: {PASSWORD}}}\n"
        f"oauth: {{client_secret: {SECRET}}}\n"
        "polling: {min_interval_s: 0}\n"
        "login: {wrong_per_login: 4, wrong_per_session: 20}\n"
    )
    return path


def provider(
    deed: str, config: Path, *more: str, given: str | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "agent", "provider", deed, "--config", str(config), *more]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, input=given
    )


@asynccontextmanager
async def running(config: Path, port: int) -> AsyncIterator[None]:
    command = (sys.executable, "-m", "agent", "provider", "run", "--config", str(config))
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | {"PYTHONWARNINGS": ""}
    )
    try:
        async with aiohttp.ClientSession() as http:
            while True:
                assert process.returncode is None
                try:
                    async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                        assert answer.status == 200
                        break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    "database_url", ["postgresql", pytest.param("sqlite", marks=pytest.mark.full)], indirect=True
)
async def test_several_workers_share_nothing_but_the_database(
    database_url: str, tmp_path: Path
) -> None:
    """Each request opens its own connection: the kernel gives it to any of the workers."""
    async with flatpeak_for_providers() as flatpeak:
        port = free_port()
        config = write_config(tmp_path, database_url, flatpeak.url, port, workers=2)
        loaded = await asyncio.to_thread(provider, "load", config, *FILES)
        assert loaded.stdout == "4 customers, 4 contracts, 4 tariffs\n", loaded.stderr
        async with running(config, port):
            url = f"http://127.0.0.1:{port}"
            pollers = []
            for _ in range(4):
                token = flatpeak.new_token()
                browser = Browser(url, keeps_connections=False)
                await browser.get(f"{url}/flatpeak?connect_token={token}")
                await sign_in(browser, CLEO)
                await browser.submit("consent")
                assert browser.left_for.endswith(token)
                pollers.append(Poller(flatpeak.outcome(token)["data"]["auth_data"], SECRET))
                await browser.close()
            connector = aiohttp.TCPConnector(force_close=True)
            async with aiohttp.ClientSession(connector=connector) as http:
                for poller in pollers:
                    assert [(await poller.poll(http))[0], await poller.renew(http)] == [200, 200]
            # Tries at different workers count together.
            browser = Browser(url, keeps_connections=False)
            page = await browser.get(f"{url}/flatpeak?connect_token={flatpeak.new_token()}")
            tries = [browser.submit("login", page, login="x", password="y") for _ in range(10)]
            found = [answer.status for answer in await asyncio.gather(*tries)]
            assert sorted(found) == [200] * 4 + [429] * 6
            await browser.close()
        audit = await asyncio.to_thread(provider, "audit", config)
        assert audit.stdout.count("CONSENT_GIVEN") == 4
        assert audit.stdout.startswith("at,event,session,customer_id,")
        check = await asyncio.to_thread(provider, "check", config)
        assert "ok    FlatPeak: credentials are taken" in check.stdout
        assert "FAIL  dynamic tariffs: no prices for the next 24 h: half-hourly" in check.stdout


async def test_systemd_is_told_when_the_workers_listen(tmp_path: Path) -> None:
    """Not before: what comes after the unit finds somebody there."""
    port = free_port()
    url = f"sqlite:///{tmp_path}/p.sqlite"
    config = write_config(tmp_path, url, "http://127.0.0.1:9", port, workers=2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        command = (sys.executable, "-m", "agent", "provider", "run", "--config", str(config))
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        )
        async with asyncio.timeout(PATIENCE_S):
            said = await asyncio.get_running_loop().sock_recv(systemd, 100)
        assert said == b"READY=1"
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_a_port_is_one_supervisors_alone_and_free_when_it_is_killed(tmp_path: Path) -> None:
    """Two that share a port answer by turns, each with its own config."""
    port = free_port()
    config = write_config(
        tmp_path, f"sqlite:///{tmp_path}/p.sqlite", "http://127.0.0.1:9", port, workers=2
    )
    command = (sys.executable, "-m", "agent", "provider", "run", "--config", str(config))
    first = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert first.stderr is not None
    async with asyncio.timeout(PATIENCE_S):
        while b"2 workers serve" not in await first.stderr.readline():
            assert first.returncode is None
    second = await asyncio.to_thread(provider, "run", config)
    assert second.returncode == 69
    assert f"127.0.0.1 port {port}: another process listens there" in second.stderr
    first.kill()
    async with asyncio.timeout(PATIENCE_S):
        # The workers have its standard error until they end.
        said = await first.stderr.read()
    assert said.count(b"no more is served") == 2
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await first.wait()


def test_a_wrong_config_is_said_with_its_key(tmp_path: Path) -> None:
    config = write_config(tmp_path, "mysql://root:hunter2@x", "http://flatpeak.example")
    config.write_text(config.read_text().replace(SECRET, "too-short"))
    done = provider("run", config)
    assert done.returncode == 78
    assert "expected sqlite:////" in done.stderr
    for secret in (PASSWORD, "hunter2", "too-short"):
        assert secret not in done.stderr


def test_a_wrong_file_is_said_with_its_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, f"sqlite:///{tmp_path}/p.sqlite", "http://127.0.0.1:9")
    wrong = tmp_path / "c.csv"
    wrong.write_text("customer,login,password,name\nC1,a@b,,A\n")
    done = provider("load", config, str(wrong))
    assert done.returncode == 65
    assert f"{wrong}, line 2, column password: expected" in done.stderr
    assert "nothing was written" in done.stderr


def test_what_is_taken_but_may_not_be_meant_is_noted(tmp_path: Path) -> None:
    """The example as it stands, with prices; beside it what spreadsheets and people leave."""
    config = write_config(tmp_path, f"sqlite:///{tmp_path}/p.sqlite", "http://127.0.0.1:9")
    done = provider("load", config, *FILES, str(FOLDER / "prices.csv"))
    assert (done.stdout, done.stderr) == ("4 customers, 4 contracts, 4 tariffs, 48 prices\n", "")
    for name, right, wrong in (("customers", "sunny-meadow-42", "1234"), ("contracts", "04", "4")):
        path = tmp_path / f"{name}.csv"
        path.write_text((FOLDER / path.name).read_text().replace(right, wrong))
    done = provider(
        "load", config, str(tmp_path / "customers.csv"), str(tmp_path / "contracts.csv")
    )
    assert done.stdout == "4 customers, 4 contracts\n"
    assert "customers.csv, line 2, column password: has fewer than 8 characters" in done.stderr
    assert "contracts.csv, line 4, column post_code: has 4 digits, not 5" in done.stderr
    assert "1234" not in done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://flatpeak:ge@heim@127.0.0.1/flatpeak", "is written %40 there"),
        ("postgresql://flatpeak:ge@heim:w/u@db.lan/flatpeak", "is written %40 there"),
        ("postgresql://flatpeak@db.lan:heim/flatpeak", "expected postgresql://user:password@host"),
        ("sqlite://", "expected a file"),
        ("sqlite:///:memory:", "expected a file"),
    ],
)
def test_a_database_address_that_cannot_be_meant_is_refused(
    tmp_path: Path, url: str, expected: str
) -> None:
    """Nothing of a password is taken for the host, and printed as that."""
    with pytest.raises(ConfigError) as caught:
        read_settings(write_config(tmp_path, url, "http://127.0.0.1:9"), {})
    assert expected in str(caught.value)
    assert "heim" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((SECRET, "kurz"), "oauth.client_secret: expected at least 16 characters"),
        ((PASSWORD, "''"), "flatpeak.password: expected at least 1 characters"),
        ((USERNAME, "a:b"), "flatpeak.username: is 'a:b'; expected a name without colons"),
        (("{port:", "{authentication_path: /apps, port:"), "expected another path: /api, /apps"),
        (("{port:", "{authentication_path: /, port:"), "expected a path such as /flatpeak"),
        (("public_url: http://", "public_url: http://a:b@"), "public_url: expected a host name"),
        (("oauth:", "brand: {support_url: hilfe}\noauth:"), "brand.support_url: is 'hilfe'; expec"),
        (("oauth:", "customers: mine\noauth:"), "customers: expected module:function, or nothing"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    config = write_config(tmp_path, f"sqlite:///{tmp_path}/p.sqlite", "http://127.0.0.1:9")
    config.write_text(config.read_text().replace(*change, 1))
    with pytest.raises(ConfigError) as caught:
        read_settings(config, {})
    assert expected in str(caught.value)


async def test_check_tries_what_run_needs_and_writes_nothing(tmp_path: Path) -> None:
    port = free_port()
    database = tmp_path / "p.sqlite"
    config = write_config(tmp_path, f"sqlite:///{database}", "http://127.0.0.1:9", port)
    found = provider("check", config).stdout
    assert f"ok    http: 127.0.0.1 port {port} is free" in found
    assert "FAIL  database: nothing is laid out at sqlite" in found
    assert not database.exists()
    files = f"certificate: {tmp_path}/none.pem, key: {config}, port:"
    config.write_text(
        config.read_text().replace("port:", files, 1).replace("public", "log:\npublic")
    )
    found = provider("check", config).stdout
    assert f"FAIL  http: http.certificate: {tmp_path}/none.pem: No such file" in found
    config.write_text(config.read_text().replace("none.pem", config.name))
    done = provider("run", config)
    assert done.returncode == 69
    assert f"http.certificate, http.key: {config} and {config} are no certificate" in done.stderr


def test_secrets_of_the_example_are_named_by_check(tmp_path: Path) -> None:
    config = write_config(tmp_path, f"sqlite:///{tmp_path}/p.sqlite", "http://127.0.0.1:9")
    assert "  secrets: " not in provider("check", config).stdout
    config.write_text(config.read_text().replace(SECRET, "change-me-change-me"))
    done = provider("check", config)
    assert "FAIL  secrets: oauth.client_secret: still as in the example" in done.stdout
    assert done.returncode == 69


def test_the_database_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    database = tmp_path / "p.sqlite"
    config = write_config(tmp_path, f"sqlite:///{database}", "http://127.0.0.1:9")
    done = provider("load", config, *FILES)
    assert done.returncode == 0, done.stderr
    for file in tmp_path.glob("p.sqlite*"):
        assert file.stat().st_mode & 0o077 == 0, file


OWN_SYSTEM = """
from integrations.provider.customers import Customer

class CustomerSystemOfOurs:
    async def check_login(self, login, password):
        return Customer("M-1", "Mia") if (login, password) == ("mia", "moon") else None

    async def contracts(self, customer_id, now):
        return []

    async def tariff(self, contract_id, start, end, now):
        return None

def make(config, database):
    return CustomerSystemOfOurs()
"""


async def test_a_suppliers_own_customer_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With workers, as our own tables are served."""
    (tmp_path / "supplier_customers.py").write_text(OWN_SYSTEM)
    async with flatpeak_for_providers() as flatpeak:
        port = free_port()
        url = f"sqlite:///{tmp_path}/p.sqlite"
        config = write_config(tmp_path, url, flatpeak.url, port, workers=2)
        config.write_text(config.read_text() + "customers: supplier_customers:make\n")
        done = await asyncio.to_thread(provider, "run", config)
        assert done.returncode == 69
        assert "customers: supplier_customers:make: No module named" in done.stderr
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        async with running(config, port):
            own = f"http://127.0.0.1:{port}"
            browser = Browser(own)
            await browser.get(f"{own}/flatpeak?connect_token={flatpeak.new_token()}")
            page = await sign_in(browser, ("mia", "moon"))
            assert page.title == "No suitable tariff"
            await browser.close()
        checked = await asyncio.to_thread(provider, "check", config)
        assert "ok    customers: supplier_customers:make is there" in checked.stdout


def test_without_the_extra_one_sentence_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("agent.cli.provider.PARTS", ("not_installed_here",))
    assert main(["check"]) == 69
    assert "pip install -c constraints.txt '.[provider]'" in capsys.readouterr().err


def test_the_example_config_is_whole() -> None:
    """Every key stands there, those that are comments with their default."""
    path = FOLDER / "provider.yaml"
    example = read_settings(path, {})
    assert example.http.workers == 2
    text = path.read_text()
    for name, section in ProviderConfig.model_fields.items():
        assert re.search(rf"^(# )?{name}:", text, re.MULTILINE), name
        model = section.annotation
        fields = (
            model.model_fields if isinstance(model, type) and issubclass(model, Section) else {}
        )
        for key, field in fields.items():
            found = re.search(rf"^  (# )?{key}: *([^#\n]*)", text, re.MULTILINE)
            assert found, f"{name}.{key}"
            if found[1] and field.default not in (None, PydanticUndefined, ""):
                said = YAML(typ="safe", pure=True).load(found[2])
                usual = field.default
                assert said == (list(usual) if isinstance(usual, tuple) else usual), key


def test_what_is_loaded_may_come_on_standard_input(tmp_path: Path) -> None:
    """As in the README: whoever loads into the service's own database opens no file to it."""
    config = write_config(tmp_path, f"sqlite:///{tmp_path}/p.sqlite", "http://127.0.0.1:1")
    for file in FILES:
        done = provider("load", config, "-", given=Path(file).read_text())
        assert (done.returncode, done.stderr) == (0, "")
    wrong = provider("load", config, "-", given="nonsense\n")
    assert wrong.returncode == 65
    assert "standard input" in wrong.stderr


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    config = write_config(tmp_path, f"sqlite:///{tmp_path}/no/p.sqlite", "http://127.0.0.1:1")
    done = provider("load", config, *FILES)
    assert done.returncode == 69
    assert f"{tmp_path}/no/p.sqlite" in done.stderr
