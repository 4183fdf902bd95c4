"""What a gateway that shows no pages does not pay for: eight megabytes of aiohttp."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from agent.clock import SystemClock
from integrations.registry import tariff_source
from integrations.tariffs.fixed_settings import FixedConfig
from integrations.tariffs.flatpeak_settings import FlatPeakConfig

config = FixedConfig.model_validate(
    {"source": "fixed", "timezone": "Europe/Berlin", "currency": "EUR", "import": 0.3}
)
assert tariff_source(config, SystemClock()).identity.startswith("fixed:")
config = FlatPeakConfig.model_validate(
    {"source": "flatpeak", "account_id": "a", "api_key": "k", "location_id": "loc_1"}
)
assert tariff_source(config, SystemClock()).identity.startswith("flatpeak:")
assert "aiohttp" not in sys.modules, "aiohttp was imported"
"""


def test_no_tariff_source_imports_aiohttp() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
