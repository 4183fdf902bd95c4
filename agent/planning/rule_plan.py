"""The plan by rule as a plan/1: slots, money against the idle house and against no planner."""

from decimal import Decimal
from fractions import Fraction

from agent.energy.plan import DevicePlan, Engine, Plan, Reason, SiteSpan, Slot, Status
from agent.energy.situation import Device, Flexible, Program, Situation, Storage, Thermal
from agent.planning.assemble import decimal, gap_of
from agent.planning.house import KWH, Balance, Draw, total_draw
from agent.planning.program import run_from
from agent.planning.rule import Ruler, Taken
from agent.planning.rule_heat import heat
from agent.planning.rule_storage import run_storage
from agent.planning.timeline import Timeline

IMPORTS_W = 5.0


def rule_plan(situation: Situation, timeline: Timeline) -> Plan:
    ruler = Ruler(situation, timeline)
    ruler.plan()
    house, draws = ruler.house, ruler.draws()
    until = max([ruler.end, *(b for _, b, _ in draws)])
    idle_draws = _idle(ruler)
    plan_balances = house.balances(draws, until)
    idle_balances = house.balances(idle_draws, until, idle=True)
    extras = sum(one.extra_cost for one in ruler.taken.values())
    extras -= sum(
        _stored_value(device, timeline, ruler.taken[device.id])
        for device in situation.devices
        if isinstance(device, Storage)
    )
    idle_cost = house.energy_cost(idle_balances)
    cost = house.energy_cost(plan_balances) + extras - idle_cost
    chosen = house.energy_cost(plan_balances, choosing=True) + extras
    chosen -= house.energy_cost(idle_balances, choosing=True)
    objective = chosen - sum(one.value for one in ruler.taken.values())
    objective += _changes(ruler)
    baseline_draws, baseline_extras = _baseline(ruler)
    baseline_until = max([until, *(b for _, b, _ in baseline_draws)])
    baseline = house.energy_cost(house.balances(baseline_draws, baseline_until, idle=True))
    baseline += baseline_extras
    baseline -= house.energy_cost(house.balances(idle_draws, baseline_until, idle=True))
    bound = min(objective, _bound(ruler, until) - house.energy_cost(idle_balances, choosing=True))
    money = [decimal(Fraction(amount)) for amount in (cost, baseline, objective, bound)]
    devices = tuple(_device(ruler, device, plan_balances) for device in situation.devices)
    return Plan(
        made_at=situation.now,
        status=Status.RULE,
        engine=Engine.RULE,
        cost=money[0],
        baseline_cost=money[1],
        objective=money[2],
        bound=money[3],
        gap=gap_of(money[2], money[3], money[0], money[1]),
        currency=situation.currency,
        horizon=timeline.horizon_at,
        took_ms=0,
        devices=devices,
        site=_site(situation, plan_balances),
        now_fraction_us=situation.now_fraction_us,
    )


def _idle(ruler: Ruler) -> list[Draw]:
    """What is running already and has to go on."""
    draws: list[Draw] = []
    for device in ruler.situation.devices:
        if isinstance(device, Program) and device.started_at is not None:
            draws += ruler.taken[device.id].plain()
        elif isinstance(device, Flexible):
            load = ruler.loads[device.id]
            if load.forced:
                power = device.min_power_w or device.max_power_w
                draws.append((0, load.forced, float(power)))
        elif isinstance(device, Thermal) and device.on_since is not None:
            forced = device.on_since + device.min_on_s - ruler.situation.now
            if forced > 0:
                draws.append((0, forced, float(device.min_power_w or 0)))
    return draws


def _baseline(ruler: Ruler) -> tuple[list[Draw], float]:
    """The house without a planner, and its start costs and wear less stored value."""
    situation, timeline, house = ruler.situation, ruler.timeline, ruler.house
    draws: list[Draw] = []
    extras = 0.0
    cells = [(span, float("inf")) for span in house.spans if span.end <= timeline.horizon]
    for device in situation.devices:
        if isinstance(device, Program):
            profile = ruler.profiles[device.id]
            start = profile.started if profile.started is not None else profile.earliest
            run = run_from(timeline, profile, start)
            draws += [(s.start, s.end, float(s.power_w)) for s in run.segments if s.power]
        elif isinstance(device, Flexible):
            load, at = ruler.loads[device.id], 0
            power = float(device.max_power_w)
            own: list[Draw] = [(0, load.forced, power)] if load.forced else []
            for index, need in sorted(enumerate(load.needs), key=lambda item: item[1].earliest):
                length = need.need
                if not need.hard or need.cap is not None:
                    length = min(
                        length, round(_served(ruler.taken[device.id], index) * KWH / power)
                    )
                if length:
                    start = max(at, need.earliest)
                    at = start + length
                    low = load.forced if start < load.forced else start
                    if at > low:
                        own.append((low, at, power))
            ends = [0 if load.going else -1, *(b for _, b, _ in own)]
            starts = sum(a != b for (a, _, _), b in zip(own, ends, strict=False))
            extras += starts * float(device.start_cost)
            draws += own
        elif isinstance(device, Thermal):
            done = heat(situation, device, cells)
            draws += done.draws
            extras += done.starts * float(device.start_cost)
    for device in situation.devices:
        if isinstance(device, Storage):
            edges = sorted({*house.edges, *(t for a, b, _ in draws for t in (a, b))})
            powers = total_draw(draws, edges)
            spans = []
            for a, b, power in zip(edges, edges[1:], powers, strict=False):
                if b <= timeline.horizon:
                    span = house.span(a, b)
                    spans.append((span, float("inf"), span.base_w + power))
            stored = run_storage(situation, device, spans)
            draws += [(a, b, power) for a, b, power, _ in stored.draws]
            extras += stored.wear
            taken = Taken(draws=stored.draws, marks=stored.stored)
            extras -= _stored_value(device, timeline, taken)
    return draws, extras


