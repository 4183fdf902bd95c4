"""What a home with fixed prices does not pay for: the HTTP client of the others."""

import signal
from pathlib import Path

import pytest

from integrations.sandbox.broker import HOST
from tests.fakes.brokers import Mosquitto, watching
from tests.fakes.command import ROOT, command

STATUS = "flatpeak/home/status"
# Python reads this before anything else; None makes every import of the module fail.
NOT_INSTALLED = "import sys\nsys.modules['aiohttp'] = None\n"
CONFIG = """
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
mqtt: {{host: {host}, port: {port}}}
state: {{directory: {folder}/state}}
"""


@pytest.fixture
def without_aiohttp(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED)
    return {"PYTHONPATH": f"{ROOT}:{tmp_path}"}


def config_file(folder: Path, port: int) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(host=HOST, port=port, folder=folder))
    return path


async def test_check_and_run_with_fixed_prices_do_without_it(
    tmp_path: Path, without_aiohttp: dict[str, str]
) -> None:
    async with Mosquitto(tmp_path) as broker, watching(broker.port, STATUS) as other:
        path = config_file(tmp_path, broker.port)
        async with command("check", "--config", path, env=without_aiohttp) as check:
            code, _, err, _ = await check.ended()
        assert (code, err) == (0, "")
        async with command("run", "--config", path, env=without_aiohttp) as agent:
            await other.until_heard(STATUS, b"online")
            code, _, err, _ = await agent.stopped_by(signal.SIGTERM)
        assert code == 0, err


async def test_the_sandbox_cannot(without_aiohttp: dict[str, str]) -> None:
    """So the two above did run without it."""
    async with command("sandbox", env=without_aiohttp) as sandbox:
        assert "aiohttp" in (await sandbox.ended())[2]
