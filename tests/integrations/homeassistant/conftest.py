"""Which Home Assistant a test meets: the machine's, and with the long runs the newest release."""

from pathlib import Path

import pytest

from tests.fakes.home_assistant import hass_program


@pytest.fixture(params=["", pytest.param("newest", marks=pytest.mark.full)], ids=str)
def program(request: pytest.FixtureRequest) -> Path:
    """Its program `hass`."""
    return hass_program(request.param)
