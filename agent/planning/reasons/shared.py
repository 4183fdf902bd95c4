"""Sentences of several kinds of device: doubtful prices, the limit, where energy is from."""

from collections.abc import Iterator, Sequence

from agent.energy.plan import Reason
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.reasons.house import LEAST_W, House
from agent.planning.reasons.words import Numbers, Words, number
from agent.planning.segments import Run, Segment, runs_of

# So many spans are told of each kind.
MOST_SPANS = 2
LEAST_KWH = 0.001


class LeftOut:
    """Energy that demands do not get: what is left out for the same reason is told once."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._found: dict[tuple[str, str], tuple[float, Numbers]] = {}

    def add(self, kwh: float, code: str, text: str, numbers: Numbers) -> None:
        before, _ = self._found.get((code, text), (0.0, numbers))
        self._found[code, text] = before + kwh, numbers

    def reasons(self) -> Iterator[Reason]:
        for (code, text), (kwh, numbers) in self._found.items():
            told = {"energy_kwh": number(kwh, 3), **numbers}
            yield Reason(code, f"{self._words.kwh(kwh)} {text}.", told)


def least_unserved(house: House, device: ScaledDevice) -> float:
    """Energy that is no fault of a demand's price: what the last whole second rounds away."""
    return LEAST_KWH + house.kwh(device.power) if house.segments(device.id) else 0.0


def spans_of(house: House, pieces: Sequence[int]) -> list[Run]:
    """Pieces that follow each other as one span."""
    out: list[Run] = []
    for k in pieces:
        cell = house.cells[k]
        if out and out[-1][1] == cell.start:
            out[-1] = (out[-1][0], cell.end)
        else:
            out.append((cell.start, cell.end))
    return out


def told(house: House, spans: Sequence[Run]) -> str:
    """`01:00 to 02:30 and 04:00 to 04:15`, the longest ones."""
    longest = sorted(sorted(spans, key=lambda one: one[0] - one[1])[:MOST_SPANS])
    text = " and ".join(house.words.span(*one) for one in longest)
    return text + (" and at other times" if len(spans) > MOST_SPANS else "")


def doubts(house: House, segments: Sequence[Segment], earliest: int) -> Iterator[Reason]:
    """Energy in time without a price, and on estimated prices; it might have begun `earliest`."""
    words, timeline = house.words, house.problem.timeline
    parts = [
        (one.power, a, b, span)
        for one in segments
        for a, b, span in timeline.between(one.start, one.end)
    ]
    unknown = house.kwh(sum(power * (b - a) for power, a, b, span in parts if span.unknown))
    estimated = house.kwh(sum(power * (b - a) for power, a, b, span in parts if span.estimated))
    if unknown:
        amount = words.kwh(unknown)
        text = f"{amount} fall into time without a price, as nothing else is left for them."
        yield Reason("unknown", text, {"energy_kwh": number(unknown, 3)})
        yield from _waits(house, segments, earliest)
    if estimated:
        text = f"{words.kwh(estimated)} are planned on estimated prices."
        yield Reason("estimated", text, {"energy_kwh": number(estimated, 3)})


def _waits(house: House, segments: Sequence[Segment], earliest: int) -> Iterator[Reason]:
    """What begins after all known prices: later than it may, it waits for more of them."""
    words, known = house.words, house.problem.timeline.horizon
    starts = [a for a, _ in runs_of(segments) if a >= known]
    if not starts:
        return
    start = words.clock(starts[0])
    numbers: Numbers = {"start": words.instant(starts[0]), "horizon": words.instant(known)}
    if known > 0:
        text = f"Waits for the prices after {words.clock(known)}; they are not known yet."
        yield Reason("waits_for_prices", text, numbers)
    elif starts[0] > earliest:
        text = f"Waits for prices until {start}: none ahead is known yet."
        yield Reason("waits_for_prices", text, numbers)
    else:
        when = f"from {start} on" if starts[0] else "at once"
        text = f"Runs {when}: no price ahead is known yet."
        yield Reason("unknown", text, numbers)


def is_unpriced(house: House, segments: Sequence[Segment]) -> bool:
    """Whether all of it lies in time without a price, where no time is cheaper than another."""
    timeline = house.problem.timeline
    return all(
        span.unknown for one in segments for _, _, span in timeline.between(one.start, one.end)
    )


def held_by_limit(house: House, id: str, power: int, codes: set[str]) -> Iterator[Reason]:
    """When the import limit holds a device below its full power, or off in cheaper time."""
    if not house.problem.grid.limited:
        return
    nearly = power - LEAST_W * house.units.power_scale
    held = [
        k
        for k in house.touched(id)
        if house.bound_by_limit(k) and house.energy(id, k) < nearly * house.cells[k].length
    ]
    spans = spans_of(house, held)
    if spans:
        limit = house.cells[held[0]].import_limit or 0
        watts = house.units.watts(limit)
        text = f"Held by the {house.words.power(watts)} limit from {told(house, spans)}."
        numbers: Numbers = {
            "limit_w": number(watts, 0),
            "start": house.words.instant(spans[0][0]),
            "end": house.words.instant(spans[-1][1]),
        }
        yield Reason("limit", text, numbers)
    elif "limit" in codes:
        yield Reason("limit", "Cheaper times are taken: the import limit has no room there.")


def supplied(house: House, id: str) -> Iterator[Reason]:
    """Energy that does not come from the grid: of the roof's surplus, or out of a store."""
    if not house.problem.coupled:
        return
    roof = earned = stored = 0.0
    for k in house.touched(id):
        energy = house.energy(id, k)
        if energy < 0 or house.imports(k):
            continue
        kwh = house.kwh(energy)
        if house.cells[k].pv > house.cells[k].base:
            roof += kwh
            earned += kwh * house.export_price(k)
        else:
            stored += kwh
    words = house.words
    if roof > LEAST_KWH:
        gain = f" that would earn {words.money(earned)}" if earned > 0 else ""
        text = f"Runs on the roof: {words.kwh(roof)}{gain}."
        numbers: Numbers = {"energy_kwh": number(roof, 3), "would_earn": number(max(0.0, earned))}
        yield Reason("surplus", text, numbers)
    if stored > LEAST_KWH:
        text = f"{words.kwh(stored)} come out of storage, not from the grid."
        yield Reason("from_storage", text, {"energy_kwh": number(stored, 3)})
