"""Where the house stands: do its coordinates fit its clock?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from agent.cli.checks.result import CheckResult, warning
from agent.config import Config

DEGREES_AN_HOUR = 15
# Clocks follow the sun to this; Spain, Argentina and the west of China go further than most.
MOST_HOURS_OFF = 2.0
# Summer time is an hour on top of it: the standard time of either hemisphere is the lesser.
SOLSTICES = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))


def check_place(config: Config) -> Iterator[CheckResult]:
    """One warning where the coordinates would only fit the time zone the other way round."""
    site = config.site
    zone = site.timezone or getattr(config.tariff, "timezone", None)
    if site.latitude is None or site.longitude is None or not zone:
        return
    if _hours_off(site.longitude, zone) <= MOST_HOURS_OFF:
        return
    if _hours_off(site.latitude, zone) <= MOST_HOURS_OFF and abs(site.longitude) <= 90:
        text = f"latitude {site.latitude:g}, longitude {site.longitude:g} lie far from {zone}"
        hint = f"are the two exchanged? site.latitude: {site.longitude:g}"
        yield warning("site", text, f"{hint}, site.longitude: {site.latitude:g}")


def _hours_off(longitude: float, zone: str) -> float:
    """Between the sun's time there and the zone's standard time."""
    offsets = [when.astimezone(ZoneInfo(zone)).utcoffset() for when in SOLSTICES]
    standard_h = min(offset.total_seconds() for offset in offsets if offset is not None) / 3600
    return abs(longitude / DEGREES_AN_HOUR - standard_h)