def _served(taken: Taken, index: int) -> float:
    pairs = zip(taken.draws, taken.demands, strict=True)
    return sum(power * (b - a) for (a, b, power, _), demand in pairs if demand == index) / KWH


def _stored_value(device: Storage, timeline: Timeline, taken: Taken) -> float:
    """What the energy left at the horizon is worth, less that of the idle storage."""
    final = device.final_value_per_kwh
    if final is None:
        worth = float(timeline.mean) - float(device.wear_per_kwh)
        value = max(0.0, float(device.discharge_efficiency) * worth)
    else:
        value = float(final)
    end = taken.marks[-1] if taken.marks else float(device.energy_kwh)
    return value * (end - float(device.energy_kwh))


def _changes(ruler: Ruler) -> float:
    """Change costs of flexible devices and programs."""
    total = 0.0
    for device in ruler.situation.devices:
        old = None
        if isinstance(device, Flexible):
            old, unit = ruler.loads[device.id].old, ruler.loads[device.id].unit
        elif isinstance(device, Program):
            old, unit = ruler.profiles[device.id].old, ruler.profiles[device.id].unit
        if old is None or not old.cost:
            continue
        on: list[int] = []
        off: list[int] = []
        for a, b, _, _ in ruler.taken[device.id].draws:
            if off and off[-1] == a:
                off[-1] = b
            else:
                on.append(a)
                off.append(b)
        total += float(Fraction(old.change(on, off), unit))
    return total


def _bound(ruler: Ruler, until: int) -> float:
    """No plan costs less: free energy everywhere but for what negative prices and exports pay."""
    house, situation = ruler.house, ruler.situation
    draw = give = worth = 0.0
    for device in situation.devices:
        if isinstance(device, Storage):
            draw += float(device.max_charge_w)
            give += float(device.max_discharge_w)
            value = device.final_value_per_kwh
            per_kwh = float(value if value is not None else max(Fraction(0), ruler.timeline.mean))
            worth += max(0.0, per_kwh) * float(device.max_kwh or device.capacity_kwh)
        elif isinstance(device, Program):
            draw += float(max(part.power_w for part in device.profile))
        else:
            draw += float(device.max_power_w)
        if isinstance(device, Flexible):
            for demand in device.demands:
                worth += float(max(demand.value_per_kwh or 0, 0)) * float(demand.energy_kwh)
    total = -worth
    for span in house.spans:
        if span.start >= until:
            break
        hours = (span.end - span.start) / KWH
        total += hours * min(0.0, span.choice) * (max(0.0, span.base_w) + draw)
        total -= hours * max(0.0, span.export_price) * (max(0.0, -span.base_w) + give)
    return total


def _device(ruler: Ruler, device: Device, balances: list[Balance]) -> DevicePlan:
    taken, house = ruler.taken[device.id], ruler.house
    mode = "run" if isinstance(device, Program) else "charge"
    several = isinstance(device, Flexible) and len(device.demands) > 1
    slots: list[Slot] = []
    cost = energy = 0.0
    for k, (start, end, power, reason) in enumerate(taken.draws):
        energy += power * (end - start) / KWH
        for one in balances:
            a, b = max(start, one.start), min(end, one.end)
            if a >= b:
                continue
            span = house.span(a, b)
            cell = house.timeline.at(a)
            price = span.price if one.import_w > IMPORTS_W else span.export_price
            worth = power * (b - a) / KWH * price
            cost += worth
            last = b == end and bool(taken.marks)
            mark = Decimal(repr(round(taken.marks[k], 4))) if last else None
            slot = Slot(
                start=house.situation.now + a,
                end=house.situation.now + b,
                power_w=Decimal(repr(round(power, 3))),
                mode=taken.modes[k] if taken.modes else mode,
                price=cell.given,
                cost=decimal(Fraction(worth)),
                reason=reason,
                estimated=cell.estimated,
                unknown=cell.unknown,
                demand=taken.demands[k] if several else None,
                temperature_c=mark if isinstance(device, Thermal) else None,
                energy_kwh=mark if isinstance(device, Storage) else None,
            )
            _append(slots, slot)
    why = tuple(taken.why) or (Reason("cheapest", "Takes its best plan under the limit."),)
    return DevicePlan(
        id=device.id,
        status=Status.RULE,
        engine=Engine.RULE,
        energy_kwh=decimal(Fraction(energy)),
        cost=decimal(Fraction(cost + taken.extra_cost)),
        starts=taken.starts,
        deadline_met=taken.met,
        shortfall_kwh=decimal(Fraction(taken.missing_kwh)),
        slots=tuple(slots),
        why=why,
    )


def _append(slots: list[Slot], slot: Slot) -> None:
    last = slots[-1] if slots else None
    same = last is not None and last.end == slot.start
    if last is None or not same or _shown(last) != _shown(slot):
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


def _site(situation: Situation, balances: list[Balance]) -> tuple[SiteSpan, ...]:
    spans: list[SiteSpan] = []
    for one in balances:
        powers = [
            Decimal(repr(round(power, 3)))
            for power in (one.import_w, one.export_w, one.curtailed_w)
        ]
        last = spans[-1] if spans else None
        if last is not None and [last.import_w, last.export_w, last.curtailed_w] == powers:
            spans[-1] = SiteSpan(last.start, situation.now + one.end, *powers)
        else:
            spans.append(SiteSpan(situation.now + one.start, situation.now + one.end, *powers))
    return tuple(spans)
