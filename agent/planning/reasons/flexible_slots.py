"""Codes of a flexible device's slots: cheapest, or what keeps it from a cheaper time.

A slot is `cheapest` where nothing in the window of its demand is free and cheaper. Else the code is
the first thing that explains it: the device's own rules, the price of changes, the house's limit,
the price of a higher peak. Time in which the device draws less than it can counts where one of the
last two holds it down.
"""

from typing import NamedTuple

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.reasons.house import SAME_PRICE, House
from agent.planning.reasons.peak import LEAST_SHARE, Peak
from agent.planning.segments import Segment

# What keeps a slot from a cheaper time, by its code.
BOUND = {
    "one_block": "as one block",
    "min_on": "as far as its minimum times allow",
    "start_cost": "as far as the price of a start allows",
    "grid": "as far as its steps allow",
    "change_kept": "as far as the price of changes allows",
    "peak": "as far as the price of a higher peak allows",
    "limit": "as far as the import limit allows",
}


class Cheapest(NamedTuple):
    """The least price at which a demand could have more: where there is room, where the import
    limit leaves none, where more would raise the peak. Infinite where there is no such time."""

    free: float
    blocked: float
    peak: float


class FlexibleSlots:
    def __init__(self, house: House, device: ScaledDevice, peak: Peak) -> None:
        self._house, self._device, self._peak = house, device, peak
        self._cheapest: dict[int, Cheapest] = {}
        self._missing = house.judged.devices[device.id].missing

    def code(self, k: int, segment: Segment) -> str:
        house, device = self._house, self._device
        if segment.demand is None:
            return "min_on"
        demand = device.demands[segment.demand]
        if demand.hard and segment.start >= demand.deadline:
            return "late"
        if segment.start < device.mandatory_s:
            return "min_on"
        cell = house.cells[k]
        if self._missing[segment.demand] and not cell.unknown:
            return "needed_by_deadline"
        if cell.unknown:
            return "unknown"
        if cell.estimated:
            return "estimated"
        return self._of_price(k, segment.demand)

    def _of_price(self, k: int, index: int) -> str:
        house, device = self._house, self._device
        energy = house.energy(device.id, k)
        if not house.imports(k):
            return "surplus" if house.cells[k].pv > house.cells[k].base else "from_storage"
        paid = house.price_of_used(k, energy) - SAME_PRICE
        found = self.cheapest(index)
        if found is None:
            return "cheapest"
        if found.free < paid:
            return self.bound_by(index) or "best_found"
        if min(found) < paid:
            return "limit" if found.blocked <= found.peak else "peak"
        return "cheapest"

    def bound_by(self, index: int) -> str | None:
        """What of its own keeps it from a cheaper time; None where nothing does."""
        device, charge = self._device, self._house.problem.situation.site.capacity_charge
        rules = (
            ("one_block", device.demands[index].contiguous),
            ("min_on", device.min_on_s or device.min_off_s or device.blocked_s),
            ("start_cost", device.start_cost),
            ("grid", device.grid_s),
            ("change_kept", device.incumbent.cost),
            ("peak", charge is not None),
        )
        return next((code for code, holds in rules if holds), None)

    def cheapest(self, index: int) -> Cheapest | None:
        """None where it was too late to look."""
        known = self._cheapest.get(index)
        if known is None and not self._house.deadline.over():
            known = self._cheapest[index] = self._searched(index)
        return known

    def _searched(self, index: int) -> Cheapest:
        house, device, peak = self._house, self._device, self._peak
        demand = device.demands[index]
        least = device.min_power or device.power // LEAST_SHARE
        timeline = house.problem.timeline
        free = blocked = raised = float("inf")
        own = self._held_down(index)
        for k in house.between(max(demand.earliest, device.blocked_s), demand.deadline):
            cell = house.cells[k]
            used = house.energy(device.id, k)
            if cell.unknown or (used and k not in own):
                continue
            if not demand.admits(timeline.at(cell.start)):
                continue
            price = house.price_of_more(k, least * cell.length)
            room = house.room(k)
            if room is not None and room < least:
                blocked = min(blocked, price)
            elif peak.binds(k, least):
                raised = min(raised, price)
            elif not used:
                free = min(free, price)
        return Cheapest(free, blocked, raised)

    def _held_down(self, index: int) -> set[int]:
        """Pieces in which it serves a demand at less than its power; a block takes what it may."""
        house, device = self._house, self._device
        if device.demands[index].contiguous:
            return set()
        least = device.power // LEAST_SHARE
        served = [one for one in house.segments(device.id) if one.demand == index]
        return {
            k
            for one in served
            for k in house.between(one.start, one.end)
            if house.energy(device.id, k) + least * house.cells[k].length
            <= device.power * house.cells[k].length
        }
