"""Why a flexible device runs when it does, and why not at once."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from agent.energy.plan import Reason
from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.reasons.flexible_missed import missed
from agent.planning.reasons.flexible_slots import BOUND, FlexibleSlots
from agent.planning.reasons.house import SAME_MONEY, House
from agent.planning.reasons.moves import best_move, everything_at_once, shifted
from agent.planning.reasons.peak import Peak
from agent.planning.reasons.shared import (
    LEAST_KWH,
    LeftOut,
    doubts,
    held_by_limit,
    is_unpriced,
    least_unserved,
    supplied,
)
from agent.planning.reasons.words import Numbers, number
from agent.planning.segments import Segment, clipped, runs_of

# So many runs of a device are explained one by one.
MOST_RUNS = 2
# Less than this is not worth a sentence, in the currency.
WORTH_SAYING = Fraction(1, 10_000)
SHIFTS_S = (7200, 3600, 1800)


class FlexibleReasons:
    def __init__(self, house: House, device: ScaledDevice) -> None:
        self._house, self._device = house, device
        self._peak = Peak(house)
        self._slots = FlexibleSlots(house, device, self._peak)
        self._measured = house.judged.devices[device.id]
        self._codes: set[str] = set()

    def slot(self, piece: int, segment: Segment) -> str:
        code = self._slots.code(piece, segment)
        self._codes.add(code)
        return code

    def why(self) -> tuple[Reason, ...]:
        return tuple(self._why())

    def _why(self) -> Iterator[Reason]:
        house, device, measured = self._house, self._device, self._measured
        if device.wants_nothing and not measured.segments:
            text = "Nothing is asked of it, so it stays off."
            yield Reason("cheapest", text, {"saves": Decimal(0)})
            return
        yield from missed(house, device)
        yield from self._minimum_times()
        yield from self._not_worth()
        yield from doubts(house, measured.segments, self._earliest())
        yield from self._rounded_up()
        yield from held_by_limit(house, device.id, device.power, self._codes)
        yield from self._peak.held(device.id, device.power, self._codes)
        yield from self._peak.changed(device.id)
        yield from supplied(house, device.id)
        if measured.met and not is_unpriced(house, measured.segments):
            yield from self._timing()

    def _earliest(self) -> int:
        """When its first run might have begun."""
        device = self._device
        first = [
            device.demands[one.demand].earliest
            for one in self._measured.segments[:1]
            if one.demand is not None
        ]
        return max([0, device.blocked_s, *first])

    def _minimum_times(self) -> Iterator[Reason]:
        device, words = self._device, self._house.words
        waits: list[tuple[str, int, str]] = []
        if device.mandatory_s:
            text = "The run under way goes on until {}, when its minimum time is over."
            waits.append(("min_on", device.mandatory_s, text))
        if device.blocked_s and self._measured.segments:
            text = "It stays off until {}: its minimum time between two runs."
            waits.append(("min_off", device.blocked_s, text))
        for code, seconds, text in waits:
            numbers: Numbers = {"seconds": seconds, "until": words.instant(seconds)}
            yield Reason(code, text.format(words.clock(seconds)), numbers)

    def _not_worth(self) -> Iterator[Reason]:
        """Soft demands that are not served in full, each with the cheapest time that is left."""
        left_out = LeftOut(self._house.words)
        for index, demand in enumerate(self._device.demands):
            unserved = self._house.kwh(demand.energy - self._measured.served[index])
            if not demand.hard and unserved > least_unserved(self._house, self._device):
                left_out.add(unserved, *self._left_out(index, demand))
        yield from left_out.reasons()

    def _left_out(self, index: int, demand: ScaledDemand) -> tuple[str, str, Numbers]:
        """Code, the sentence after the amount, numbers."""
        words, scale = self._house.words, self._house.units.price_scale
        value = demand.value / scale
        numbers: Numbers = {"value_per_kwh": number(value)}
        found = self._slots.cheapest(index)
        if found is None:
            return "not_worth", "are not worth what they would cost", numbers
        if min(found) == float("inf"):
            if demand.cap is None:
                return "not_worth", "have no free time with a price in their window", numbers
            cap = demand.cap / scale
            text = f"are not served: no time left is below the cap of {words.price(cap)}"
            return "above_cap", text, {**numbers, "price_cap": number(cap, 5)}
        if found.free < value:
            bound = BOUND.get(self._slots.bound_by(index) or "", "in any way that was found")
            return "not_worth", f"are left out: they are not worth it, {bound}", numbers
        price = min(found)
        if price < value and found.peak == price:
            return "peak", "are left out: they are not worth a higher peak", numbers
        if price < value:
            text = "are left out: the import limit has no room when they are worth it"
            return "limit", text, numbers
        text = (
            "are not worth it: the cheapest time left costs "
            f"{words.price(price)}, the value is {words.price(value)}"
        )
        return "not_worth", text, {**numbers, "price_per_kwh": number(price)}

    def _rounded_up(self) -> Iterator[Reason]:
        device = self._device
        more = sum(
            max(0, got - demand.needed_s * device.power)
            for demand, got in zip(device.demands, self._measured.served, strict=True)
        )
        if self._house.kwh(more) > LEAST_KWH:
            amount = self._house.words.kwh(self._house.kwh(more))
            text = f"{amount} more than asked for: its steps are no finer."
            yield Reason("rounded_up", text, {"energy_kwh": number(self._house.kwh(more), 3)})

    def _timing(self) -> Iterator[Reason]:
        """Why these times: kept as they were, cheapest, or the best found."""
        house, device = self._house, self._device
        moved = best_move(house, device)
        better = moved is not None and moved.valid and moved.more < -SAME_MONEY
        if better or "best_found" in self._codes:
            text = "These are the cheapest times found; there was no time to rule out cheaper ones."
            yield Reason("best_found", text)
            return
        if device.incumbent.cost and moved is not None and moved.valid:
            saved, paid = -moved.cost_more, moved.changes
            if saved > WORTH_SAYING and paid > saved:
                text = (
                    f"Kept as it was: moving would save {house.words.amount(saved)} "
                    f"and costs {house.words.money(paid)} in changes."
                )
                numbers: Numbers = {"would_save": number(saved), "change_cost": number(paid)}
                yield Reason("change_kept", text, {**numbers, "saves": number(paid - saved)})
        yield self._cheapest()
        yield from self._runs()

    def _cheapest(self) -> Reason:
        house, device, words = self._house, self._device, self._house.words
        bound = next((code for code in BOUND if code in self._codes), None)
        tail = f", {BOUND[bound]}" if bound is not None else ""
        start = runs_of(self._measured.segments)[0][0]
        numbers: Numbers = {"start": words.instant(start)}
        at_once = house.instead(device, everything_at_once(house, device))
        saved = at_once.cost_more if at_once is not None and at_once.valid else None
        if saved is not None and saved >= 0:
            numbers["saves"] = number(saved)
        if saved is not None and saved > SAME_MONEY:
            waits = start > max(device.blocked_s, min(d.earliest for d in device.demands))
            what = f"Waits until {words.clock(start)}, when" if waits else "Runs when"
            text = f"{what} the energy costs least{tail}"
            text += f"; everything at once would cost {words.money(saved)} more."
        elif house.deadline.over():
            text = f"Runs when the energy costs least within its window{tail}."
        else:
            when = "at once" if start == 0 else f"from {words.clock(start)} on"
            text = f"Runs {when}: no other time in its window is cheaper{tail}."
        return Reason("cheapest", text, numbers)

    def _runs(self) -> Iterator[Reason]:
        """What the weightiest runs would cost earlier and later."""
        _house, device, words = self._house, self._device, self._house.words
        runs = [
            run
            for run in runs_of(self._measured.segments)
            if run[0] >= device.mandatory_s
            and not is_unpriced(self._house, clipped(self._measured.segments, *run))
        ]
        weighty = sorted(runs, key=lambda run: run[0] - run[1])[:MOST_RUNS]
        for start, end in sorted(weighty):
            parts: list[str] = []
            numbers: Numbers = {}
            for sign, name in ((-1, "earlier"), (1, "later")):
                found = self._shift(start, end, sign)
                if found is None:
                    continue
                shift, more = found
                cost = f"{words.money(more)} more" if more > SAME_MONEY else "the same"
                verb = "" if parts else "would cost "
                parts.append(f"{words.length(shift)} {name} {verb}{cost}")
                numbers |= {f"{name}_s": shift, f"{name}_costs": number(max(Fraction(0), more))}
            if parts:
                changes = ", changes included" if device.incumbent.cost else ""
                text = f"{words.span(start, end)}: {', '.join(parts)}{changes}."
                span: Numbers = {"start": words.instant(start), "end": words.instant(end)}
                yield Reason("cheapest", text, {**span, **numbers})

    def _shift(self, start: int, end: int, sign: int) -> tuple[int, Fraction] | None:
        """The longest shift that its windows allow, and what it would cost more."""
        house, device = self._house, self._device
        for shift in SHIFTS_S:
            other = shifted(house, device, (start, end), sign * shift)
            if other is None:
                continue
            found = house.instead(device, other)
            if found is not None and found.valid and found.more >= -SAME_MONEY:
                return shift, found.more
            return None
        return None
