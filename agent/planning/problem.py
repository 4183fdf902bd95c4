"""A Situation in whole numbers: time cut once, devices scaled. What every engine is given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

from agent.energy.situation import Flexible, Program, Situation, Storage
from agent.planning.devices.flexible import ScaledDevice, scaled_device
from agent.planning.devices.measured import Pieces
from agent.planning.devices.program import ScaledProgram, scaled_program
from agent.planning.devices.storage import ScaledStorage, scaled_storage
from agent.planning.devices.thermal import ScaledThermal, scaled_thermal
from agent.planning.grid import Grid
from agent.planning.segments import Segment
from agent.planning.timeline import Timeline
from agent.planning.units import LEAST_POWER_PLACES, Units, places

Model = ScaledDevice | ScaledProgram | ScaledStorage | ScaledThermal


def is_alone(situation: Situation) -> bool:
    """Whether no device touches another: no limit, PV, capacity charge, storage or heat."""
    site = situation.site
    shared = site.import_limit_w is not None or bool(site.import_limits)
    shared = shared or site.export_limit_w is not None
    shared = shared or bool(site.pv) or site.capacity_charge is not None
    return not shared and all(isinstance(one, (Flexible, Program)) for one in situation.devices)


@dataclass(frozen=True)
class Problem:
    """All instants are seconds from now. `coupled`: the cells of the grid are the time model."""

    situation: Situation
    coupled: bool
    units: Units
    timeline: Timeline
    grid: Grid
    models: tuple[Model, ...]

    @cached_property
    def by_id(self) -> dict[str, Model]:
        return {model.id: model for model in self.models}

    @cached_property
    def idle_costs(self) -> dict[int, tuple[int, int]]:
        """Cost and margin of the idle house, by how many cells are judged: no plan changes them."""
        return {}

    def parts(self) -> list["Problem"]:
        """Problems that do not touch each other: alone every device is one."""
        if self.coupled or len(self.models) < 2:
            return [self]
        return [replace(self, models=(model,)) for model in self.models]

    def with_model(self, model: Model) -> "Problem":
        """The same with one device changed."""
        models = tuple(model if one.id == model.id else one for one in self.models)
        return replace(self, models=models)

    def pieces(self, end: int, segments: Iterable[Sequence[Segment]] = ()) -> Pieces:
        """Time up to `end` as it is judged: alone cut where a device switches, else the cells."""
        grid = self.grid
        last = max(grid.boundary(max(end, grid.end)), grid.horizon_cells)
        cells = grid.cells[:last]
        starts, ends = grid.starts[:last], grid.ends[:last]
        if self.coupled:
            return Pieces(cells, starts, ends)
        marks = {t for own in segments for one in own for t in (one.start, one.end)}
        if ends and marks and max(marks) > ends[-1]:
            # Late energy is served however late; no price tells that time apart.
            cells = [*cells[:-1], replace(cells[-1], end=max(marks))]
            ends = [*ends[:-1], cells[-1].end]
        cuts = sorted(marks - set(starts) - {ends[-1] if ends else 0})
        if not cuts:
            return Pieces(cells, starts, ends)
        cut = []
        at = 0
        for cell in cells:
            begin = cell.start
            while at < len(cuts) and cuts[at] < cell.end:
                if cuts[at] > begin:
                    cut.append(replace(cell, start=begin, end=cuts[at]))
                    begin = cuts[at]
                at += 1
            cut.append(replace(cell, start=begin) if begin > cell.start else cell)
        return Pieces(cut, [cell.start for cell in cut], [cell.end for cell in cut])


def problem_of(situation: Situation) -> Problem:
    coupled = not is_alone(situation)
    timeline = Timeline(situation)
    units = Units(timeline.scale, 10 ** max(LEAST_POWER_PLACES, places(_powers(situation))))
    grid = Grid(situation, timeline, units, coupled=coupled, end=_planned_end(situation, timeline))
    models: list[Model] = []
    for device in situation.devices:
        if isinstance(device, Flexible):
            models.append(scaled_device(situation, device, timeline, units))
        elif isinstance(device, Program):
            models.append(scaled_program(situation, device, timeline, units))
        elif isinstance(device, Storage):
            models.append(scaled_storage(situation, device, timeline, grid, units))
        else:
            models.append(scaled_thermal(situation, device, timeline, grid, units))
    return Problem(situation, coupled, units, timeline, grid, tuple(models))


def _powers(situation: Situation) -> Iterable[Decimal]:
    site = situation.site
    for spans in (site.base_load, site.pv, site.import_limits):
        yield from (span.power_w for span in spans)
    for device in situation.devices:
        if isinstance(device, Program):
            yield from (part.power_w for part in device.profile)
        elif isinstance(device, Flexible):
            yield device.max_power_w


def _planned_end(situation: Situation, timeline: Timeline) -> int:
    """The latest of horizon, hard deadlines and runs that must go on; a quarter hour at least."""
    now = situation.now
    ends = [timeline.horizon, 0]
    for device in situation.devices:
        if isinstance(device, Flexible):
            ends += [d.deadline - now for d in device.demands if d.hard and d.deadline is not None]
            if device.on_since is not None:
                until = max(0, device.on_since + device.min_on_s - now)
                ends.append(until + (_grid_rest(device, until, now) if device.grid_s else 0))
        elif isinstance(device, Program):
            ends.append(device.deadline - now)
    return max(ends) or 900


def _grid_rest(device: Flexible, until: int, now: int) -> int:
    anchor = ((device.demands[0].earliest or 0) if device.demands else 0) - now
    return (anchor - until) % device.grid_s
