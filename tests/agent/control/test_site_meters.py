"""What a site's meter told, and when it was so, also where the broker kept it."""

from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.control.site_meters import SiteMeters
from agent.energy.readings import Reading
from agent.health import Health
from agent.home.kinds.meter import MeterRole
from agent.ports import UntimedReading

NOW = datetime(2026, 1, 15, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def meters() -> SiteMeters:
    return SiteMeters({"m": MeterRole.GRID}, frozenset({"m"}), Health(SteppedClock(NOW)))


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
