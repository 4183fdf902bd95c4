"""The weather outdoors: a forecast of others, a thermometer on a topic, else the season."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.clock import Clock
from agent.config.site import SiteSection
from agent.contracts.text import UNREADABLE, finite
from agent.energy.instants import to_unix_floor
from agent.errors import Malformed
from agent.home.estimates.history import HOUR_S
from agent.home.estimates.outdoor import OutdoorEstimate, expected_outdoor
from agent.home.planning_input import PLANNED_AHEAD
from agent.home.windows import SiteLocation

REACH = PLANNED_AHEAD + timedelta(days=1)
# A thermometer that was heard so long ago says nothing of today.
TELLS_WITHIN = timedelta(hours=6)
COLDEST_C, HOTTEST_C = -60.0, 60.0
# Steps in which a thermometer is news: a tenth more or less moves no plan.
STEP_C = 0.5
KEY = "temperature_c"

Spans = Sequence[tuple[int, int, float]]


@dataclass(slots=True)
class Outdoor:
    """Asked all the time, thought about once an hour or when something was said."""

    section: SiteSection
    clock: Clock
    _forecast: Spans = ()
    _present: tuple[float, datetime] | None = None
    _known: tuple[object, OutdoorEstimate] | None = field(default=None, init=False)

    @property
    def subscriptions(self) -> list[str]:
        topic = self.section.outdoor_topic
        return [] if topic is None else [topic]

    def set_forecast(self, spans: Spans) -> None:
        """A forecast of others, °C; empty: it is taken back."""
        self._forecast = [(a, b, c) for a, b, c in spans if COLDEST_C <= c <= HOTTEST_C]
        self._known = None

    def receive(self, payload: bytes, topic: str) -> bool:
        """What the thermometer says. True where it is news. Raises Malformed."""
        told = _read(payload, topic)
        before = self._present
        self._present = told, self.clock.now()
        if before is not None and abs(before[0] - told) < STEP_C:
            # The steps of a sensor around the same value would each be another weather.
            self._present = before[0], self.clock.now()
            return False
        self._known = None
        return True

    def expected(self, place: SiteLocation) -> OutdoorEstimate:
        now = self.clock.now()
        present = self._present
        if present is not None and now - present[1] > TELLS_WITHIN:
            present = None
        key = to_unix_floor(now) // HOUR_S, place, present and present[0]
        if self._known is None or self._known[0] != key:
            estimate = expected_outdoor(
                place,
                now,
                now + REACH,
                mean_c=self.section.outdoor_mean_c,
                present_c=None if present is None else present[0],
                forecast=self._forecast,
            )
            self._known = key, estimate
        return self._known[1]


def _read(payload: bytes, topic: str) -> float:
    """A number, or an object with `temperature_c`."""
    try:
        raw = json.loads(payload)
    except UNREADABLE:
        raise Malformed(f"{topic}: is no number") from None
    if isinstance(raw, dict):
        raw = raw.get(KEY)
    told = finite(raw)
    if told is None:
        raise Malformed(f"{topic}: expected a number, or an object with {KEY}")
    if not COLDEST_C <= told <= HOTTEST_C:
        raise Malformed(f"{topic}: is {told:g}; expected {COLDEST_C:g} to {HOTTEST_C:g} °C")
    return told
