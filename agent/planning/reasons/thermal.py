"""Why a heat pump or tank heats when it does: needed now, or ahead of dearer time.

Heat that lifts the store above its comfort minimum is carried until the temperature next touches
the minimum: that is when it would have been needed, and what it would have cost then is the reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agent.energy.plan import Reason
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.modes import LIFTED_C
from agent.planning.reasons.house import SAME_PRICE, House
from agent.planning.reasons.peak import Peak
from agent.planning.reasons.shared import held_by_limit, spans_of, supplied, told
from agent.planning.reasons.words import Numbers, number
from agent.planning.segments import Segment

MOST_STRETCHES = 2
LEAST_DEGREE_HOURS = 1e-3
# A kWh that is this much cheaper is worth a sentence, in the currency.
WORTH_SAYING = 0.001
# Time off is waiting where prices are so many times those of heating.
DEARER = 1.05


@dataclass(slots=True)
class Ahead:
    """Cells next to each other that heat for the same later need, which is piece `needed`."""

    start: int
    end: int
    needed: int
    kwh: float
    worth: float


class ThermalReasons:
    def __init__(self, house: House, device: ScaledThermal) -> None:
        self._house, self._device = house, device
        self._measured = house.judged.devices[device.id]
        self._levels = self._measured.levels
        self._count = min(len(device.cells), len(house.cells), len(self._levels) - 1)
        self._needed = self._needs()
        self._codes: set[str] = set()

    def slot(self, piece: int, segment: Segment) -> str:
        if not segment.power:
            # Blocked: it lives on what is stored.
            return "store_ahead"
        code = self._code(piece)
        self._codes.add(code)
        return code

    def why(self) -> tuple[Reason, ...]:
        return tuple(self._why())

    def _needs(self) -> list[int | None]:
        """By cell, the first one from it on at whose end the store touches its minimum."""
        out: list[int | None] = [None] * self._count
        found: int | None = None
        for k in reversed(range(self._count)):
            if self._touches(k):
                found = k
            out[k] = found
        return out

    def _touches(self, k: int) -> bool:
        low = self._device.cells[k].min_c
        return low is not None and self._levels[k + 1] <= low + LIFTED_C

    def _code(self, k: int) -> str:
        house, device = self._house, self._device
        if house.pieces.starts[k] < device.mandatory_s:
            return "min_on"
        if k >= self._count:
            return "comfort"
        high, by = device.cells[k].max_c, device.hygiene_by
        hot = high is not None and self._levels[k + 1] > high + LIFTED_C
        if hot and by is not None and house.cells[k].start < by:
            return "hygiene"
        if not house.imports(k):
            return "surplus" if house.cells[k].pv > house.cells[k].base else "from_storage"
        needed = self._needed[k]
        if needed is None or needed == k:
            return "comfort"
        paid = house.price_of_used(k, house.energy(device.id, k))
        later = house.price_of_more(needed, max(1, house.energy(device.id, k)))
        if later > paid + SAME_PRICE:
            return "store_ahead"
        if house.is_bound_within(k + 1, needed + 1):
            return "limit"
        return "comfort"

    def _why(self) -> Iterator[Reason]:
        yield from self._hygiene()
        yield from self._missed()
        if self._device.mandatory_s:
            words, until = self._house.words, self._device.mandatory_s
            text = f"The run under way goes on until {words.clock(until)}, its minimum time."
            yield Reason("min_on", text, {"seconds": until, "until": words.instant(until)})
        yield from self._limit()
        yield from self._ahead()
        yield from self._waits()
        yield from supplied(self._house, self._device.id)
        yield from Peak(self._house).changed(self._device.id)
        if not any(one.power for one in self._measured.segments):
            if self._measured.comfort_c_h <= LEAST_DEGREE_HOURS:
                yield Reason("comfort", "Stays off: it keeps its comfort without heating.")
        elif self._measured.comfort_c_h <= LEAST_DEGREE_HOURS:
            yield Reason("comfort", "Heats no more than comfort asks for.")

    def _limit(self) -> Iterator[Reason]:
        held = list(held_by_limit(self._house, self._device.id, self._device.power, set()))
        yield from held
        if not held and "limit" in self._codes:
            yield Reason("limit", "Heats before the import limit leaves no room for it.")

    def _hygiene(self) -> Iterator[Reason]:
        device, words = self._device, self._house.words
        if device.hygiene_by is None:
            yield from self._hygiene_not_now()
            return
        by = words.clock(device.hygiene_by)
        peak = max(self._levels[: self._count + 1], default=device.temperature_c)
        numbers: Numbers = {
            "temp_c": number(device.hygiene_c, 1),
            "by": words.instant(device.hygiene_by),
        }
        if self._measured.hygiene_c > 0:
            goal, hold = f"{device.hygiene_c:g} °C", words.length(device.hygiene_hold_s)
            text = f"{goal} for hygiene are out of reach by {by}; it comes to {peak:.1f} °C."
            if peak >= device.hygiene_c:
                text = f"{goal} for hygiene cannot be held for {hold} by {by}."
            yield Reason("hygiene", text, {**numbers, "reached_c": number(peak, 1)})
        else:
            hold = words.length(device.hygiene_hold_s)
            text = f"Is held at {device.hygiene_c:g} °C for {hold} by {by}, for hygiene."
            yield Reason("hygiene", text, {**numbers, "hold_s": device.hygiene_hold_s})

    def _hygiene_not_now(self) -> Iterator[Reason]:
        """Hygiene that is asked for by an instant that is past, or beyond all known prices."""
        device, words = self._device, self._house.words
        asked, goal = device.hygiene_asked, f"{device.hygiene_c:g} °C"
        if asked is None:
            return
        text = f"{goal} for hygiene were due at {words.clock(asked)}, which is past."
        if asked > 0:
            text = f"{goal} for hygiene by {words.clock(asked)} are planned when prices are known."
        numbers: Numbers = {"temp_c": number(device.hygiene_c, 1), "by": words.instant(asked)}
        yield Reason("hygiene", text, numbers)

    def _missed(self) -> Iterator[Reason]:
        """Comfort that is missed, and what alone would make it so."""
        missed = self._measured.comfort_c_h
        if missed <= LEAST_DEGREE_HOURS:
            return
        device, words = self._device, self._house.words
        below = [k for k in range(self._count) if self._below(k, self._levels) > 0.01]
        above = [
            k
            for k, cell in enumerate(device.cells[: self._count])
            if cell.max_c is not None and self._levels[k + 1] > cell.max_c + 0.01
        ]
        numbers: Numbers = {"degree_hours": number(missed, 2)}
        text = f"Comfort is missed by {missed:.2f} degree-hours"
        if below:
            spans = spans_of(self._house, below)
            text += f" from {told(self._house, spans)}"
            numbers |= {"start": words.instant(spans[0][0]), "end": words.instant(spans[-1][1])}
            full = device.temperatures([device.max_w] * self._count)
            if any(self._below(k, full) > 0.01 for k in below):
                text += ": not even full power from now on keeps it"
            elif any(self._house.cells[k].import_limit is not None for k in below):
                text += ": the import limit leaves no room for more heat"
        elif above:
            text += ": it is warmer than its maximum and cannot cool"
        yield Reason("shortfall", f"{text}.", numbers)

    def _below(self, k: int, levels: list[float] | tuple[float, ...]) -> float:
        low = self._device.cells[k].min_c
        return 0.0 if low is None else low - levels[k + 1]

    def _ahead(self) -> Iterator[Reason]:
        """The heat that is stored for dearer time, most energy first."""
        house, device, words = self._house, self._device, self._house.words
        found: list[Ahead] = []
        for k in range(self._count):
            energy, needed = house.energy(device.id, k), self._needed[k]
            if energy <= 0 or needed is None or self._code(k) != "store_ahead":
                continue
            cell, last = house.cells[k], found[-1] if found else None
            kwh = house.kwh(energy)
            worth = kwh * house.price_of_used(k, energy)
            if last is not None and last.end == cell.start and last.needed == needed:
                last.end, last.kwh, last.worth = cell.end, last.kwh + kwh, last.worth + worth
            else:
                found.append(Ahead(cell.start, cell.end, needed, kwh, worth))
        for one in sorted(found, key=lambda one: -one.kwh)[:MOST_STRETCHES]:
            price = one.worth / one.kwh
            later = house.price_of_more(one.needed, 1)
            if later - price <= WORTH_SAYING:
                continue
            at = house.cells[one.needed].start
            text = (
                f"Heats ahead {words.span(one.start, one.end)}: a kWh is "
                f"{words.money(later - price)} cheaper than at {words.clock(at)}, "
                "when the heat is needed."
            )
            numbers: Numbers = {
                "start": words.instant(one.start),
                "end": words.instant(one.end),
                "needed_at": words.instant(at),
                "energy_kwh": number(one.kwh, 3),
                "price_per_kwh": number(price),
                "later_price_per_kwh": number(later),
            }
            yield Reason("store_ahead", text, numbers)

    def _waits(self) -> Iterator[Reason]:
        """The longest time off that is dearer than when it heats: what is stored carries it."""
        house, device, words = self._house, self._device, self._house.words
        heats = [k for k in range(self._count) if house.energy(device.id, k) > 0]
        if not heats:
            return
        paid = sum(house.kwh(house.energy(device.id, k)) * house.price(k) for k in heats)
        mean = paid / sum(house.kwh(house.energy(device.id, k)) for k in heats)
        best: tuple[int, int] | None = None
        start: int | None = None
        for k in range(self._count + 1):
            if k < self._count and not house.energy(device.id, k):
                start = k if start is None else start
                continue
            if start is not None and (best is None or k - start > best[1] - best[0]):
                best = start, k
            start = None
        if best is None:
            return
        length = sum(house.cells[k].length for k in range(*best))
        price = sum(house.import_price(k) * house.cells[k].length for k in range(*best)) / length
        if price <= mean * DEARER + WORTH_SAYING:
            return
        first, last = house.cells[best[0]].start, house.cells[best[1] - 1].end
        text = (
            f"Waits {words.span(first, last)} on the heat that it has: "
            f"a kWh costs {words.price(price)} then, {words.price(mean)} when it heats."
        )
        numbers: Numbers = {
            "start": words.instant(first),
            "end": words.instant(last),
            "price_per_kwh": number(price),
            "heating_price_per_kwh": number(mean),
        }
        yield Reason("waits", text, numbers)
