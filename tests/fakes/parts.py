"""Programs that tests need: CI puts every one there, elsewhere a test says what it lacks."""

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skips the test; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed: see .ci/run")
    pytest.skip(f"{what} is not installed")
