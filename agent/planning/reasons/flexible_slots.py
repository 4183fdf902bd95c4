"""Codes of a flexible device's slots: cheapest, or what keeps it from a cheaper time.

A slot is `cheapest` where nothing in the window of its demand is free and cheaper. Else the code is
the first thing that explains it: the device's own rules, the price of changes, the house's limit.
"""

from agent.planning.devices.flexible import ScaledDevice
from agent.planning.reasons.house import SAME_PRICE, House
from agent.planning.segments import Segment

# A device that may go down to any power wants at least this share of its greatest.
LEAST_SHARE = 20
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


class FlexibleSlots:
    def __init__(self, house: House, device: ScaledDevice) -> None:
        self._house, self._device = house, device
        self._cheapest: dict[int, tuple[float, float]] = {}
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
        free, blocked = found
        if free < paid:
            return self.bound_by(index) or "best_found"
        return "limit" if blocked < paid else "cheapest"

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

    def cheapest(self, index: int) -> tuple[float, float] | None:
        """The least price at which a demand could have more: where there is room, where not.

        Infinite where there is no such time; None where it was too late to look.
        """
        known = self._cheapest.get(index)
        if known is None and not self._house.deadline.over():
            known = self._cheapest[index] = self._searched(index)
        return known

    def _searched(self, index: int) -> tuple[float, float]:
        house, device = self._house, self._device
        demand = device.demands[index]
        least = device.min_power or device.power // LEAST_SHARE
        timeline = house.problem.timeline
        free = blocked = float("inf")
        for k in house.between(max(demand.earliest, device.blocked_s), demand.deadline):
            cell = house.cells[k]
            if cell.unknown or house.energy(device.id, k):
                continue
            if not demand.admits(timeline.at(cell.start)):
                continue
            price = house.price_of_more(k, least * cell.length)
            room = house.room(k)
            if room is None or room >= least:
                free = min(free, price)
            else:
                blocked = min(blocked, price)
        return free, blocked
