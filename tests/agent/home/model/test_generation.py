"""What an inverter gives under its limit."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.home.model.drawn_power import REPORTS_WITHIN
from agent.home.model.generation import Generation

NOW = datetime(2026, 1, 16, 12, tzinfo=UTC)


@pytest.mark.parametrize(("gives_w", "held_down"), [(100.0, False), (449.0, False), (450.0, True)])
def test_one_that_gives_nearly_its_limit_is_held_down(gives_w: float, held_down: bool) -> None:
    generation = Generation((gives_w, NOW))
    assert generation.is_limited(500.0, NOW) is held_down
    assert not generation.is_limited(None, NOW)


def test_one_that_has_told_nothing_lately_may_be_held_down() -> None:
    later = NOW + REPORTS_WITHIN + timedelta(seconds=1)
    assert Generation().is_limited(500.0, NOW)
    assert Generation((100.0, NOW)).given(NOW) == (100.0, NOW)
    assert Generation((100.0, NOW)).given(later) is None
    assert Generation((100.0, NOW)).is_limited(500.0, later)
