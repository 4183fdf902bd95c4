"""Why a battery charges, holds and gives when it does.

What stored energy cost is followed cell by cell: the mean of what the kWh in store were taken for,
by the terminals; what was there at the start counts as its final value would.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from agent.energy.plan import Reason
from agent.planning.devices.storage import SAME_KWH, ScaledStorage
from agent.planning.reasons.house import SAME_MONEY, SAME_PRICE, House
from agent.planning.reasons.peak import Peak
from agent.planning.reasons.shared import LEAST_KWH
from agent.planning.reasons.words import Numbers, number
from agent.planning.segments import Segment

# So many stretches are told of each kind, those that move most.
MOST_STRETCHES = 2


@dataclass(slots=True)
class Stretch:
    """Cells next to each other in which it does the same for the same reason.

    `kwh` at the terminals; `worth`: what these cost, or what they would have cost, together;
    `stored_price`: what a kWh that is given has cost, losses and wear included.
    """

    code: str
    start: int
    end: int
    kwh: float
    worth: float
    stored_price: float = 0.0

    @property
    def price(self) -> float:
        return self.worth / self.kwh if self.kwh else 0.0


class StorageReasons:
    def __init__(self, house: House, device: ScaledStorage) -> None:
        self._house, self._device = house, device
        self._measured = house.judged.devices[device.id]
        # Where it takes or gives something.
        self._moved = {k: house.energy(device.id, k) for k in house.touched(device.id)}
        self._codes = {k: self._code(k) for k in self._moved}

    def slot(self, piece: int, segment: Segment) -> str:
        return self._codes.get(piece, "store_ahead")

    def why(self) -> tuple[Reason, ...]:
        return tuple(self._why())

    def _code(self, k: int) -> str:
        """What it does in a cell: roof, grid, a target ahead, the house, the grid as a buyer."""
        house, moved = self._house, self._moved[k]
        cell, flow = house.cells[k], house.flows[k]
        if moved > 0:
            if any(at > cell.start for at, _ in self._device.targets):
                return "needed_by_deadline"
            if house.imports(k):
                return "store_ahead"
            return "surplus" if cell.pv > cell.base else "from_storage"
        return "sells" if flow.exported > -moved // 2 else "covers_house"

    def _why(self) -> Iterator[Reason]:
        device, words = self._device, self._house.words
        top = device.max_kwh
        if not device.min_kwh - SAME_KWH <= device.energy_kwh <= top + SAME_KWH:
            inward = "give" if device.energy_kwh > top else "charge"
            text = (
                f"Its {words.kwh(device.energy_kwh)} lie outside its limits of {device.min_kwh:g} "
                f"to {top:g} kWh; until it is back it may only {inward}."
            )
            numbers: Numbers = {
                "energy_kwh": number(device.energy_kwh, 3),
                "min_kwh": number(device.min_kwh, 3),
                "max_kwh": number(top, 3),
            }
            yield Reason("outside_limits", text, numbers)
        yield from self._targets()
        stretches = self._stretches()
        for code in ("covers_house", "sells", "surplus", "store_ahead"):
            found = [one for one in stretches if one.code == code and one.kwh > LEAST_KWH]
            for one in sorted(found, key=lambda one: -one.kwh)[:MOST_STRETCHES]:
                yield self._told(one, stretches)
        if self._moved:
            yield from Peak(self._house).changed(device.id)
            yield from self._saves()
        elif not device.targets:
            yield self._idle()

    def _targets(self) -> Iterator[Reason]:
        device, words = self._device, self._house.words
        if self._measured.target_kwh > SAME_KWH:
            missed = self._measured.target_kwh
            text = f"{words.kwh(missed)} are missing at its targets"
            at, wanted = device.targets[0]
            hours = (
                sum(
                    cell.length
                    for cell, there in zip(self._house.cells, device.available, strict=False)
                    if there and cell.end <= at
                )
                / 3600
            )
            power = self._house.units.watts(device.charge) / 1000
            reach = device.energy_kwh + power * hours * device.charge_efficiency
            if wanted > device.max_kwh + SAME_KWH:
                text += f": it holds {words.kwh(device.max_kwh)} at most"
            elif reach < wanted and not device.arrives:
                text += f": at full power it reaches {words.kwh(reach)}"
            elif not device.grid_charge:
                text += ": it may not charge from the grid"
            yield Reason("shortfall", f"{text}.", {"shortfall_kwh": number(missed, 3)})
        elif device.targets:
            at, wanted = device.targets[-1]
            text = f"Has the {words.kwh(wanted)} of its target by {words.clock(at)}."
            numbers: Numbers = {"energy_kwh": number(wanted, 3), "by": words.instant(at)}
            yield Reason("needed_by_deadline", text, numbers)

    def _stretches(self) -> list[Stretch]:
        """In the order of time, with what the energy cost on its way in."""
        house, device = self._house, self._device
        stored = max(0.0, device.energy_kwh)
        price = device.final_value_per_kwh
        out: list[Stretch] = []
        for k in sorted({*self._moved, *device.arrives}):
            came = device.arrives.get(k)
            if came is not None:
                stored, price = came, device.final_value_per_kwh
            moved = self._moved.get(k)
            if not moved:
                continue
            kwh, cell = abs(house.kwh(moved)), house.cells[k]
            given = 0.0
            if moved > 0:
                worth = kwh * house.price_of_used(k, moved)
                added = kwh * device.charge_efficiency
                total = stored + added
                price = (price * stored + worth) / total if total else 0.0
                stored = total
            else:
                given = price / device.discharge_efficiency + device.wear_per_kwh
                sold = self._codes[k] == "sells"
                worth = kwh * (house.export_price(k) if sold else house.import_price(k))
                stored = max(0.0, stored - kwh / device.discharge_efficiency)
            last = out[-1] if out else None
            if last is not None and last.end == cell.start and last.code == self._codes[k]:
                last.end = cell.end
                last.stored_price = (last.stored_price * last.kwh + given * kwh) / (last.kwh + kwh)
                last.kwh += kwh
                last.worth += worth
            else:
                out.append(Stretch(self._codes[k], cell.start, cell.end, kwh, worth, given))
        return out

    def _told(self, one: Stretch, stretches: list[Stretch]) -> Reason:
        words = self._house.words
        span = words.span(one.start, one.end)
        numbers: Numbers = {
            "start": words.instant(one.start),
            "end": words.instant(one.end),
            "energy_kwh": number(one.kwh, 3),
        }
        price = words.price(one.price)
        if one.code in ("covers_house", "sells"):
            what = "Discharges" if one.code == "covers_house" else "Sells"
            market = "import costs" if one.code == "covers_house" else "selling earns"
            text = f"{what} {span}: {market} {price}"
            numbers["price_per_kwh"] = number(one.price)
            if one.price > one.stored_price + SAME_PRICE:
                text += f" against {words.price(one.stored_price)} stored, losses and wear paid"
                numbers["stored_price_per_kwh"] = number(one.stored_price)
            return Reason(one.code, f"{text}.", numbers)
        if one.code == "surplus":
            gain = f" that would earn {words.money(one.worth)}" if one.worth > 0 else ""
            text = f"Charges from the roof {span}: {words.kwh(one.kwh)}{gain}."
            return Reason("surplus", text, {**numbers, "would_earn": number(max(0.0, one.worth))})
        text = f"Charges {span} at {price}"
        numbers["price_per_kwh"] = number(one.price)
        empty = self._empty_after(one.end)
        later = [
            other
            for other in stretches
            if one.end <= other.start < empty
            and other.code in ("covers_house", "sells")
            and other.price > one.price + SAME_PRICE
        ]
        if later:
            best = max(later, key=lambda other: other.price)
            verb = "sells at" if best.code == "sells" else "import costs"
            text += f" for {words.clock(best.start)}, when {verb} {words.price(best.price)}"
            numbers["later_price_per_kwh"] = number(best.price)
        return Reason("store_ahead", f"{text}.", numbers)

    def _empty_after(self, second: int) -> int:
        """When what was charged until then is gone: at its least, or away."""
        pieces, device = self._house.pieces, self._device
        for k in range(bisect_left(pieces.starts, second), len(device.available)):
            low = self._measured.levels[k + 1] <= device.min_kwh + SAME_KWH
            if low or not device.available[k]:
                return pieces.ends[k]
        return self._house.horizon

    def _saves(self) -> Iterator[Reason]:
        """Against a battery that does nothing, where the house keeps its rules without it."""
        idle = self._house.instead(self._device, ())
        if idle is not None and idle.valid and idle.more > SAME_MONEY:
            saved = self._house.words.money(idle.more)
            text = f"All that costs {saved} less than a battery that does nothing."
            yield Reason("saves", text, {"saves": number(idle.more)})

    def _idle(self) -> Reason:
        """Whether any spread of prices ahead would pay its losses and wear."""
        house, device, words = self._house, self._device, self._house.words
        known = {
            cell.price
            for cell, there in zip(house.cells, device.available, strict=False)
            if there and not cell.unknown
        }
        if not known:
            return Reason("waits_for_prices", "Waits: no price ahead is known.")
        low, high = min(known) / house.units.price_scale, max(known) / house.units.price_scale
        losses = device.charge_efficiency * device.discharge_efficiency
        if low / losses + device.wear_per_kwh >= high - SAME_PRICE and low > 0:
            text = (
                f"Does nothing: from {words.price(low)} to {words.price(high)} "
                "prices do not pay for its losses and wear."
            )
            numbers: Numbers = {"lowest_per_kwh": number(low), "highest_per_kwh": number(high)}
            return Reason("not_worth", text, numbers)
        return Reason("store_ahead", "Keeps what it has: nothing ahead is worth moving it.")
