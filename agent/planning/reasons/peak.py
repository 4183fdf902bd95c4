"""What the price of a higher peak does: where it leaves no room, what a device adds or saves."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property

from agent.energy.plan import Reason
from agent.planning.reasons.house import LEAST_W, House
from agent.planning.reasons.shared import spans_of, told
from agent.planning.reasons.words import Numbers, number
from agent.planning.site import Flows, Peaks, capacity_cost, peaks_of

# A device is held where it may not draw such a share of its power more.
LEAST_SHARE = 20
# Less than this is not worth a sentence, in the currency.
WORTH_SAYING = 0.005


class Peak:
    """The windows of a judged plan beside what is paid for: the highest mean of each period."""

    def __init__(self, house: House) -> None:
        self._house = house
        charge = house.problem.situation.site.capacity_charge
        self.charge = charge if charge is not None and charge.per_kw > 0 else None

    def binds(self, k: int, power: int) -> bool:
        """Whether so much more import (in units of power) in piece k would raise the peak."""
        cell, peaks = self._house.cells[k], self._peaks
        if peaks is None or cell.window is None:
            return False
        window = self._house.problem.grid.windows[cell.window]
        left = peaks.highest[window.later] * window.length - peaks.imported[cell.window]
        given = max(0, -self._house.flows.net[k])
        nearly = round(LEAST_W * self._house.units.power_scale) * window.length
        return power * cell.length - given > left + nearly

    def held(self, id: str, power: int, codes: set[str]) -> Iterator[Reason]:
        """When it holds a device below its full power: cheaper time is left out for it, or one
        piece after the other is."""
        house, charge = self._house, self.charge
        if charge is None or house.deadline.over():
            return
        held = [k for k in house.touched(id) if self._holds(k, house.energy(id, k), power)]
        if not held or ("peak" not in codes and len(held) < 2):
            return
        spans = spans_of(house, held)
        peak = self._watts(held)
        text = (
            f"Held at a peak of {house.words.power(peak)} from {told(house, spans)}: "
            f"each kW more would cost {house.words.money(Fraction(charge.per_kw))}."
        )
        numbers: Numbers = {
            "peak_w": number(peak, 0),
            "per_kw": number(Fraction(charge.per_kw)),
            "start": house.words.instant(spans[0][0]),
            "end": house.words.instant(spans[-1][1]),
        }
        yield Reason("peak", text, numbers)

    def changed(self, id: str) -> Iterator[Reason]:
        """What the peak would be and cost without the device, all else as planned."""
        house, peaks = self._house, self._peaks
        if peaks is None or house.deadline.over():
            return
        without = Flows(len(house.cells))
        energy = house.judged.site.energy[id]
        for k, net in enumerate(house.flows.net):
            without.net[k] = net - energy.get(k, 0)
        costs = (capacity_cost(house.problem, house.pieces, one) for one in (house.flows, without))
        more = house.units.currency(next(costs) - next(costs))
        if abs(more) < WORTH_SAYING:
            return
        other = peaks_of(house.problem, house.pieces, without)
        later = max((False, True), key=lambda one: abs(peaks.highest[one] - other.highest[one]))
        high, low = (house.units.watts(one.highest[later]) for one in (peaks, other))
        words = house.words
        told_w: Numbers = {"peak_w": number(high, 0), "without_w": number(low, 0)}
        if more > 0:
            text = (
                f"Raises the peak from {words.power(low)} to {words.power(high)}, "
                f"which costs {words.money(more)}."
            )
            yield Reason("peak", text, {**told_w, "costs": number(more)})
            return
        text = (
            f"Keeps the peak at {words.power(high)} instead of {words.power(low)}, "
            f"which saves {words.money(-more)}."
        )
        yield Reason("peak", text, {**told_w, "saves": number(-more)})

    def _holds(self, k: int, energy: int, power: int) -> bool:
        house = self._house
        spare, least = power - energy // house.cells[k].length, max(1, power // LEAST_SHARE)
        return (
            energy > 0 and spare >= least and self.binds(k, least) and not house.bound_by_limit(k)
        )

    def _watts(self, pieces: Sequence[int]) -> float:
        """The highest peak of those that hold."""
        house, peaks = self._house, self._peaks
        assert peaks is not None
        later = {house.problem.grid.windows[house.cells[k].window or 0].later for k in pieces}
        return max(house.units.watts(peaks.highest[one]) for one in later)

    @cached_property
    def _peaks(self) -> Peaks | None:
        if self.charge is None:
            return None
        return peaks_of(self._house.problem, self._house.pieces, self._house.flows)
