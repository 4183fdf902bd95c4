"""What a house really loses and stores, learned slowly from readings. Pure.

Over a day what goes in (heat made, gains) less what is stored is what was lost: that tells the loss
per degree. Over a few hours in which the temperature moves, what goes in less what is lost is what
was stored: that tells the capacity. Each counts as the median of its last observations, so a window
that stands open for an evening or a sensor that lies for a day is outvoted; what is believed moves
towards it by a small share, and never leaves `LEAST`..`MOST` of what was configured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp
from statistics import median

LEAST, MOST = 0.5, 2.0
# An observation of the loss takes a day, so that sun, people and nights are all in it.
LOSS_HOURS, CAPACITY_HOURS = 24.0, 3.0
# Where it is hardly colder outdoors than in, gains drown the loss.
LEAST_DEGREES = 4.0
# Below this a change of temperature is no more than a sensor's steps.
LEAST_CHANGE_C = 0.7
KEPT, NEEDED = 7, 3
LOSS_RATE, CAPACITY_RATE = 0.25, 0.1


@dataclass(frozen=True, slots=True)
class HeatStore:
    """A store of heat with one temperature: kWh and W per degree, and what warms it unasked."""

    capacity_kwh_per_c: float
    loss_w_per_c: float
    gains_w: float = 0.0

    def after(self, temperature_c: float, outdoor_c: float, heat_w: float, hours: float) -> float:
        """Its temperature after so long, to first order; `heat_w` less what is drawn."""
        heat = heat_w + self.gains_w
        if not self.loss_w_per_c:
            return temperature_c + heat * hours / 1000 / self.capacity_kwh_per_c
        settles_c = outdoor_c + heat / self.loss_w_per_c
        keeps = exp(-hours * self.loss_w_per_c / 1000 / self.capacity_kwh_per_c)
        return settles_c + (temperature_c - settles_c) * keeps


@dataclass(slots=True)
class _Span:
    """What went in and how much colder it was outdoors since the temperature was `start_c`."""

    start_c: float
    hours: float = 0.0
    heat_kwh: float = 0.0
    degree_hours: float = 0.0

    def add(self, hours: float, heat_kwh: float, degree_hours: float) -> None:
        self.hours += hours
        self.heat_kwh += heat_kwh
        self.degree_hours += degree_hours


@dataclass(slots=True)
class HeatLossEstimate:
    """`loss_factor`, `capacity_factor`: what is believed, of what was configured."""

    configured: HeatStore
    loss_factor: float = 1.0
    capacity_factor: float = 1.0
    losses: list[float] = field(default_factory=list)
    capacities: list[float] = field(default_factory=list)
    _day: _Span | None = field(default=None, init=False)
    _swing: _Span | None = field(default=None, init=False)

    @property
    def store(self) -> HeatStore:
        """What is believed."""
        known = self.configured
        return HeatStore(
            known.capacity_kwh_per_c * self.capacity_factor,
            known.loss_w_per_c * self.loss_factor,
            known.gains_w,
        )

    @property
    def learned(self) -> bool:
        return len(self.losses) >= NEEDED or len(self.capacities) >= NEEDED

    def restart(self) -> None:
        """What went in or how warm it is is not known now: what is under way tells nothing."""
        self._day = self._swing = None

    def observe(
        self, start_c: float, end_c: float, outdoor_c: float, heat_kwh: float, hours: float
    ) -> None:
        """From `start_c` to `end_c` in so many hours, with that heat made in them."""
        heat_kwh += self.configured.gains_w * hours / 1000
        degree_hours = ((start_c + end_c) / 2 - outdoor_c) * hours
        self._day = self._day or _Span(start_c)
        self._swing = self._swing or _Span(start_c)
        for span in (self._day, self._swing):
            span.add(hours, heat_kwh, degree_hours)
        if self._day.hours >= LOSS_HOURS:
            self._see_loss(self._day, end_c)
            self._day = None
        if self._swing.hours >= CAPACITY_HOURS:
            self._see_capacity(self._swing, end_c)
            self._swing = None

    def _see_loss(self, span: _Span, end_c: float) -> None:
        if span.degree_hours < LEAST_DEGREES * span.hours or not self.configured.loss_w_per_c:
            return
        stored_kwh = self.store.capacity_kwh_per_c * (end_c - span.start_c)
        loss = (span.heat_kwh - stored_kwh) * 1000 / span.degree_hours
        self.loss_factor = _towards(
            self.losses, loss / self.configured.loss_w_per_c, self.loss_factor, LOSS_RATE
        )

    def _see_capacity(self, span: _Span, end_c: float) -> None:
        change = end_c - span.start_c
        stored_kwh = span.heat_kwh - self.store.loss_w_per_c * span.degree_hours / 1000
        # What warms up while it should cool is warmed by something that nobody measures.
        if abs(change) < LEAST_CHANGE_C or stored_kwh * change <= 0:
            return
        self.capacity_factor = _towards(
            self.capacities,
            stored_kwh / change / self.configured.capacity_kwh_per_c,
            self.capacity_factor,
            CAPACITY_RATE,
        )


def _towards(seen: list[float], factor: float, believed: float, rate: float) -> float:
    """What is believed after one more observation, which joins `seen`."""
    seen.append(round(_within(factor), 3))
    del seen[:-KEPT]
    if len(seen) < NEEDED:
        return believed
    return _within(believed + rate * (median(seen) - believed))


def _within(factor: float) -> float:
    return min(MOST, max(LEAST, factor))


def believable(factors: Sequence[float]) -> bool:
    return len(factors) <= KEPT and all(LEAST <= factor <= MOST for factor in factors)
