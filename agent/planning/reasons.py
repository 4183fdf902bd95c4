"""Why a plan is as it is: a code for each slot, and sentences with their numbers for a device."""

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from agent.energy.plan import Number, Reason
from agent.planning.load import KWH, Load
from agent.planning.program import Run
from agent.planning.score import energy_missing
from agent.planning.timeline import Cell, Timeline

if TYPE_CHECKING:
    from agent.planning.flexible import Solved


class Say(Protocol):
    """Notes one reason."""

    def __call__(self, code: str, text: str, **numbers: Number) -> None: ...


def _number(value: Fraction, places: int = 4) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places)).normalize() + 0


def of_slot(load: Load, solved: "Solved", index: int | None, start: int, cell: Cell) -> str:
    if index is None:
        return "min_on"
    need = load.needs[index]
    if need.hard and start >= need.deadline:
        return "late"
    if start < load.forced:
        return "min_on"
    if cell.unknown:
        return "unknown"
    if solved.score.missing[index]:
        return "needed_by_deadline"
    if cell.estimated:
        return "estimated"
    return "cheapest"


def of_program_slot(run: Run, start: int, cell: Cell, deadline: int) -> str:
    if start >= deadline:
        return "late"
    if not run.met or run.running:
        return "needed_by_deadline"
    if cell.unknown:
        return "unknown"
    return "estimated" if cell.estimated else "cheapest"


def of_program(run: Run, saves: Fraction) -> tuple[Reason, ...]:
    if run.running:
        return (Reason("needed_by_deadline", "The program is under way and runs to its end."),)
    if not run.met:
        scale = KWH * Fraction(run.unit, 1)
        missing = _number(Fraction(run.missing) / scale, 4)
        text = "The program cannot end by its deadline, so it starts as early as it may."
        return (Reason("late", text, {"shortfall_kwh": missing}),)
    return (_cheapest("Starts where the whole run costs least before its deadline", saves),)


def _cheapest(what: str, saves: Fraction) -> Reason:
    amount = _number(saves)
    tail = "" if saves <= 0 else f"; that saves {amount} against starting at once"
    return Reason("cheapest", f"{what}{tail}.", {"saves": amount})


def of_flexible(timeline: Timeline, solved: "Solved", saves: Fraction) -> tuple[Reason, ...]:
    """The reasons of one device, the weightiest first."""
    load, found = solved.load, solved.score
    out: list[Reason] = []

    def say(code: str, text: str, **numbers: Number) -> None:
        out.append(Reason(code, text, numbers))

    def energy(seconds: int) -> Decimal:
        return _number(load.energy_kwh(seconds), 3)

    if not any(need.need for need in load.needs) and not found.runs:
        say("cheapest", "Nothing is asked of it, so it stays off.", saves=Decimal(0))
        return tuple(out)
    if any(found.missing):
        short = _number(energy_missing(load, found), 3)
        say("shortfall", f"{short} kWh are missing at the deadline.", shortfall_kwh=short)
        late = sum(
            max(0, b - max(a, load.needs[index].deadline))
            for a, b, index in solved.pieces
            if index is not None and load.needs[index].hard
        )
        if late:
            text = f"{energy(late)} kWh come as early as possible after the deadline."
            say("late", text, late_kwh=energy(late))
    _forced(load, solved, say)
    _caps(timeline, load, solved, say)
    unserved = sum(
        need.need - min(need.need, got)
        for need, got in zip(load.needs, found.served, strict=True)
        if not need.hard
    )
    if unserved:
        text = f"{energy(unserved)} kWh are not worth what they would cost."
        say("not_worth", text, energy_kwh=energy(unserved))
    _doubts(timeline, load, solved, say)
    surplus = sum(
        max(0, got - need.need) for need, got in zip(load.needs, found.served, strict=True)
    )
    if surplus:
        text = f"{energy(surplus)} kWh more than asked for: its steps are no finer."
        say("surplus", text, energy_kwh=energy(surplus))
    if load.old.cost and _kept(load, solved):
        say("change_kept", "Edges of the previous plan are kept, as changing them has a price.")
    if found.runs and not any(found.missing):
        out.append(_cheapest("Runs when the energy costs least within its window", saves))
    return tuple(out)


def _forced(load: Load, solved: "Solved", say: Say) -> None:
    if load.forced:
        text = f"The run under way goes on for {load.forced} s until its minimum time is reached."
        say("min_on", text, seconds=load.forced)
    if load.wait and solved.score.runs:
        text = f"It stays off for {load.wait} s more, its minimum time between two runs."
        say("min_off", text, seconds=load.wait)


def _caps(timeline: Timeline, load: Load, solved: "Solved", say: Say) -> None:
    for need, got in zip(load.needs, solved.score.served, strict=True):
        if need.cap is None or got >= need.need:
            continue
        above = any(
            not cell.unknown and cell.price > need.cap
            for _, _, cell in timeline.between(need.earliest, max(need.earliest, need.deadline))
        )
        cap = _number(Fraction(need.cap, timeline.scale), 5)
        missing = _number(load.energy_kwh(need.need - got), 3)
        if above:
            text = f"{missing} kWh are not served: the price is above the cap of {cap}."
            say("above_cap", text, price_cap=cap, energy_kwh=missing)


def _doubts(timeline: Timeline, load: Load, solved: "Solved", say: Say) -> None:
    cells = [part for a, b in solved.score.runs for part in timeline.between(a, b)]
    unknown = sum(b - a for a, b, cell in cells if cell.unknown)
    estimated = sum(b - a for a, b, cell in cells if cell.estimated)
    if unknown:
        energy = _number(load.energy_kwh(unknown), 3)
        text = f"{energy} kWh fall into time without a price, put as late as possible."
        say("unknown", text, energy_kwh=energy)
        if any(a >= timeline.horizon for a, _, cell in cells if cell.unknown):
            say("waits_for_prices", "Prices beyond the horizon are not known yet; the plan waits.")
    if estimated:
        energy = _number(load.energy_kwh(estimated), 3)
        say("estimated", f"{energy} kWh are planned on estimated prices.", energy_kwh=energy)


def _kept(load: Load, solved: "Solved") -> bool:
    runs = solved.score.runs
    edges = {True: [a for a, _ in runs], False: [b for _, b in runs]}
    return any(
        not load.old.is_new(at, kind) and 0 <= at < load.old.until
        for kind in (True, False)
        for at in edges[kind]
    )
