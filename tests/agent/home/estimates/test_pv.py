"""What a roof gives: the sun's curve, scaled by what it gave."""

from datetime import UTC, datetime

import pytest

from agent.energy.instants import to_unix_floor
from agent.home.estimates.history import HOUR_S
from agent.home.estimates.pv import USUAL_SHARE, ClearSky, Roof, expected_pv

SOUTH = Roof(10_000, 30, 180, 48.1, 11.6)
JUNE = datetime(2026, 6, 21, tzinfo=UTC)
DAY = to_unix_floor(JUNE)


def curve(roof: Roof, day: int = DAY) -> list[float]:
    sky = ClearSky(roof)
    return [sky.mean_w(day // HOUR_S + hour) for hour in range(24)]


def test_a_clear_day_in_june_is_what_panels_give() -> None:
    powers = curve(SOUTH)
    # Textbooks: 7 to 9 kWh a kW and day under a clear sky, at noon about the peak.
    assert 65_000 < sum(powers) < 90_000
    assert 8500 < max(powers) < 11_000
    assert powers.index(max(powers)) in (10, 11, 12)
    assert powers[0] == powers[23] == 0
    winter = curve(SOUTH, to_unix_floor(datetime(2026, 12, 21, tzinfo=UTC)))
    assert sum(winter) < 0.6 * sum(powers)


def test_a_roof_to_the_east_gives_in_the_morning() -> None:
    east, west = curve(Roof(10_000, 40, 90, 48.1, 11.6)), curve(Roof(10_000, 40, 270, 48.1, 11.6))
    assert sum(east[:11]) > 1.5 * sum(east[11:])
    assert sum(west[12:]) > 1.5 * sum(west[:12])


def test_the_last_two_weeks_scale_the_curve_hour_by_hour() -> None:
    sky = ClearSky(SOUTH)
    first = DAY // HOUR_S

    def given(hour: int) -> float:
        # A tree takes half from three in the afternoon on; clouds a fifth of all.
        return sky.mean_w(hour) * (0.4 if hour % 24 >= 15 else 0.8)

    hours = {hour: given(hour) for hour in range(first - 14 * 24, first)}
    expected = expected_pv(hours, sky, DAY, DAY + 24 * HOUR_S)
    assert len(expected) == 24
    for start, _, power in expected:
        hour = start // HOUR_S
        assert power == pytest.approx(given(hour), rel=0.15, abs=150), hour % 24


def test_before_anything_was_measured_the_usual_share_is_expected_and_never_above_the_peak() -> (
    None
):
    sky = ClearSky(Roof(5000, 30, 180, 48.1, 11.6))
    [(_, _, noon)] = expected_pv({}, sky, DAY + 11 * HOUR_S, DAY + 12 * HOUR_S)
    assert noon == pytest.approx(USUAL_SHARE * sky.mean_w(DAY // HOUR_S + 11))
    much = dict.fromkeys(range(DAY // HOUR_S - 48, DAY // HOUR_S), 9000.0)
    assert max(power for _, _, power in expected_pv(much, sky, DAY, DAY + 86_400)) <= 5000


def test_a_meter_without_a_roof_in_the_config_tells_its_mean_day() -> None:
    first = DAY // HOUR_S
    hours = {h: 1000.0 if h % 24 == 12 else 0.0 for h in range(first - 72, first)}
    expected = expected_pv(hours, None, DAY, DAY + 24 * HOUR_S)
    assert [power for _, _, power in expected].index(1000.0) == 12
    assert expected_pv({}, None, DAY, DAY + HOUR_S) == ()
