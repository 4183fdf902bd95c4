"""From what was solved to the plan: slots, money in decimals, baseline, bound and gap."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

from agent.energy.plan import DevicePlan, Engine, Plan, SiteSpan, Slot, Status
from agent.energy.situation import PowerSpan, Situation
from agent.planning import reasons
from agent.planning.flexible import Solved
from agent.planning.load import KWH, Load
from agent.planning.program import Profile, Run, run_from
from agent.planning.score import energy_missing
from agent.planning.timeline import Cell, Timeline

FINE = Decimal("1e-9")
STRONGEST = (Status.OPTIMAL, Status.BEST_FOUND, Status.RULE)
OPTIMAL_GAP = Decimal("1e-6")


def decimal(value: Fraction | int) -> Decimal:
    """To a billionth: finer than anything that is compared."""
    exact = Fraction(value)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(FINE)


class Part:
    """One device in the plan and its share of the sums, in currency."""

    def __init__(
        self,
        device: DevicePlan,
        cost: Fraction,
        baseline: Fraction,
        objective: Fraction,
        bound: Fraction,
    ) -> None:
        self.device = device
        self.cost = cost
        self.baseline = baseline
        self.objective = objective
        self.bound = bound


def flexible_part(timeline: Timeline, solved: Solved) -> Part:
    load, found = solved.load, solved.score
    baseline = Fraction(_baseline(timeline, load, found.served), load.unit)
    site_cost = Fraction(found.site_cost, load.unit)
    slots: list[Slot] = []
    several = len(load.needs) > 1
    for start, end, index in solved.pieces:
        for a, b, cell in timeline.between(start, end):
            reason = reasons.of_slot(load, solved, index, a, cell)
            power = Fraction(load.power_w)
            demand = index if several else None
            _add(slots, _slot(timeline, a, b, power, "charge", cell, reason, demand))
    seconds = sum(b - a for a, b in found.runs)
    plan = DevicePlan(
        id=load.id,
        status=solved.status,
        engine=Engine.RULE if solved.status is Status.RULE else Engine.EXACT,
        energy_kwh=decimal(load.energy_kwh(seconds)),
        cost=decimal(Fraction(found.cost, load.unit)),
        starts=found.starts,
        deadline_met=not any(found.missing),
        shortfall_kwh=decimal(energy_missing(load, found)),
        slots=tuple(slots),
        why=reasons.of_flexible(timeline, solved, baseline - site_cost),
    )
    return Part(
        plan,
        site_cost,
        baseline,
        Fraction(found.objective, load.unit),
        Fraction(solved.bound, load.unit),
    )


def program_part(timeline: Timeline, id: str, profile: Profile, run: Run) -> Part:
    slots: list[Slot] = []
    for segment in run.segments:
        if not segment.power:
            continue
        for a, b, cell in timeline.between(segment.start, segment.end):
            power = Fraction(segment.power_w)
            reason = reasons.of_program_slot(run, a, cell, profile.deadline)
            _add(slots, _slot(timeline, a, b, power, "run", cell, reason, None))
    scale = profile.unit // timeline.scale
    own = Fraction(run.cost, profile.unit)
    site_cost = Fraction(0) if run.running else own
    objective = Fraction(run.objective, profile.unit)
    baseline = Fraction(0)
    if not run.running:
        baseline = Fraction(run_from(timeline, profile, profile.earliest).cost, profile.unit)
    plan = DevicePlan(
        id=id,
        status=Status.OPTIMAL,
        engine=Engine.EXACT,
        energy_kwh=decimal(Fraction(run.energy, scale)),
        cost=decimal(own),
        starts=0 if run.running else 1,
        deadline_met=run.met,
        shortfall_kwh=decimal(Fraction(run.missing, scale)),
        slots=tuple(slots),
        why=reasons.of_program(run, baseline - site_cost),
    )
    return Part(plan, site_cost, baseline, objective, objective)


def whole_plan(situation: Situation, timeline: Timeline, parts: Sequence[Part]) -> Plan:
    cost = decimal(sum((part.cost for part in parts), Fraction(0)))
    baseline = decimal(sum((part.baseline for part in parts), Fraction(0)))
    objective = decimal(sum((part.objective for part in parts), Fraction(0)))
    bound = min(objective, decimal(sum((part.bound for part in parts), Fraction(0))))
    devices = tuple(part.device for part in parts)
    weakest = max((STRONGEST.index(device.status) for device in devices), default=0)
    engines = {device.engine for device in devices}
    return Plan(
        made_at=situation.now,
        status=STRONGEST[weakest],
        engine=Engine.RULE if Engine.RULE in engines else Engine.EXACT,
        cost=cost,
        baseline_cost=baseline,
        objective=objective,
        bound=bound,
        gap=gap_of(objective, bound, cost, baseline),
        currency=situation.currency,
        horizon=timeline.horizon_at,
        took_ms=0,
        devices=devices,
        site=site_spans(situation, timeline, devices),
        now_fraction_us=situation.now_fraction_us,
    )


def gap_of(objective: Decimal, bound: Decimal, cost: Decimal, baseline: Decimal) -> Decimal:
    scale = max(abs(cost), abs(baseline), Decimal("0.01"))
    return ((objective - bound) / scale).quantize(FINE)


def _slot(
    timeline: Timeline,
    start: int,
    end: int,
    power_w: Fraction,
    mode: str,
    cell: Cell,
    reason: str,
    demand: int | None,
) -> Slot:
    worth = power_w * (end - start) * cell.price / (timeline.scale * KWH)
    return Slot(
        start=timeline.now + start,
        end=timeline.now + end,
        power_w=Decimal(power_w.numerator) / Decimal(power_w.denominator),
        mode=mode,
        price=cell.given,
        cost=decimal(worth),
        reason=reason,
        estimated=cell.estimated,
        unknown=cell.unknown,
        demand=demand,
    )


def _add(slots: list[Slot], slot: Slot) -> None:
    """Append, or prolong the last slot where nothing that is shown changes."""
    last = slots[-1] if slots else None
    if last is None or last.end != slot.start or _shown(last) != _shown(slot):
        slots.append(slot)
        return
    slots[-1] = Slot(
        *(last.start, slot.end, last.power_w, last.mode, last.price, last.cost + slot.cost),
        *(last.reason, last.estimated, last.unknown, last.demand),
    )


def _shown(slot: Slot) -> tuple[object, ...]:
    return (
        *(slot.power_w, slot.mode, slot.price, slot.reason),
        *(slot.estimated, slot.unknown, slot.demand),
    )


def _baseline(timeline: Timeline, load: Load, served: Sequence[int]) -> int:
    """The device without a planner: each demand at full power as soon as it may be served."""
    at = 0
    spans = [(0, load.forced)] if load.forced else []
    order = sorted(zip(load.needs, served, strict=True), key=lambda item: item[0].earliest)
    for need, got in order:
        length = need.need if need.hard and need.cap is None else min(need.need, got)
        if length:
            start = max(at, need.earliest)
            at = start + length
            spans.append((start, at))
    runs: list[tuple[int, int]] = []
    for a, b in sorted(spans):
        if runs and runs[-1][1] >= a:
            runs[-1] = (runs[-1][0], max(b, runs[-1][1]))
        else:
            runs.append((a, b))
    going_on = load.going and bool(runs) and runs[0][0] == 0
    cost = sum(timeline.price_until(b) - timeline.price_until(a) for a, b in runs)
    cost -= timeline.price_until(load.forced)
    return load.power * cost + load.start_cost * (len(runs) - going_on)


def site_spans(
    situation: Situation, timeline: Timeline, devices: Iterable[DevicePlan]
) -> tuple[SiteSpan, ...]:
    """What the house draws up to the end of horizon and slots; without PV nothing goes out."""
    loads = [span for span in situation.site.base_load if span.end > situation.now]
    for device in devices:
        loads += [PowerSpan(slot.start, slot.end, slot.power_w) for slot in device.slots]
    end = max([timeline.horizon_at, *(span.end for span in loads)])
    steps: dict[int, Decimal] = {situation.now: Decimal(0), end: Decimal(0)}
    for span in loads:
        start = max(span.start, situation.now)
        steps[start] = steps.get(start, Decimal(0)) + span.power_w
        steps[span.end] = steps.get(span.end, Decimal(0)) - span.power_w
    spans: list[SiteSpan] = []
    zero = Decimal(0)
    power, at = zero, situation.now
    for when in sorted(steps):
        if when > at:
            if spans and spans[-1].import_w == power:
                spans[-1] = SiteSpan(spans[-1].start, when, power, zero, zero)
            else:
                spans.append(SiteSpan(at, when, power, zero, zero))
        power += steps[when]
        at = when
    return tuple(spans)
