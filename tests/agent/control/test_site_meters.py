"""What a site's meter told, and when it was so, also where the broker kept it."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.clock import SteppedClock
from agent.config.site import SiteSection
from agent.control.site_meters import SiteMeters, most_of_connection_w
from agent.energy.readings import Reading
from agent.health import Health
from agent.home.kinds.meter import MeterRole
from agent.ports import UntimedReading
from tests.agent.dispatch.test_limit import profile

NOW = datetime(2026, 1, 15, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def meters(most_w: float = 43_500) -> SiteMeters:
    site = SiteMeters({"m": MeterRole.GRID}, frozenset({"m"}), Health(SteppedClock(NOW)))
    site.most_w = most_w
    return site


def why(site: SiteMeters) -> str:
    return site.health.parts["device:m"].why


async def test_what_the_broker_kept_is_a_reading_by_its_own_time() -> None:
    site = meters()
    site.on_decoded("m", Reading("power_w", 500.0, NOW - MINUTE), NOW, retained=True)
    assert site.power_w(MeterRole.GRID, NOW) == 500
    assert why(site) == ""
    site.on_decoded("m", Reading("power_w", 700.0, NOW - 9 * MINUTE), NOW, retained=True)
    assert site.power_w(MeterRole.GRID, NOW) == 500


async def test_without_a_time_it_was_heard_all_the_same_and_its_next_message_counts() -> None:
    site = meters()
    site.look(NOW)
    assert why(site) == "not heard from yet"
    site.on_decoded("m", UntimedReading("power_w", 500.0), NOW, retained=True)
    assert why(site) == "what it told last has no time that is known"
    assert site.power_w(MeterRole.GRID, NOW) is None
    site.on_decoded("m", UntimedReading("power_w", 600.0), NOW, retained=False)
    assert (why(site), site.power_w(MeterRole.GRID, NOW)) == ("", 600)
    # The clock was set: when that was, nobody knows any more.
    site.forget()
    site.look(NOW)
    assert why(site) == "what it told last has no time that is known"


@pytest.mark.parametrize("watts", [1e6, 65_535.0, -65_536.0])
async def test_more_than_the_connection_carries_is_not_believed_and_said(watts: float) -> None:
    site = meters()
    heard: list[datetime] = []
    site.on_power = lambda role, at: heard.append(at)
    site.on_decoded("m", Reading("power_w", 500.0, NOW), NOW, retained=False)
    later = NOW + MINUTE
    site.on_decoded("m", Reading("power_w", watts, later), later, retained=False)
    assert site.power_w(MeterRole.GRID, later) == 500
    assert heard == [NOW]
    assert why(site) == f"{watts:.0f} W is not believed: a connection like this carries 43500 W"
    site.on_decoded("m", UntimedReading("power_w", 600.0), later, retained=False)
    assert (why(site), site.power_w(MeterRole.GRID, later)) == ("", 600)


def test_what_a_connection_carries_is_never_less_than_what_is_behind_it() -> None:
    car = profile("ev_charger", id="ev", max_power_w=22_000, phases=3, battery_kwh=60)
    assert most_of_connection_w(SiteSection(import_limit_w=9000), [car]) == 44_000
    assert most_of_connection_w(SiteSection(import_limit_w=9000), []) == 43_500
    assert most_of_connection_w(SiteSection(import_limit_w=50_000), [car]) == 100_000
    assert most_of_connection_w(SiteSection(base_load_w=1000), [car] * 3) == 134_000
