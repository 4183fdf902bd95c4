"""What a home with fixed prices does not pay for: the HTTP client of the others."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from agent.clock import SystemClock
from integrations.registry import tariff_source
from integrations.tariffs.fixed_settings import FixedConfig

config = FixedConfig.model_validate(
    {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
)
source = tariff_source(config, SystemClock())
assert source.identity.startswith("fixed:")
assert "aiohttp" not in sys.modules, "aiohttp was imported"
"""


def test_a_fixed_tariff_imports_no_http_client() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
