"""From what was judged to the plan: slots, site and numbers in decimals."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

from agent.energy.plan import DevicePlan, Engine, Plan, SiteSpan, Slot, Status
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.devices.thermal import ScaledThermal
from agent.planning.engine import Deadline
from agent.planning.judge import Judged
from agent.planning.modes import blocked_pieces, mode_of
from agent.planning.portfolio import Verdict
from agent.planning.problem import Model
from agent.planning.reasons import Reasons
from agent.planning.segments import Segment
from agent.planning.units import Units

FINE = Decimal("1e-9")
# Sums of the largest sizes that are read have more digits than the 28 of common arithmetic.
WIDE = Context(prec=60)
# The same as the least stake that a gap is measured against.
LEAST_STAKE = Decimal("0.01")
# So many sizes that were last written are kept: in years of slots most are one of a few, and each
# decimal takes a hundred bytes.
ALIKE = 1024
STRONGEST = (Status.OPTIMAL, Status.BEST_FOUND, Status.RULE)
WEAKEST_ENGINE = (Engine.RULE, Engine.JOINT, Engine.EXACT)


def decimal(value: Fraction | int) -> Decimal:
    """To a billionth: finer than anything that is compared."""
    exact = Fraction(value)
    return WIDE.quantize(WIDE.divide(Decimal(exact.numerator), Decimal(exact.denominator)), FINE)


@lru_cache(ALIKE)
def _watts(power: int, scale: int) -> Decimal:
    return Decimal(power) / Decimal(scale)


@lru_cache(ALIKE)
def _amount(money: int, units: Units) -> Decimal:
    return decimal(units.currency(money))


@lru_cache(ALIKE)
def _level(rounded: float) -> Decimal:
    return Decimal(repr(rounded))


def plan_of(judged: Judged, verdicts: Sequence[Verdict], deadline: Deadline) -> Plan:
    """`deadline`: by then it is there; near it the reasons are plainer."""
    problem, units = judged.problem, judged.problem.units
    situation = problem.situation
    standing = {
        model.id: _standing(verdict, model)
        for verdict in verdicts
        for model in verdict.judged.problem.models
    }
    reasons = Reasons(judged, deadline)
    devices = tuple(
        _device(judged, model, reasons, *standing[model.id]) for model in problem.models
    )
    bounds = [verdict.bound for verdict in verdicts]
    cost, baseline = (decimal(units.currency(x)) for x in (judged.cost, judged.baseline_cost))
    objective = decimal(units.currency(judged.objective))
    bound = min(objective, decimal(units.currency(sum(bound or 0 for bound in bounds))))
    stake = max(abs(cost), abs(baseline), LEAST_STAKE)
    weakest = max((STRONGEST.index(device.status) for device in devices), default=0)
    engines = {device.engine for device in devices} or {Engine.EXACT}
    return Plan(
        made_at=situation.now,
        status=STRONGEST[weakest],
        engine=next(engine for engine in WEAKEST_ENGINE if engine in engines),
        cost=cost,
        baseline_cost=baseline,
        objective=objective,
        bound=bound,
        gap=WIDE.quantize(WIDE.divide(WIDE.subtract(objective, bound), stake), FINE),
        currency=situation.currency,
        horizon=problem.timeline.horizon_at,
        took_ms=0,
        devices=devices,
        site=_site(judged),
        now_fraction_us=situation.now_fraction_us,
    )


def _standing(verdict: Verdict, model: Model) -> tuple[Status, Engine]:
    """Status and engine. Alone the order of aims is proved to its ties, with prices or without. In
    a house it is not, and without any price ahead ties are all there is: what there is to do is
    done by rule, as late as it may."""
    problem = verdict.judged.problem
    if not problem.coupled or problem.timeline.horizon > 0 or _has_no_choice(model):
        return verdict.status, verdict.engine
    return Status.RULE, Engine.RULE


def _has_no_choice(model: Model) -> bool:
    if isinstance(model, ScaledProgram):
        return model.running
    return isinstance(model, ScaledDevice) and model.wants_nothing


def _device(
    judged: Judged, model: Model, reasons: Reasons, status: Status, engine: Engine
) -> DevicePlan:
    measured, units = judged.devices[model.id], judged.problem.units
    slots = _slots(judged, model, reasons)
    return DevicePlan(
        id=model.id,
        status=status,
        engine=engine,
        energy_kwh=decimal(units.kwh_exactly(measured.energy)),
        cost=decimal(units.currency(judged.device_cost(model.id))),
        starts=measured.starts,
        deadline_met=measured.met,
        shortfall_kwh=decimal(units.kwh_exactly(0 if measured.met else measured.shortfall)),
        slots=slots,
        why=reasons.why(model),
        numbered=isinstance(model, ScaledDevice) and len(model.demands) > 1,
    )


@dataclass(slots=True)
class _Part:
    """What becomes one slot: pieces that follow each other and in which nothing changes that is
    shown. `cost` in units of money; `level` at its end."""

    start: int
    end: int
    shown: tuple[int, str, Decimal | None, str, bool, bool, int | None]
    cost: int
    level: float | None


def _slots(judged: Judged, model: Model, reasons: Reasons) -> tuple[Slot, ...]:
    """Each segment cut by price.

    Storage also where it holds what self-use would move, heat also where it is blocked.
    """
    now, units = judged.problem.situation.now, judged.problem.units
    slots: list[Slot] = []
    for part in _parts(judged, model, reasons):
        power, mode, price, reason, estimated, unknown, demand = part.shown
        level = None if part.level is None else _level(round(part.level, 4))
        start = now + part.start
        slots.append(
            Slot(
                start=slots[-1].end if slots and slots[-1].end == start else start,
                end=now + part.end,
                power_w=_watts(power, units.power_scale),
                mode=mode,
                price=price,
                cost=_amount(part.cost, units),
                reason=reason,
                estimated=estimated,
                unknown=unknown,
                demand=demand,
                temperature_c=level if isinstance(model, ScaledThermal) else None,
                energy_kwh=level if isinstance(model, ScaledStorage) else None,
            )
        )
    return tuple(slots)


def _parts(judged: Judged, model: Model, reasons: Reasons) -> Iterator[_Part]:
    problem, pieces = judged.problem, judged.site.pieces
    grid, timeline = problem.grid, problem.timeline
    levels = judged.devices[model.id].levels
    several = isinstance(model, ScaledDevice) and len(model.demands) > 1
    part: _Part | None = None
    for one in _shown_segments(judged, model):
        b = one.start
        while b < one.end:
            k = bisect_right(pieces.ends, b)
            if k == len(pieces.cells):
                break
            cell = pieces.cells[k]
            a, b = max(b, cell.start), min(one.end, cell.end)
            if not problem.coupled:
                # Where other devices switch is nothing to this one.
                b = min(one.end, max(b, grid.ends[grid.index(a)]))
            mode = mode_of(judged, model, k, one.power)
            if b <= a or not (one.power or mode in ("hold", "block")):
                continue
            price = cell.price if judged.imports(k) else cell.export_price
            reason = reasons.slot(model, k, Segment(a, b, one.power, one.demand))
            demand = one.demand if several else None
            given = timeline.at(a).given
            shown = one.power, mode, given, reason, cell.estimated, cell.unknown, demand
            cost = one.power * (b - a) * price
            level = levels[k + 1] if b == cell.end and k + 1 < len(levels) else None
            if part is not None and part.end == a and part.shown == shown:
                part.end, part.level = b, level
                part.cost += cost
                continue
            if part is not None:
                yield part
            part = _Part(a, b, shown, cost, level)
    if part is not None:
        yield part


def _shown_segments(judged: Judged, model: Model) -> Sequence[Segment]:
    segments: Sequence[Segment] = judged.devices[model.id].segments
    if isinstance(model, ScaledStorage):
        return sorted([*segments, *_holds(judged, model)])
    if isinstance(model, ScaledThermal):
        pieces = judged.site.pieces
        blocked = blocked_pieces(judged, model)
        blocks = [Segment(pieces.starts[k], pieces.ends[k], 0) for k in blocked]
        return sorted([*segments, *blocks])
    return segments


def _holds(judged: Judged, model: ScaledStorage) -> Iterator[Segment]:
    """Cells before the horizon in which it does nothing where its own logic would, at 0 W."""
    pieces, busy = judged.site.pieces, judged.site.energy[model.id]
    for k, there in enumerate(model.available):
        if there and k not in busy and mode_of(judged, model, k, 0) == "hold":
            yield Segment(pieces.starts[k], pieces.ends[k], 0)


def _site(judged: Judged) -> tuple[SiteSpan, ...]:
    """What goes in and out, in watts to a milliwatt; spans that are alike are one."""
    now, scale = judged.problem.situation.now, judged.problem.units.power_scale
    found: list[tuple[int, int, int]] = []
    begins: list[int] = []
    cells, flows = judged.site.pieces.cells, judged.site.flows
    for k, cell in enumerate(cells):
        if found and not flows.net[k] and not any(found[-1]) and not flows.curtailed(k):
            continue
        flow, seconds = flows[k], cell.length * scale
        powers = (
            round(flow.imported * 1000 / seconds),
            round(flow.exported * 1000 / seconds),
            round(flow.curtailed * 1000 / seconds),
        )
        if not found or found[-1] != powers:
            found.append(powers)
            begins.append(now + cell.start)
    ends = [*begins[1:], now + cells[-1].end if cells else now]
    return tuple(
        SiteSpan(start, end, *(Decimal(power) / 1000 for power in powers))
        for start, end, powers in zip(begins, ends, found, strict=False)
    )


__all__ = ["ScaledProgram", "plan_of"]
