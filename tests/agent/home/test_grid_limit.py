"""What the grid allows: read, stored, and taken up again under another config."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agent.energy.instants import format_instant, to_unix_floor
from agent.errors import Malformed
from agent.home.grid_limit import (
    MAX_WINDOWS,
    UNLIMITED_W,
    from_stored,
    lower_of,
    read_limit,
    stored_text,
)
from agent.home.heard_limits import HeardLimits

NOW = datetime(2026, 1, 16, 10, tzinfo=UTC)
TOPIC = "flatpeak/home/site/limit"
LATER = to_unix_floor(NOW) + 86_400
WINDOW = (
    b'"windows": [{"start": "2026-01-16T11:00:00Z", "end": "2026-01-16T12:00:00Z", "import_w": 3}]'
)


@pytest.mark.parametrize("before", [None, 4200.0, 9000.0])
@pytest.mark.parametrize(("now", "holds"), [(None, UNLIMITED_W), (5000.0, 5000.0)])
def test_after_a_restart_the_failsafe_is_that_of_the_config(
    before: float | None, now: float | None, holds: float
) -> None:
    limit = read_limit(b"{%b}" % WINDOW, TOPIC, NOW, before)
    again = from_stored(stored_text(limit, HeardLimits()), now)
    assert again.windows == limit.windows
    assert again.steps().value(LATER) == holds


@pytest.mark.parametrize("found", [b"9" * 400, b"-1", b"NaN", b"1e400", b"true", b'"4200"', b"[]"])
def test_a_power_that_cannot_be_is_named(found: bytes) -> None:
    for body in (b'{"import_w": %b}', b'{"windows": [], "failsafe_w": %b}'):
        with pytest.raises(Malformed, match=f"{TOPIC}: .*_w: expected"):
            read_limit(body % found, TOPIC, NOW, 9000)


def test_a_failsafe_that_was_told_counts_where_one_is_expected() -> None:
    limit = read_limit(b'{%b, "failsafe_w": 4300}' % WINDOW, TOPIC, NOW, 9000)
    assert limit.steps().value(LATER) == 4300
    assert from_stored(stored_text(limit, HeardLimits()), 9000) == limit
    assert from_stored(stored_text(limit, HeardLimits()), None).steps().value(LATER) == UNLIMITED_W


def test_of_two_limits_the_lower_counts_at_each_instant() -> None:
    now = to_unix_floor(NOW)
    one = read_limit(b'{%b, "failsafe_w": 8000}' % WINDOW, TOPIC, NOW, 9000)
    other = read_limit(b'{"import_w": 5000, "failsafe_w": 7000}', TOPIC, NOW, 9000)
    both = lower_of(one, other, now, 4200).steps()
    for at in (now, one.windows[0].start, one.windows[0].end, LATER, LATER + 10**7):
        assert both.value(at) == min(one.steps().value(at), other.steps().value(at))
    free = read_limit(b"", TOPIC, NOW, 9000)
    assert lower_of(one, free, now, 4200).steps().value(LATER) == 8000


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_as_many_windows_as_there_may_be_are_read_however_they_are_written(
    indent: int | None,
) -> None:
    windows = [
        {
            "start": format_instant(NOW + timedelta(hours=number)),
            "end": format_instant(NOW + timedelta(hours=number + 1)),
            "import_w": 4200.5,
        }
        for number in range(MAX_WINDOWS)
    ]
    payload = json.dumps({"windows": windows, "failsafe_w": 4200}, indent=indent).encode()
    assert len(read_limit(payload, TOPIC, NOW, None).windows) == MAX_WINDOWS
    with pytest.raises(Malformed, match="at most 200"):
        read_limit(json.dumps({"windows": [*windows, windows[0]]}).encode(), TOPIC, NOW, None)
