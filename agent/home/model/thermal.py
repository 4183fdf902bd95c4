"""How warm a store of heat is believed to be: told, carried on, doubted, learned from. Pure.

A reading corrects what is calculated a little at a time, so that a sensor's noise moves no plan.
One that is further away than heat, loss and draws could have brought it is not believed until it
has stood long enough that they could; one that no such store ever has is never believed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.energy.readings import AGE_LIMITS, Reading
from agent.energy.sentences import sentence
from agent.home.estimates.heat_loss import HeatLossEstimate, HeatStore
from agent.home.model.meter import MeteredInterval
from agent.home.model.surroundings import Surroundings
from agent.home.model.thermostat import Thermostat

# A reading that is older says nothing of now; many sensors tell nothing while nothing changes.
TELLS_WITHIN = AGE_LIMITS["temperature_c"]
STEP = timedelta(minutes=15)
# Of an agent that was away for longer nobody calculates what happened in between.
CARRIED_ON_FOR = timedelta(days=3)
# A sensor that works moves by more than this.
STANDS_WITHIN_C = 0.3
# So far from what is believed a reading is worth a new plan.
UNEXPECTED_C = 0.5


@dataclass(frozen=True, slots=True)
class ThermalTraits:
    """What the configuration says of a store of heat.

    `lowest_c`..`highest_c` is what it can have at all. A reading may differ by `slack_c` at once
    and by `moves_c_per_h` more for each hour since the last one that was believed; it counts fully
    after `settles_s`. One that has stood still while `stands_c` should have been added to it is of
    a sensor that froze. `learns`: its loss and capacity are corrected by what is measured.
    """

    store: HeatStore
    lowest_c: float
    highest_c: float
    slack_c: float
    moves_c_per_h: float
    settles_s: float
    stands_c: float
    learns: bool = False


@dataclass(slots=True)
class ThermalState:
    """`temperature_c` is what is believed at `at`; `told_at` when a reading was last believed.

    `frozen`: its sensor stands still though it is heated.
    """

    traits: ThermalTraits
    max_power_w: float
    temperature_c: float | None = None
    at: datetime | None = None
    told_at: datetime | None = None
    hot_since: datetime | None = None
    hygiene_at: datetime | None = None
    frozen: bool = False
    estimate: HeatLossEstimate = field(init=False)
    thermostat: Thermostat = field(init=False)
    _stands_at_c: float | None = field(default=None, init=False)
    _should_rise_c: float = field(default=0.0, init=False)
    _seen: Reading | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.estimate = HeatLossEstimate(self.traits.store)
        self.thermostat = Thermostat(self.max_power_w)

    @property
    def store(self) -> HeatStore:
        return self.estimate.store

    def tells(self, now: datetime) -> bool:
        """Has it told lately how warm it is, believably?"""
        return self.told_at is not None and now - self.told_at <= TELLS_WITHIN

    def is_news(self, temperature_c: float) -> bool:
        """Is it so far from what is believed that a new plan is worth it?"""
        if not self._can_be(temperature_c):
            return False
        return self.temperature_c is None or abs(temperature_c - self.temperature_c) >= UNEXPECTED_C

    def cannot_be(self, temperature_c: float) -> str | None:
        """Why no store of this kind can be that warm, None where it can."""
        if self._can_be(temperature_c):
            return None
        return sentence(
            "temperature_c {told} cannot be: it has {low} to {high} °C",
            told=f"{temperature_c:g}",
            low=f"{self.traits.lowest_c:g}",
            high=f"{self.traits.highest_c:g}",
        )

    def advance(
        self,
        now: datetime,
        intervals: Sequence[MeteredInterval],
        around: Surroundings,
        reading: Reading | None,
        *,
        assumed_c: float,
        metered: bool,
    ) -> str | None:
        """Carry it on to `now` and take `reading` in; why that is not believed, else None.

        `intervals` are what it took since the last call; `assumed_c` counts where it has never told
        how warm it is, `metered`: it tells what it takes.
        """
        before, began = self.temperature_c, self.at
        if self.temperature_c is None or began is None or now - began > CARRIED_ON_FOR:
            self.temperature_c, self.at, before = assumed_c, now, None
            self.estimate.restart()
        from_c = self.temperature_c
        heat_kwh = self._carry_on(now, intervals, around)
        if reading is not None:
            risen_c = self.temperature_c - from_c if heat_kwh > 0 else 0.0
            self._look_whether_frozen(float(reading.value), risen_c, metered=metered)
        doubt, corrected = self._correct(reading, now, metered=metered)
        self._learn(
            before, began, now, heat_kwh, around, known=metered and corrected and around.measured
        )
        return doubt

    def note_heat(self, temp_c: float, hold_s: int, now: datetime) -> None:
        """Since when it is as hot as hygiene asks, and when that has lasted long enough."""
        temperature = self.temperature_c
        if temperature is None or temperature < temp_c or not (self.tells(now) or self.frozen):
            self.hot_since = None
            return
        self.hot_since = self.hot_since or now
        if (now - self.hot_since).total_seconds() >= hold_s:
            self.hygiene_at = now

    def _carry_on(
        self, now: datetime, intervals: Sequence[MeteredInterval], around: Surroundings
    ) -> float:
        """What was made in kWh of heat up to `now`."""
        assert self.at is not None
        assert self.temperature_c is not None
        length_s = (now - self.at).total_seconds()
        if length_s <= 0:
            return 0.0
        taken_w = max(0.0, sum(item.energy_kwh for item in intervals)) * 3_600_000 / length_s
        made_kwh, temperature, at = 0.0, self.temperature_c, self.at
        while at < now:
            end = min(now, at + STEP)
            hours = (end - at).total_seconds() / 3600
            outdoor = around.outdoor_c(at)
            made_w = taken_w * around.heat_per_w(outdoor)
            temperature = self.store.after(temperature, outdoor, made_w - around.drawn_w(at), hours)
            made_kwh += made_w * hours / 1000
            at = end
        self.temperature_c, self.at = self._clipped(temperature), now
        return made_kwh

    def _look_whether_frozen(self, told_c: float, risen_c: float, *, metered: bool) -> None:
        """Does what is told stand still while it should have got warmer and warmer?"""
        stands = self._stands_at_c
        if stands is None or abs(told_c - stands) > STANDS_WITHIN_C:
            if self.frozen:
                # It works again: what it says is taken as it is.
                self.told_at = None
            self._stands_at_c, self._should_rise_c, self.frozen = told_c, 0.0, False
            return
        self._should_rise_c += risen_c
        if self.frozen or self._should_rise_c < self.traits.stands_c:
            return
        self.frozen = True
        if metered:
            # What is calculated goes on from what it should have been by now.
            self.temperature_c = self._clipped(told_c + self._should_rise_c)

    def _correct(
        self, reading: Reading | None, now: datetime, *, metered: bool
    ) -> tuple[str | None, bool]:
        """Take a reading in: why it is not believed, and whether what is believed was told."""
        assert self.temperature_c is not None
        if reading is None or now - reading.at > TELLS_WITHIN:
            return None, False
        told = float(reading.value)
        if not self._can_be(told):
            return None, False
        if self.frozen and metered:
            why = sentence(
                "temperature_c stands at {told} though it is heated: it is calculated",
                told=f"{told:g}",
            )
            return why, False
        # Without a meter it may as well be the heater.
        stands = None
        if self.frozen:
            stands = sentence(
                "temperature_c stands at {told} though it is told to heat", told=f"{told:g}"
            )
        if reading == self._seen:
            return stands, self.tells(now)
        self._seen = reading
        if self.told_at is None:
            self.temperature_c, self.told_at = told, reading.at
            self.estimate.restart()
            return stands, False
        since_h = max(0.0, (reading.at - self.told_at).total_seconds()) / 3600
        stands_h = max(0.0, (now - self.told_at).total_seconds()) / 3600
        off = told - self.temperature_c
        if abs(off) > self.traits.slack_c + self.traits.moves_c_per_h * stands_h:
            self._seen = None
            why = sentence("temperature_c {told} has changed faster than it can", told=f"{told:g}")
            return why, False
        if abs(off) > self.traits.slack_c:
            # It has stood so long that it must be so, whatever was calculated.
            self.temperature_c, self.told_at = told, reading.at
            self.estimate.restart()
            return stands, False
        share = 1.0
        if self.traits.settles_s:
            share = 1 - math.exp(-since_h * 3600 / self.traits.settles_s)
        self.temperature_c += share * off
        self.told_at = reading.at
        return stands, True

    def _learn(
        self,
        before: float | None,
        began: datetime | None,
        now: datetime,
        heat_kwh: float,
        around: Surroundings,
        *,
        known: bool,
    ) -> None:
        if not self.traits.learns or before is None or began is None or now <= began:
            return
        if not known or now - began > TELLS_WITHIN:
            self.estimate.restart()
            return
        assert self.temperature_c is not None
        hours = (now - began).total_seconds() / 3600
        self.estimate.observe(before, self.temperature_c, around.outdoor_c(began), heat_kwh, hours)

    def _can_be(self, temperature_c: float) -> bool:
        return self.traits.lowest_c <= temperature_c <= self.traits.highest_c

    def _clipped(self, temperature_c: float) -> float:
        return min(self.traits.highest_c, max(self.traits.lowest_c, temperature_c))
