"""Why a plan is as it is: a code for each slot, and sentences with their numbers for a device.

All of it is read off the judged plan, nothing off what an engine meant: a sentence is there because
what it says is so, and each fact is told by one sentence.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from agent.energy.plan import Reason
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.measured import Measured
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.incumbent import near
from agent.planning.judge import Judged
from agent.planning.problem import Model
from agent.planning.segments import Segment, runs_of

# Differences of energy below this are rounding.
LEAST_KWH = Fraction(1, 1000)


def number(value: Fraction, places: int = 4) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places)).normalize() + 0


def of_slot(judged: Judged, model: Model, piece: int, segment: Segment) -> str:
    cell = judged.site.pieces.cells[piece]
    measured = judged.devices[model.id]
    if isinstance(model, ScaledStorage):
        return _of_storage_slot(model, segment)
    if isinstance(model, ScaledThermal):
        if not segment.power:
            return "store_ahead"
        if segment.start < model.mandatory_s:
            return "min_on"
        return "comfort"
    if isinstance(model, ScaledProgram):
        if segment.start >= model.deadline:
            return "late"
        if model.running or not measured.met:
            return "needed_by_deadline"
    else:
        if segment.demand is None:
            return "min_on"
        demand = model.demands[segment.demand]
        if demand.hard and segment.start >= demand.deadline:
            return "late"
        if segment.start < model.mandatory_s:
            return "min_on"
        if measured.missing[segment.demand] and not cell.unknown:
            return "needed_by_deadline"
    if cell.unknown:
        return "unknown"
    return "estimated" if cell.estimated else "cheapest"


def _of_storage_slot(model: ScaledStorage, segment: Segment) -> str:
    ahead = any(at > segment.start for at, _ in model.targets)
    if segment.power > 0:
        return "needed_by_deadline" if ahead else "surplus"
    return "store_ahead" if segment.power == 0 else "cheapest"


def of_device(judged: Judged, model: Model) -> tuple[Reason, ...]:
    """The reasons of one device, the weightiest first."""
    if isinstance(model, ScaledProgram):
        return tuple(_program(judged, model))
    if isinstance(model, ScaledStorage):
        return tuple(_storage(judged, model))
    if isinstance(model, ScaledThermal):
        return tuple(_heat(judged, model))
    return tuple(_flexible(judged, model))


def _kwh(judged: Judged, energy: int) -> Decimal:
    return number(judged.problem.units.kwh_exactly(energy), 3)


def _program(judged: Judged, model: ScaledProgram) -> Iterator[Reason]:
    measured = judged.devices[model.id]
    if model.running:
        yield Reason("needed_by_deadline", "The program is under way and runs to its end.")
        return
    if not measured.segments and model.energy:
        yield Reason("limit", "The import limit leaves no room for this program.")
        return
    if not measured.met:
        missing = number(judged.problem.units.kwh_exactly(measured.shortfall))
        text = "The program cannot end by its deadline, so it starts as early as it may."
        yield Reason("late", text, {"shortfall_kwh": missing})
        return
    at_once = sum(
        power * _price(judged, start, end)
        for start, end, power, _ in model.segments_from(model.earliest)
    )
    yield _cheapest(
        judged, "Starts where the whole run costs least before its deadline", at_once, measured
    )


def _price(judged: Judged, start: int, end: int) -> int:
    timeline = judged.problem.timeline
    return timeline.price_until(end) - timeline.price_until(start)


def _cheapest(judged: Judged, what: str, at_once: int, measured: Measured) -> Reason:
    """What the same energy would cost at once, less what it costs, at import prices."""
    own = sum(power * _price(judged, start, end) for start, end, power, _ in measured.segments)
    saved = number(judged.problem.units.currency(at_once - own))
    if judged.problem.coupled:
        return Reason("cheapest", f"{what}, as far as the house leaves room.")
    tail = "" if saved <= 0 else f"; that saves {saved} against starting at once"
    return Reason("cheapest", f"{what}{tail}.", {"saves": saved})


def _flexible(judged: Judged, model: ScaledDevice) -> Iterator[Reason]:
    measured = judged.devices[model.id]
    segments = measured.segments
    if model.wants_nothing and not segments:
        yield Reason("cheapest", "Nothing is asked of it, so it stays off.", {"saves": Decimal(0)})
        return
    if not measured.met:
        short = _kwh(judged, measured.shortfall)
        text = f"{short} kWh are missing at the deadline."
        yield Reason("shortfall", text, {"shortfall_kwh": short})
        late = sum(
            one.power * max(0, one.end - max(one.start, model.demands[one.demand].deadline))
            for one in segments
            if one.demand is not None and model.demands[one.demand].hard
        )
        if late:
            amount = _kwh(judged, late)
            text = f"{amount} kWh come as early as possible after the deadline."
            yield Reason("late", text, {"late_kwh": amount})
    yield from _minimum_times(model, bool(segments))
    yield from _caps(judged, model)
    yield from _unserved(judged, model)
    yield from _doubts(judged, segments)
    surplus = sum(
        max(0, got - demand.needed_s * model.power)
        for demand, got in zip(model.demands, measured.served, strict=True)
    )
    if surplus:
        amount = _kwh(judged, surplus)
        text = f"{amount} kWh more than asked for: its steps are no finer."
        yield Reason("surplus", text, {"energy_kwh": amount})
    if model.incumbent.cost and _keeps(model, measured):
        text = "Edges of the previous plan are kept, as changing them has a price."
        yield Reason("change_kept", text)
    if segments and measured.met:
        what = "Runs when the energy costs least within its window"
        at = 0
        at_once = 0
        for demand, got in sorted(
            zip(model.demands, measured.served, strict=True), key=lambda item: item[0].earliest
        ):
            length = -(-got // model.power)
            at = max(at, demand.earliest)
            at_once += model.power * _price(judged, at, at + length)
            at += length
        yield _cheapest(judged, what, at_once, measured)


def _minimum_times(model: ScaledDevice, runs: bool) -> Iterator[Reason]:
    if model.mandatory_s:
        text = (
            f"The run under way goes on for {model.mandatory_s} s until its minimum time is over."
        )
        yield Reason("min_on", text, {"seconds": model.mandatory_s})
    if model.blocked_s and runs:
        text = f"It stays off for {model.blocked_s} s more, its minimum time between two runs."
        yield Reason("min_off", text, {"seconds": model.blocked_s})


def _caps(judged: Judged, model: ScaledDevice) -> Iterator[Reason]:
    timeline, units = judged.problem.timeline, judged.problem.units
    for demand, got in zip(model.demands, judged.devices[model.id].served, strict=True):
        lacking = demand.energy - got
        if demand.cap is None or lacking <= 0:
            continue
        end = max(demand.earliest, demand.deadline)
        spans = timeline.between(demand.earliest, end)
        if any(not span.unknown and span.price > demand.cap for _, _, span in spans):
            cap = number(Fraction(demand.cap, units.price_scale), 5)
            amount = _kwh(judged, lacking)
            text = f"{amount} kWh are not served: the price is above the cap of {cap}."
            yield Reason("above_cap", text, {"price_cap": cap, "energy_kwh": amount})


def _unserved(judged: Judged, model: ScaledDevice) -> Iterator[Reason]:
    units = judged.problem.units
    unserved = sum(
        max(0, demand.energy - got)
        for demand, got in zip(model.demands, judged.devices[model.id].served, strict=True)
        if not demand.hard and demand.cap is None
    )
    if units.kwh_exactly(unserved) > LEAST_KWH:
        amount = _kwh(judged, unserved)
        text = f"{amount} kWh are not worth what they would cost."
        yield Reason("not_worth", text, {"energy_kwh": amount})


def _doubts(judged: Judged, segments: tuple[Segment, ...]) -> Iterator[Reason]:
    timeline = judged.problem.timeline
    parts = [
        (one.power, a, b, span)
        for one in segments
        for a, b, span in timeline.between(one.start, one.end)
    ]
    unknown = sum(power * (b - a) for power, a, b, span in parts if span.unknown)
    estimated = sum(power * (b - a) for power, a, b, span in parts if span.estimated)
    if unknown:
        amount = _kwh(judged, unknown)
        text = f"{amount} kWh fall into time without a price, as nothing else is left for them."
        yield Reason("unknown", text, {"energy_kwh": amount})
        if any(a >= timeline.horizon for _, a, _, span in parts if span.unknown):
            text = "Prices beyond the horizon are not known yet; the plan waits."
            yield Reason("waits_for_prices", text)
    if estimated:
        amount = _kwh(judged, estimated)
        text = f"{amount} kWh are planned on estimated prices."
        yield Reason("estimated", text, {"energy_kwh": amount})


def _keeps(model: ScaledDevice, measured: Measured) -> bool:
    edges = model.incumbent.edges
    for start, end in runs_of(measured.segments):
        for at, kind in ((start, True), (end, False)):
            if 0 <= at < model.incumbent.until and near(at, edges[kind]):
                return True
    return False


def _heat(judged: Judged, model: ScaledThermal) -> Iterator[Reason]:
    measured = judged.devices[model.id]
    if measured.hygiene_c > 0:
        text = "The temperature for hygiene is out of reach; it comes as near as it can."
        yield Reason("hygiene", text)
    elif model.hygiene_by is not None:
        yield Reason("hygiene", f"It is held at {model.hygiene_c:g} °C once for hygiene.")
    if measured.comfort_c_h > LEAST_KWH:
        missed = round(measured.comfort_c_h, 2)
        text = f"Comfort is missed by {missed:g} degree-hours."
        yield Reason("shortfall", text, {"degree_hours": missed})
    else:
        yield Reason("comfort", "Heats as comfort asks for.")


def _storage(judged: Judged, model: ScaledStorage) -> Iterator[Reason]:
    measured = judged.devices[model.id]
    if measured.target_kwh > LEAST_KWH:
        missed = round(measured.target_kwh, 3)
        text = f"{missed:g} kWh are missing at its targets."
        yield Reason("shortfall", text, {"shortfall_kwh": missed})
    elif model.targets:
        yield Reason("store_ahead", "Has the energy of its targets in time.")
    if any(one.power < 0 for one in measured.segments):
        yield Reason("surplus", "Takes in surplus and covers the house.")
    elif not model.targets:
        yield Reason("surplus", "Waits for a surplus or a need of the house.")
