"""What the devices of a plan leave to one of them, cell by cell: power, and what it costs."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from agent.planning.aims import beyond_means
from agent.planning.devices.flexible import ScaledDevice
from agent.planning.devices.flexible_rules import full_powers
from agent.planning.devices.program import ScaledProgram
from agent.planning.devices.storage import ScaledStorage
from agent.planning.engine import Deadline
from agent.planning.judge import IMPORTS_W, Judged
from agent.planning.problem import Model
from agent.planning.segments import Segment, energies


@dataclass(frozen=True, slots=True)
class Option:
    """What a device may do in a cell: nothing, where it need not be on, or `least` to `most`.

    `points`: powers at which the price of more changes, from least to most, and what each costs in
    units of money. `fixed`: it is on for something else. A `most` of 0 is none.
    """

    start: int
    end: int
    least: int = 0
    most: int = 0
    points: tuple[tuple[int, int], ...] = ()
    needed: bool = False
    fixed: bool = False

    @property
    def length(self) -> int:
        return self.end - self.start

    @property
    def usable(self) -> bool:
        return self.fixed or self.most > 0


class Room:
    """`net[k]`: what the site imports in cell k, as energy, below 0 what it exports.

    `deadline`: whoever looks for places in here asks it.
    """

    def __init__(self, plan: Judged, deadline: Deadline) -> None:
        self.problem, self.deadline = plan.problem, deadline
        self.pieces = plan.site.pieces
        self.cells = self.pieces.cells
        self.net = [
            (cell.base - cell.pv) * cell.length + drawn
            for cell, drawn in zip(self.cells, plan.site.drawn, strict=True)
        ]
        # Energy that an import limit sees above that.
        self.beyond = beyond_means(self.problem, self.pieces, plan.devices)
        self._top = self._tops(plan)
        # Power in or out that counts as none.
        self._nothing = IMPORTS_W * self.problem.units.power_scale
        self._giving: set[int] = set()
        self._from_roof: set[int] = set()
        for model in self.problem.models:
            if isinstance(model, ScaledStorage):
                self._mark(model, plan.site.energy[model.id])

    def _tops(self, plan: Judged) -> dict[bool, int]:
        """The highest window means that are paid for anyway, in this period and the next."""
        charge, units = self.problem.situation.site.capacity_charge, self.problem.units
        if charge is None:
            return {}
        windows = self.problem.grid.windows
        imported = [window.imported for window in windows]
        for cell, flow in zip(self.cells, plan.site.flows, strict=True):
            if cell.window is not None:
                imported[cell.window] += flow.imported
        tops = {False: units.power(charge.peak_so_far_w), True: units.power(charge.next_floor_w)}
        for window, energy in zip(windows, imported, strict=True):
            tops[window.later] = max(tops[window.later], energy // window.length)
        return tops

    def _mark(self, model: ScaledStorage, energy: dict[int, int]) -> None:
        if not model.export:
            self._giving |= {k for k, moved in energy.items() if moved < 0}
        if not model.grid_charge:
            self._from_roof |= {k for k, moved in energy.items() if moved > 0}

    def copy(self) -> "Room":
        other = copy(self)
        other.net, other.beyond = list(self.net), dict(self.beyond)
        return other

    def take(self, model: Model, segments: Sequence[Segment], sign: int = 1) -> None:
        """Less room, by what a device does; with a sign of -1 it is given back."""
        if isinstance(model, ScaledProgram) and model.running:
            return
        for k, energy in energies(segments, self.pieces.starts, self.pieces.ends).items():
            self.net[k] += sign * energy
        if isinstance(model, (ScaledDevice, ScaledProgram)):
            for k, energy in full_powers(segments, self.pieces).items():
                self.beyond[k] = self.beyond.get(k, 0) + sign * energy

    def limit(self, k: int) -> int | None:
        """The energy that may be imported in a cell without breaking or paying anything."""
        cell = self.cells[k]
        tops = [] if cell.import_limit is None else [cell.import_limit]
        if cell.window is not None and self._top:
            tops.append(self._top[self.problem.grid.windows[cell.window].later])
        return min(tops) * cell.length if tops else None

    def drawing(self, k: int, least: int, most: int) -> Option:
        """For a device that takes energy."""
        cell = self.cells[k]
        limit, needed = self.limit(k), False
        if limit is not None:
            most = min(most, (limit - self.net[k] - self.beyond.get(k, 0)) // cell.length)
        if k in self._from_roof:
            most = min(most, self._nothing - self.net[k] // cell.length)
        if k in self._giving and self.net[k] < -self._nothing * cell.length:
            # A store that may not sell gives here: without somebody who takes it, it would.
            needed, least = True, max(least, -(self.net[k] // cell.length))
        if most < least or most <= 0:
            return Option(cell.start, cell.end, needed=needed)
        return self._option(k, least, most, 1, needed=needed)

    def giving(self, k: int, least: int, most: int, *, sells: bool) -> Option:
        """For a store that gives."""
        cell = self.cells[k]
        if not sells:
            most = min(most, self.net[k] // cell.length)
        if most < least or most <= 0:
            return Option(cell.start, cell.end)
        return self._option(k, least, most, -1, needed=False)

    def _option(self, k: int, least: int, most: int, sign: int, *, needed: bool) -> Option:
        cell = self.cells[k]
        kink = -sign * self.net[k] // cell.length
        powers = sorted({least, most, *([kink] if least < kink < most else ())})
        points = tuple((power, self.cost(k, sign * power * cell.length)) for power in powers)
        return Option(cell.start, cell.end, least, most, points, needed)

    def cost(self, k: int, energy: int) -> int:
        """What it costs to take so much in a cell (below 0: to give), by prices alone."""
        return self._worth(k, self.net[k] + energy) - self._worth(k, self.net[k])

    def cost_of(self, segments: Sequence[Segment]) -> int:
        own = energies(segments, self.pieces.starts, self.pieces.ends)
        return sum(self.cost(k, energy) for k, energy in own.items())

    def _worth(self, k: int, net: int) -> int:
        cell = self.cells[k]
        if net > 0:
            return net * cell.choice
        limit = self.problem.grid.export_limit
        if limit is not None:
            net = max(net, -limit * cell.length)
        if self.problem.situation.site.pv_curtailable:
            return net * max(0, cell.export_price)
        return net * cell.export_price
