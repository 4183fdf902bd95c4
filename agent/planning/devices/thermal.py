"""A heat pump with a house, or a tank: one store of heat with one temperature.

In a cell the temperature goes towards what it would settle at, linearly in the power, so a cell is
three numbers: `keep` of the old temperature, a constant, and a rise per watt. Floats: physics.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from operator import attrgetter

from agent.energy.curve import interpolated
from agent.energy.situation import ComfortSpan, PowerSpan, Situation, TemperatureSpan, Thermal
from agent.planning.devices.measured import Measured, Pieces
from agent.planning.grid import Grid
from agent.planning.incumbent import IncumbentEdges, incumbent_edges
from agent.planning.segments import Segment, energies, joined, runs_of
from agent.planning.timeline import Timeline
from agent.planning.units import Units

Piece = ComfortSpan | PowerSpan | TemperatureSpan

HOUR_S = 3600
# Within this a temperature counts as reached.
REACHED_C = 0.02
# Floats of solvers and whole milliwatts miss so much in a cell, and in all cells of two days more
# than what makes one plan worse than another.
SAME_C = 1e-5
# Out of reach, hygiene asks for this much less than full power from now would give.
OUT_OF_REACH_C = 1.0


@dataclass(frozen=True, slots=True)
class HeatCell:
    """T1 = keep x T0 + constant + rise_per_w x W; comfort bounds at the end of the cell."""

    keep: float
    constant: float
    rise_per_w: float
    min_c: float | None
    max_c: float | None


@dataclass(frozen=True, slots=True)
class ScaledThermal:
    """`cells`: those of the grid before the horizon. Hygiene `by` in seconds from now."""

    id: str
    priority: int
    control: str
    max_w: float
    power: int
    min_power: int
    min_on_s: int
    min_off_s: int
    start_cost: int
    running: bool
    mandatory_s: int
    blocked_s: int
    on_since: int | None
    off_since: int | None
    incumbent: IncumbentEdges
    temperature_c: float
    cells: tuple[HeatCell, ...]
    hygiene_by: int | None
    # As it was given, whether it can still be planned for or not.
    hygiene_asked: int | None
    hygiene_c: float
    hygiene_hold_s: int
    block_max_s: int

    def temperatures(self, watts: Sequence[float]) -> list[float]:
        """At now and at the end of each cell."""
        out = [self.temperature_c]
        for cell, power in zip(self.cells, watts, strict=False):
            out.append(cell.keep * out[-1] + cell.constant + cell.rise_per_w * power)
        return out


def scaled_thermal(
    situation: Situation, device: Thermal, timeline: Timeline, grid: Grid, units: Units
) -> ScaledThermal:
    now = situation.now
    running = device.on_since is not None
    mandatory = blocked = 0
    if device.on_since is not None:
        mandatory = max(0, device.on_since + device.min_on_s - now)
    elif device.off_since is not None:
        blocked = max(0, device.off_since + device.min_off_s - now)
    rule = device.hygiene
    by = None if rule is None else rule.by - now
    asked = by
    if by is not None and not 0 < by <= timeline.horizon:
        by = None
    least = device.min_power_w
    if least is None:
        switched = device.min_on_s or device.min_off_s or device.start_cost
        least = device.max_power_w if switched else device.max_power_w * 0
    return ScaledThermal(
        id=device.id,
        priority=device.priority,
        control=device.control,
        max_w=float(device.max_power_w),
        power=units.power(device.max_power_w),
        min_power=units.power(least),
        min_on_s=device.min_on_s,
        min_off_s=device.min_off_s,
        start_cost=units.money(device.start_cost),
        running=running,
        mandatory_s=mandatory,
        blocked_s=blocked,
        on_since=None if device.on_since is None else device.on_since - now,
        off_since=None if device.off_since is None else device.off_since - now,
        incumbent=incumbent_edges(
            situation,
            device.id,
            float(device.max_power_w),
            units.money(situation.planner.change_cost),
            timeline.horizon,
        ),
        temperature_c=float(device.temperature_c),
        cells=_heat_cells(situation, device, grid),
        hygiene_by=by,
        hygiene_asked=asked,
        hygiene_c=float(rule.temp_c) if rule is not None else 0.0,
        hygiene_hold_s=rule.hold_s if rule is not None else 0,
        block_max_s=device.block_max_s,
    )


def _heat_cells(situation: Situation, device: Thermal, grid: Grid) -> tuple[HeatCell, ...]:
    """Cells before the horizon; those that are alike are one object."""
    known: dict[tuple[int, int, int, int], HeatCell] = {}
    gains_w = float(device.gains_w)
    out = []
    for start, end in zip(grid.starts[: grid.horizon_cells], grid.ends, strict=False):
        when = situation.now + start
        weather = _nearest(device.outdoor, when)
        draw = bisect_right(device.draw, when, key=_start) - 1
        if draw >= 0 and when >= device.draw[draw].end:
            draw = -1
        comfort = _nearest(device.comfort, situation.now + end)
        alike = weather, draw, comfort, end - start
        if alike not in known:
            outdoor = float(device.outdoor[weather].temp_c) if weather >= 0 else 0.0
            gains = gains_w - (float(device.draw[draw].power_w) if draw >= 0 else 0.0)
            bounds = device.comfort[comfort] if comfort >= 0 else None
            known[alike] = _heat_cell(device, outdoor, gains, end - start, bounds)
        out.append(known[alike])
    return tuple(out)


def _heat_cell(
    device: Thermal, outdoor: float, gains: float, length: int, comfort: ComfortSpan | None
) -> HeatCell:
    factor = cop_at(device, outdoor)
    capacity = float(device.capacity_kwh_per_c) * 1000
    hours = length / HOUR_S
    loss = float(device.loss_w_per_c)
    if loss:
        keep = exp(-hours * loss / capacity)
        constant = (1 - keep) * (outdoor + gains / loss)
        rise = (1 - keep) * factor / loss
    else:
        keep, constant, rise = 1.0, hours * gains / capacity, hours * factor / capacity
    low = None if comfort is None or comfort.min_c is None else float(comfort.min_c)
    high = None if comfort is None or comfort.max_c is None else float(comfort.max_c)
    return HeatCell(keep, constant, rise, low, high)


_start = attrgetter("start")


def _nearest(spans: Sequence[Piece], when: int) -> int:
    """Index of the piece that holds at an instant, else of the nearest one, else -1; they are in
    time order."""
    after = bisect_right(spans, when, key=_start)
    if not 0 < after < len(spans) or when < spans[after - 1].end:
        return min(max(0, after - 1), len(spans) - 1)
    return after - 1 if when - spans[after - 1].end <= spans[after].start - when else after


def cop_at(device: Thermal, outdoor: float) -> float:
    """Linear between its points, flat outside."""
    points = [(float(t), float(c)) for t, c in device.cop]
    return interpolated(points, outdoor) if points else 1.0


def measure_thermal(
    device: ScaledThermal, segments: Sequence[Segment], pieces: Pieces, units: Units
) -> Measured:
    own = joined(segments)
    runs = runs_of(own)
    goes_on = device.running and bool(runs) and runs[0][0] == 0
    fresh = runs[1:] if goes_on else runs
    out = Measured(segments=own)
    drawn = energies(own, pieces.starts, pieces.ends)
    out.starts, out.start_sum = len(fresh), sum(start for start, _ in fresh)
    out.own_cost = device.start_cost * len(fresh)
    if device.incumbent.cost:
        seen = runs_of(own, -(-device.power // 20))
        count = device.incumbent.changes(seen, device.on_since, device.off_since)
        out.changes = count * device.incumbent.cost
    watts = [
        units.watts(drawn[k]) / cell.length if k in drawn else 0.0
        for k, cell in enumerate(pieces.cells)
    ]
    temperatures = device.temperatures(watts)
    out.levels = tuple(temperatures)
    ends = pieces.ends[: len(device.cells)]
    waived, out.hygiene_c = hygiene_held(device, temperatures, ends)
    for k, cell in enumerate(device.cells[: len(watts)]):
        hours = pieces.cells[k].length / HOUR_S
        at = temperatures[k + 1]
        cold = 0.0 if cell.min_c is None else cell.min_c - at
        hot = 0.0 if cell.max_c is None or k in waived else at - cell.max_c
        if (missed := max(cold, hot)) > SAME_C:
            out.comfort_c_h += hours * missed
    out.faults = _faults(device, own, pieces)
    return out


def hygiene_reach(device: ScaledThermal, ends: Sequence[int]) -> float:
    """The highest temperature at a cell end by `by` at full power from now, at most the goal."""
    top, temperature = float("-inf"), device.temperature_c
    for cell, end in zip(device.cells, ends, strict=False):
        temperature = cell.keep * temperature + cell.constant + cell.rise_per_w * device.max_w
        if device.hygiene_by is not None and end <= device.hygiene_by:
            top = max(top, temperature)
    return min(top, device.hygiene_c)


def hygiene_held(
    device: ScaledThermal, temperatures: Sequence[float], ends: Sequence[int]
) -> tuple[set[int], float]:
    """Cells whose comfort maximum is waived, and how far hygiene is missed.

    Missed is 0 where it is held, else 1 plus the degrees below what counts as enough.
    """
    by = device.hygiene_by
    if by is None:
        return set(), 0.0
    instants = [0, *ends]
    start: int | None = None
    good: tuple[int, int] | None = None
    for k, temperature in enumerate(temperatures[: len(instants)]):
        if temperature < device.hygiene_c - REACHED_C or instants[k] > by:
            start = None
            continue
        start = k if start is None else start
        if instants[k] - instants[start] >= device.hygiene_hold_s:
            good = (start, k)
            break
    missed = 0.0
    if good is None:
        inside = [k for k in range(1, len(temperatures)) if instants[k] <= by]
        if not inside:
            return set(), 1.0
        peak = max(inside, key=lambda k: temperatures[k])
        missed = 1.0 + max(0.0, hygiene_reach(device, ends) - OUT_OF_REACH_C - temperatures[peak])
        good = (peak, peak)
    return _stretch(device, temperatures, good[1]), missed


def _stretch(device: ScaledThermal, temperatures: Sequence[float], inside: int) -> set[int]:
    """Cells of the unbroken stretch above the comfort maximum around a cell end."""
    out: set[int] = set()
    for steps in (range(inside, 0, -1), range(inside + 1, len(temperatures))):
        for k in steps:
            top = device.cells[k - 1].max_c
            if top is None or temperatures[k] <= top:
                break
            out.add(k - 1)
    return out


def _faults(device: ScaledThermal, segments: Sequence[Segment], pieces: Pieces) -> list[str]:
    found = []
    runs = runs_of(segments)
    horizon = pieces.ends[len(device.cells) - 1] if device.cells else 0
    for one in segments:
        if one.power > device.power or one.power < device.min_power:
            found.append(f"runs at {one.power}, between {device.min_power} and {device.power}")
        if one.end > horizon:
            found.append("runs after the horizon")
        if pieces.cut_within(one):
            found.append(f"changes its power within a cell, at {one.start} or {one.end}")
    goes_on = device.running and bool(runs) and runs[0][0] == 0
    until = min(device.mandatory_s, horizon)
    if until and device.min_power and not (goes_on and runs[0][1] >= until):
        found.append(f"the run under way must go on for {until} s")
    for k, (start, end) in enumerate(runs):
        carried_on = goes_on and not k
        began = device.on_since if carried_on and device.on_since is not None else start
        if end - began < device.min_on_s and end < horizon:
            found.append(f"a run of {end - began} s")
        before = runs[k - 1][1] if k else 0
        if (k or (device.running and not goes_on)) and start - before < device.min_off_s:
            found.append(f"off for {start - before} s")
        if not k and not carried_on and start < device.blocked_s:
            found.append("on before it may be")
    return found
