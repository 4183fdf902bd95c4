"""The balance of the site in one piece of time: import, export, curtailment, and what they cost."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from agent.planning.devices.measured import Pieces
from agent.planning.grid import SiteCell
from agent.planning.problem import Problem


@dataclass(frozen=True, slots=True)
class Flow:
    """Energies of one piece of time, none below 0."""

    imported: int
    exported: int
    curtailed: int


class Flows:
    """What goes in and out in each piece of time, kept as two numbers of each."""

    def __init__(self, count: int) -> None:
        # Import less export.
        self.net = [0] * count
        self._curtailed: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.net)

    def __getitem__(self, k: int) -> Flow:
        net = self.net[k]
        return Flow(max(0, net), max(0, -net), self.curtailed(k))

    def __iter__(self) -> Iterator[Flow]:
        return map(self.__getitem__, range(len(self.net)))

    def curtailed(self, k: int) -> int:
        return self._curtailed.get(k, 0)

    def put(self, k: int, flow: Flow) -> None:
        self.net[k] = flow.imported - flow.exported
        if flow.curtailed:
            self._curtailed[k] = flow.curtailed


@dataclass(frozen=True, slots=True)
class SiteMoney:
    """In units of money: energy and capacity charge; `margin`: what estimates count more."""

    cost: int
    margin: int
    flows: Flows


def site_money(
    problem: Problem,
    pieces: Pieces,
    devices: Sequence[int],
    *,
    idle: bool = False,
    giving: Container[int] = (),
    from_roof: Container[int] = (),
    beyond: Mapping[int, int] = MappingProxyType({}),
) -> SiteMoney:
    """`devices`: energy of all devices by piece; `idle`: a house that curtails what it must only.

    `giving`: pieces in which a storage that may not sell discharges, `from_roof` those in which one
    charges that may not do so from the grid; `beyond`: energy by piece that import limits see above
    the mean.
    """
    cost = margin = 0
    flows = Flows(len(pieces.cells))
    freely = problem.situation.site.pv_curtailable and not idle
    limited = problem.grid.export_limit is not None
    for k, (cell, energy) in enumerate(zip(pieces.cells, devices, strict=True)):
        alone = (cell.base - cell.pv) * cell.length
        net = alone + energy if alone else energy
        if cell.pv and (freely or limited):
            bound = freely and k not in giving
            flow = (
                _freely(problem, cell, net, beyond.get(k, 0), k not in from_roof)
                if bound
                else settled(problem, cell, net)
            )
            flows.put(k, flow)
            net = flows.net[k]
        else:
            flows.net[k] = net
        if net > 0:
            cost += net * cell.price
            margin += net * (cell.choice - cell.price)
        elif net:
            cost += net * cell.export_price
    return SiteMoney(cost + capacity_cost(problem, pieces, flows), margin, flows)


def settled(problem: Problem, cell: SiteCell, net: int) -> Flow:
    """With the least curtailment that the export limit demands."""
    limit = problem.grid.export_limit
    curtailed = 0
    if net < 0 and limit is not None:
        curtailed = min(cell.pv * cell.length, max(0, -net - limit * cell.length))
    net += curtailed
    return Flow(max(0, net), max(0, -net), curtailed)


def _freely(problem: Problem, cell: SiteCell, net: int, beyond: int, imports: bool) -> Flow:
    """With the curtailment that costs least: none, all export, or up to the import limit."""
    least = settled(problem, cell, net)
    options = [least.curtailed]
    roof = cell.pv * cell.length
    options.append(min(roof, max(least.curtailed, -net)))
    if imports:
        room = roof
        if cell.import_limit is not None:
            room = cell.import_limit * cell.length - net - beyond
        options.append(min(roof, max(options[1], room)))

    def worth(curtailed: int) -> tuple[int, int]:
        rest = net + curtailed
        price = cell.choice if rest > 0 else cell.export_price
        return rest * price, curtailed

    curtailed = min(options, key=worth)
    rest = net + curtailed
    return Flow(max(0, rest), max(0, -rest), curtailed)


def capacity_cost(problem: Problem, pieces: Pieces, flows: Flows) -> int:
    """What the rise of the highest window means costs, of this period and the next."""
    charge = problem.situation.site.capacity_charge
    if charge is None:
        return 0
    units, peaks = problem.units, peaks_of(problem, pieces, flows)
    rise = sum(peaks.highest[later] - peaks.floors[later] for later in (False, True))
    return units.money(charge.per_kw) * rise // (1000 * units.power_scale)


@dataclass(frozen=True, slots=True)
class Peaks:
    """In units of power: `floors` are paid already, `highest` are the highest means, neither below;
    both of this period (False) and the next (True). `imported`: energy by window."""

    floors: dict[bool, int]
    highest: dict[bool, int]
    imported: list[int]


def peaks_of(problem: Problem, pieces: Pieces, flows: Flows) -> Peaks:
    """Of a house with a capacity charge."""
    charge, units = problem.situation.site.capacity_charge, problem.units
    assert charge is not None
    imported = [window.imported for window in problem.grid.windows]
    used: set[int] = set()
    for cell, flow in zip(pieces.cells, flows, strict=True):
        if cell.window is not None:
            imported[cell.window] += flow.imported
            used.add(cell.window)
    floors = {False: units.power(charge.peak_so_far_w), True: units.power(charge.next_floor_w)}
    # Means are ratios; each is rounded up to a unit of power, far below a milliwatt's worth.
    peaks = dict(floors)
    for index in used:
        window = problem.grid.windows[index]
        mean = -(-imported[index] // window.length)
        peaks[window.later] = max(peaks[window.later], mean)
    return Peaks(floors, peaks, imported)
