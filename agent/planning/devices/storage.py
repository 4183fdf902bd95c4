"""A battery, or a car that can give back: energies in kWh (floats: physics), cell by cell."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.energy.situation import Situation, Storage
from agent.planning.devices.measured import Measured, Pieces
from agent.planning.grid import Grid
from agent.planning.segments import Segment, energies, joined
from agent.planning.timeline import Timeline
from agent.planning.units import Units

# Within this a limit counts as kept.
SAME_KWH = 0.005


@dataclass(frozen=True, slots=True)
class ScaledStorage:
    """`available`: by cell of the grid before the horizon.

    `arrives`: by cell, the energy that it comes with at its start, where that changes anything;
    `departs`: what it comes back with after it left at the end of a cell, where leaving counts.
    """

    id: str
    charge: int
    discharge: int
    capacity_kwh: float
    energy_kwh: float
    min_kwh: float
    max_kwh: float
    charge_efficiency: float
    discharge_efficiency: float
    wear_per_kwh: float
    final_value_per_kwh: float
    grid_charge: bool
    export: bool
    targets: tuple[tuple[int, float], ...]
    available: tuple[bool, ...]
    arrives: Mapping[int, float]
    departs: Mapping[int, float]

    def stored(self, step: Callable[[int, float], float]) -> tuple[float, list[float]]:
        """What is valued (the end, departures less returns), and energies at now and cell ends.

        `step(cell, kwh)` gives the energy at the end of a cell.
        """
        value, energy = 0.0, self.energy_kwh
        path = [energy]
        for k in range(len(self.available)):
            energy = step(k, self.arrives.get(k, energy))
            path.append(energy)
            back = self.departs.get(k)
            if back is not None:
                value += energy - back
        return value + energy, path

    def after(self, energy_kwh: float, power_kw: float, hours: float) -> float:
        """Energy after some hours at a power at the terminals."""
        if power_kw > 0:
            return energy_kwh + power_kw * hours * self.charge_efficiency
        return energy_kwh + power_kw * hours / self.discharge_efficiency


def scaled_storage(
    situation: Situation, device: Storage, timeline: Timeline, grid: Grid, units: Units
) -> ScaledStorage:
    now = situation.now
    starts, ends = grid.starts[: grid.horizon_cells], grid.ends[: grid.horizon_cells]
    spans = [
        (a.start - now, a.end - now, None if a.arrives_kwh is None else float(a.arrives_kwh))
        for a in device.available or ()
    ]
    outward, wear = float(device.discharge_efficiency), float(device.wear_per_kwh)
    final = device.final_value_per_kwh
    value = max(0.0, outward * (float(timeline.mean) - wear)) if final is None else float(final)
    targets = tuple(
        (one.at - now, float(one.energy_kwh))
        for one in device.targets
        if 0 < one.at - now <= timeline.horizon
    )
    departures: dict[int, float] = {}
    for (start, end, _), (back, _, kwh) in pairwise(spans):
        counted = end > 0 and back < timeline.horizon and kwh is not None
        if counted and kwh is not None and not any(start < at <= end for at, _ in targets):
            departures[end] = kwh
    arrivals = {start: kwh for start, _, kwh in spans if start > 0 and kwh is not None}
    top = device.max_kwh
    return ScaledStorage(
        id=device.id,
        charge=units.power(device.max_charge_w),
        discharge=units.power(device.max_discharge_w),
        capacity_kwh=float(device.capacity_kwh),
        energy_kwh=float(device.energy_kwh),
        min_kwh=float(device.min_kwh),
        max_kwh=float(device.capacity_kwh if top is None else top),
        charge_efficiency=float(device.charge_efficiency),
        discharge_efficiency=outward,
        wear_per_kwh=wear,
        final_value_per_kwh=value,
        grid_charge=device.grid_charge,
        export=device.export,
        targets=targets,
        available=tuple(device.available is None or _within(spans, at) for at in starts),
        arrives={k: arrivals[at] for k, at in enumerate(starts) if at in arrivals},
        departs={k: departures[at] for k, at in enumerate(ends) if at in departures},
    )


def _within(spans: Sequence[tuple[int, int, float | None]], at: int) -> bool:
    """Whether an instant lies in one of some spans in time order."""
    k = bisect_right(spans, at, key=lambda span: span[0]) - 1
    return k >= 0 and at < spans[k][1]


def measure_storage(
    device: ScaledStorage, segments: Sequence[Segment], pieces: Pieces, units: Units
) -> Measured:
    own = joined(segments)
    out = Measured(segments=own)
    drawn = energies(own, pieces.starts, pieces.ends)
    worn = 0
    # What is to be stored at the end of a cell.
    due: dict[int, list[float]] = {}
    for at, wanted in device.targets:
        due.setdefault(bisect_left(pieces.ends, at), []).append(wanted)
    faults = out.faults
    for one in own:
        if pieces.cut_within(one):
            faults.append(f"changes its power within a cell, at {one.start} or {one.end}")
        if one.power > device.charge or -one.power > device.discharge:
            faults.append(f"charges or gives at {one.power}")
    if any(energy for k, energy in drawn.items() if k >= len(device.available)):
        faults.append("works after the horizon")

    def step(k: int, energy: float) -> float:
        nonlocal worn
        moved = drawn.get(k, 0)
        if not moved and k not in due and device.min_kwh <= energy <= device.max_kwh:
            return energy
        cell = pieces.cells[k]
        hours = cell.length / 3600
        if moved and not device.available[k]:
            faults.append(f"works at {cell.start}, while it is away")
        worn += max(0, -moved)
        after = device.after(energy, units.kwh(moved) / hours, hours)
        low, high = min(device.min_kwh, energy), max(device.max_kwh, energy)
        if not low - SAME_KWH <= after <= high + SAME_KWH:
            faults.append(f"holds {after:.3f} kWh at {cell.end}, between {low} and {high}")
        beyond = max(device.min_kwh - after, after - device.max_kwh)
        out.outside_kwh_h += hours * beyond if beyond > SAME_KWH else 0.0
        for wanted in due.get(k, ()):
            out.target_kwh += max(0.0, wanted - after)
        return after

    known = min(len(device.available), len(pieces.cells))
    assert known == len(device.available), "pieces reach to the horizon"
    valued, path = device.stored(step)
    out.levels = tuple(path)
    out.own_cost = units.money_of(device.wear_per_kwh * units.kwh(worn))
    out.stored_value = units.money_of(device.final_value_per_kwh * valued)
    return out


def idle_value(device: ScaledStorage, units: Units) -> int:
    """What its energy is worth when nobody touches it."""
    value, energy = 0.0, device.energy_kwh
    for k in sorted({*device.arrives, *device.departs}):
        energy = device.arrives.get(k, energy)
        if k in device.departs:
            value += energy - device.departs[k]
    return units.money_of(device.final_value_per_kwh * (value + energy))
