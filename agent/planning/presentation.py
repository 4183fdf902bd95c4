"""From what was judged to the plan: slots, site and numbers in decimals."""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction

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

FINE = Decimal("1e-9")
# Sums of the largest sizes that are read have more digits than the 28 of common arithmetic.
WIDE = Context(prec=60)
# The same as the least stake that a gap is measured against.
LEAST_STAKE = Decimal("0.01")
STRONGEST = (Status.OPTIMAL, Status.BEST_FOUND, Status.RULE)
WEAKEST_ENGINE = (Engine.RULE, Engine.JOINT, Engine.EXACT)


def decimal(value: Fraction | int) -> Decimal:
    """To a billionth: finer than anything that is compared."""
    exact = Fraction(value)
    return WIDE.quantize(WIDE.divide(Decimal(exact.numerator), Decimal(exact.denominator)), FINE)


def plan_of(judged: Judged, verdicts: Sequence[Verdict], deadline: Deadline) -> Plan:
    """`deadline`: by then it is there; near it the reasons are plainer."""
    problem, units = judged.problem, judged.problem.units
    situation = problem.situation
    standing = {
        model.id: (verdict.status, verdict.engine)
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


def _slots(judged: Judged, model: Model, reasons: Reasons) -> tuple[Slot, ...]:
    """Each segment cut by price.

    Storage also where it holds what self-use would move, heat also where it is blocked.
    """
    site, problem = judged.site, judged.problem
    pieces, measured = site.pieces, judged.devices[model.id]
    several = isinstance(model, ScaledDevice) and len(model.demands) > 1
    segments: Sequence[Segment] = measured.segments
    if isinstance(model, ScaledStorage):
        segments = _with_holds(model, segments, pieces.starts, pieces.ends)
    if isinstance(model, ScaledThermal):
        blocked = blocked_pieces(judged, model)
        blocks = [Segment(pieces.starts[k], pieces.ends[k], 0) for k in blocked]
        segments = sorted([*segments, *blocks])
    slots: list[Slot] = []
    k = 0
    for one in segments:
        k = min(k, len(pieces.cells) - 1)
        while k and pieces.starts[k] > one.start:
            k -= 1
        while pieces.ends[k] <= one.start:
            k += 1
        while k < len(pieces.cells) and pieces.starts[k] < one.end:
            cell = pieces.cells[k]
            a, b = max(one.start, cell.start), min(one.end, cell.end)
            mode = mode_of(judged, model, k, one.power)
            if b > a and (one.power or mode in ("hold", "block")):
                price = cell.price if judged.imports(k) else cell.export_price
                level = None
                if measured.levels and b == cell.end and k + 1 < len(measured.levels):
                    level = Decimal(repr(round(measured.levels[k + 1], 4)))
                _add(
                    slots,
                    Slot(
                        start=problem.situation.now + a,
                        end=problem.situation.now + b,
                        power_w=_watts(one.power, problem.units.power_scale),
                        mode=mode,
                        price=problem.timeline.at(a).given,
                        cost=decimal(problem.units.currency(one.power * (b - a) * price)),
                        reason=reasons.slot(model, k, one._replace(start=a, end=b)),
                        estimated=cell.estimated,
                        unknown=cell.unknown,
                        demand=one.demand if several else None,
                        temperature_c=level if isinstance(model, ScaledThermal) else None,
                        energy_kwh=level if isinstance(model, ScaledStorage) else None,
                    ),
                )
            if cell.end >= one.end:
                break
            k += 1
    return tuple(slots)


def _with_holds(
    model: ScaledStorage, segments: Sequence[Segment], starts: Sequence[int], ends: Sequence[int]
) -> list[Segment]:
    """With segments of 0 W in every cell before the horizon in which it does nothing."""
    busy: set[int] = set()
    for one in segments:
        busy.update(starts[bisect_left(starts, one.start) : bisect_left(starts, one.end)])
    idle = [
        Segment(starts[k], ends[k], 0)
        for k in range(len(model.available))
        if starts[k] not in busy and model.available[k]
    ]
    return sorted([*segments, *idle])


def _watts(power: int, scale: int) -> Decimal:
    return Decimal(power) / Decimal(scale)


def _add(slots: list[Slot], slot: Slot) -> None:
    """Append, or prolong the last slot where nothing that is shown changes."""
    last = slots[-1] if slots else None
    if last is None or last.end != slot.start or _shown(last) != _shown(slot):
        slots.append(slot)
        return
    slots[-1] = Slot(
        *(last.start, slot.end, last.power_w, last.mode, last.price, last.cost + slot.cost),
        *(last.reason, last.estimated, last.unknown, last.demand),
        *(slot.temperature_c, slot.energy_kwh),
    )


def _shown(slot: Slot) -> tuple[object, ...]:
    return (
        *(slot.power_w, slot.mode, slot.price, slot.reason),
        *(slot.estimated, slot.unknown, slot.demand),
    )


def _site(judged: Judged) -> tuple[SiteSpan, ...]:
    """What goes in and out, in watts to a milliwatt; spans that are alike are one."""
    now, scale = judged.problem.situation.now, judged.problem.units.power_scale
    spans: list[SiteSpan] = []
    for cell, flow in zip(judged.site.pieces.cells, judged.site.flows, strict=True):
        powers = [
            Decimal(round(energy * 1000 / (cell.length * scale))) / 1000
            for energy in (flow.imported, flow.exported, flow.curtailed)
        ]
        last = spans[-1] if spans else None
        if last is not None and [last.import_w, last.export_w, last.curtailed_w] == powers:
            spans[-1] = SiteSpan(last.start, now + cell.end, *powers)
        else:
            spans.append(SiteSpan(now + cell.start, now + cell.end, *powers))
    return tuple(spans)


__all__ = ["ScaledProgram", "plan_of"]
