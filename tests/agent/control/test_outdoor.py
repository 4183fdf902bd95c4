"""What is heard of the weather: a thermometer's topic, a forecast, and what cannot be weather."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.clock import SteppedClock
from agent.config.site import SiteSection
from agent.contracts.catalogue import TOPICS
from agent.control.outdoor import Outdoor
from agent.control.site import FORECASTS
from agent.energy.instants import to_unix_floor
from agent.errors import Malformed
from agent.home.windows import SiteLocation
from tests.fakes.virtual_loop import run_virtual

NOW = datetime(2026, 1, 16, 11, tzinfo=UTC)
PLACE = SiteLocation(ZoneInfo("Europe/Berlin"), 52.5, 13.4)
TOPIC = "weather/outdoor"


def test_a_thermometer_is_heard_and_forgotten_when_it_falls_silent() -> None:
    async def live(clock: SteppedClock) -> None:
        outdoor = Outdoor(SiteSection(outdoor_topic=TOPIC), clock)
        assert outdoor.subscriptions == [TOPIC]
        usual = outdoor.expected(PLACE)
        assert not usual.measured
        assert outdoor.receive(b"-11.5", TOPIC)
        # A tenth more is no other weather.
        assert not outdoor.receive(b'{"temperature_c": -11.4, "humidity": 80}', TOPIC)
        found = outdoor.expected(PLACE)
        assert found.steps.value(to_unix_floor(clock.now())) == pytest.approx(-11.5, abs=0.5)
        await clock.sleep(timedelta(hours=7).total_seconds())
        assert not outdoor.expected(PLACE).measured

    run_virtual(live, NOW)


@pytest.mark.parametrize(
    "payload",
    [b"", b"cold", b"null", b"true", b"NaN", b"1e400", b"9" * 400, b"[1]", b"{}", b"85", b"-273"],
)
def test_what_cannot_be_weather_changes_nothing(payload: bytes) -> None:
    async def live(clock: SteppedClock) -> None:
        outdoor = Outdoor(SiteSection(outdoor_topic=TOPIC), clock)
        outdoor.receive(b"3.5", TOPIC)
        before = outdoor.expected(PLACE)
        with pytest.raises(Malformed, match=TOPIC):
            outdoor.receive(payload, TOPIC)
        assert outdoor.expected(PLACE) == before

    run_virtual(live, NOW)


def test_a_forecast_in_fahrenheit_is_not_believed() -> None:
    async def live(clock: SteppedClock) -> None:
        outdoor = Outdoor(SiteSection(), clock)
        start = to_unix_floor(clock.now())
        outdoor.set_forecast([(start, start + 3600, 75.0), (start + 3600, start + 7200, -4.0)])
        steps = outdoor.expected(PLACE).steps
        assert steps.value(start) < 20
        assert steps.value(start + 4000) == -4.0

    run_virtual(live, NOW)


def test_every_forecast_that_is_read_has_its_schema() -> None:
    described = {topic.name for topic in TOPICS}
    assert {f"site/forecast/{name}" for name in FORECASTS} <= described
