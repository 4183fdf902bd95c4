"""A flexible device: split demands, blocks, runs that must go on.

A device without minimum times, start cost, grid and changes has no on/off at first: its power lies
between 0 and its greatest, and one cell a demand below the least power is the part of a cell that
the model grants. Where a solution has more of them, `tighten` adds on/off in those cells.
"""

from collections.abc import Mapping, Sequence

from agent.planning.device_grids import CUTTING_GRID_S
from agent.planning.devices.flexible import ScaledDemand, ScaledDevice
from agent.planning.joint.blocks import Block, FreeBlock, add_block, add_free_block
from agent.planning.joint.house import Draw, House, Load
from agent.planning.joint.milp import Term
from agent.planning.joint.splits import SplitDemand, add_needs
from agent.planning.joint.switching import (
    Edges,
    OnOff,
    Part,
    Times,
    change_costs,
    loud_enough,
    quiet_changes,
    switching,
)

# Below this a power in kW is no power.
DUST_KW = 1e-5
# A device that may run at any power is on from here.
LEAST_ON_KW = 1e-3


class FlexibleDevice:
    def __init__(self, house: House, device: ScaledDevice) -> None:
        self.house, self.device = house, device
        first_column, first_row = house.milp.columns, house.milp.rows
        self.least, self.most = house.kw(device.min_power), house.kw(device.power)
        self.switched = bool(
            device.min_on_s
            or device.min_off_s
            or device.start_cost
            or device.incumbent.cost
            or device.mandatory_s
            or device.grid_s
            or device.blocked_s
        )
        self.with_parts = self.least > 0 and device.grid_s < CUTTING_GRID_S
        if 0 < device.grid_s < CUTTING_GRID_S:
            # Parts of cells would have to be whole steps: narrowed to whole cells here.
            self.with_parts = False
            house.exact = False
        wanted = [one for one in device.demands if one.energy > 0]
        # On for whole steps of its grid, at one power, for one demand: that takes what it takes.
        self.coarse = (
            device.grid_s >= CUTTING_GRID_S
            and device.min_power >= device.power
            and not device.running
            and len(wanted) == 1
            and wanted[0].hard
            and wanted[0].cap is None
            and not wanted[0].contiguous
        )
        self.on: dict[int, int] = {}
        self.opened: set[int] = set()
        self.splits: list[SplitDemand] = []
        self.blocks: list[Block] = []
        self.free_blocks: list[FreeBlock] = []
        self.nobody: dict[int, int] = {}
        self.edges: Edges | None = None
        for index, demand in enumerate(device.demands):
            if demand.energy <= 0:
                continue
            top = self._tops(demand)
            if not demand.contiguous:
                self.splits.append(SplitDemand(index, demand, top))
            elif demand.hard and demand.cap is None and house.strict:
                self.blocks.append(add_block(house, device, index, demand, top))
            else:
                self.free_blocks.append(add_free_block(house, device, index, demand, top))
        for split in self.splits:
            for k, most in split.top.items():
                usable = most if most >= self.least or not self.switched else 0.0
                split.power[k] = house.milp.column(0.0, usable)
                house.balance[k].append((split.power[k], 1.0))
        self._must_go_on()
        cells = sorted({k for split in self.splits for k in split.power} | set(self.nobody))
        for k in cells:
            house.most[k] += self.most
        for tops in self._block_tops():
            for k in tops:
                house.most[k] = max(house.most[k], house.most[k] + self.most * (k not in cells))
        if self.least > 0 or self.switched:
            for k in cells:
                self._add_columns(k)
                if self.switched or self._shared():
                    self.open(k)
        for k in cells:
            here = [(split.power[k], 1.0) for split in self.splits if k in split.power]
            if len(here) > 1 and k not in self.opened:
                house.milp.at_most(here, self.most)
        if self.least > 0:
            self._draws(cells)
        for k in cells:
            drawn = [(split.power[k], 1.0) for split in self.splits if k in split.power]
            drawn += [(p.share, self.least) for split in self.splits for p in split.parts(k)]
            house.loads[k].append(Load(device.id, drawn, self.most))
        add_needs(house, device, self.least, self.splits, self.rounded)
        if self.switched:
            self._switch()
        else:
            self._one_at_a_time()
        # What it added by itself until now.
        self.columns = range(first_column, house.milp.columns)
        self.own_rows = range(first_row, house.milp.rows)

    def rounded(self, demand: ScaledDemand) -> int:
        """Up to this energy a hard demand has no excess, but for what it cannot do without."""
        device = self.device
        seconds = demand.needed_s
        if self.coarse:
            seconds = demand.max_s
        return max(demand.energy, seconds * device.power)

    @property
    def unavoidable(self) -> int:
        """Energy above the need that its only demand gets whatever the plan."""
        wanted = [one for one in self.device.demands if one.energy > 0]
        return sum((one.max_s - one.needed_s) * self.device.power for one in wanted if self.coarse)

    def _tops(self, demand: ScaledDemand) -> dict[int, float]:
        """The most power by cell that window, cap and, for blocks, the limit leave."""
        house, device = self.house, self.device
        tops: dict[int, float] = {}
        for k, cell in enumerate(house.cells):
            if cell.start < demand.earliest:
                continue
            if cell.end > demand.deadline:
                late = demand.hard and cell.start >= demand.deadline
                late = late and (demand.cap is None or bool(demand.allowance_s))
                if not late or (house.strict and not demand.contiguous):
                    continue
            if cell.unknown and not (demand.hard and demand.cap is None):
                continue
            top = device.power
            if demand.contiguous and cell.headroom is not None:
                top = min(top, cell.headroom)
            if demand.cap is not None and cell.price > demand.cap:
                roof = max(0, cell.pv - cell.base)
                if demand.contiguous and roof < top:
                    continue
                top = min(top, roof)
            if top <= 0 or (demand.contiguous and top < max(1, device.min_power)):
                continue
            tops[k] = house.kw(top)
        return tops

    def _must_go_on(self) -> None:
        """Energy of a run under way that no demand takes."""
        house = self.house
        for k, cell in enumerate(house.cells):
            if cell.start >= self.device.mandatory_s:
                break
            # Never strictly 0: what nobody wants may have to be taken.
            column = house.milp.column(0.0, self.most)
            house.balance[k].append((column, 1.0))
            house.forced.add(k)
            self.nobody[k] = column
            house.aim("excess", column, house.hours[k])

    def _shared(self) -> bool:
        """Whether two demands may take power in one cell: then its least power binds the sum."""
        if self.least <= 0:
            return False
        seen: set[int] = set()
        for split in self.splits:
            if seen & set(split.power):
                return True
            seen |= set(split.power)
        return False

    def _add_columns(self, k: int) -> None:
        """On/off in cell k and the part of it that each demand may take; closed at first."""
        house, milp = self.house, self.house.milp
        self.on[k] = milp.column(0.0, 0.0)
        for split in self.splits:
            if k not in split.power or not self.with_parts or split.top[k] < self.least:
                continue
            for side in (split.first, split.last) if self.switched else (split.first,):
                part = side[k] = Part(milp.column(0.0, 0.0), milp.column(0.0, 0.0))
                house.balance[k].append((part.share, self.least))
                house.beyond[k] += [(part.on, self.least), (part.share, -self.least)]

    def open(self, k: int) -> None:
        """From now on the device is off in cell k, or between its powers, or on for a part."""
        milp, on = self.house.milp, self.on[k]
        self.opened.add(k)
        terms = [(split.power[k], 1.0) for split in self.splits if k in split.power]
        if k in self.nobody:
            terms.append((self.nobody[k], 1.0))
        parts = [part for split in self.splits for part in split.parts(k)]
        for column in (on, *(part.on for part in parts)):
            milp.upper[column] = 1.0
            milp.whole.add(column)
        milp.at_most([*terms, (on, -self.most)], 0.0)
        if self.least or self.switched:
            milp.at_least(0.0, [*terms, (on, -min(max(self.least, LEAST_ON_KW), self.most))])
        for part in parts:
            milp.upper[part.share] = 1.0
            milp.at_most([(part.share, 1.0), (part.on, -1.0)], 0.0)
        if parts:
            milp.at_most([(on, 1.0), *((part.on, 1.0) for part in parts)], 1.0)

    def _draws(self, cells: Sequence[int]) -> None:
        """What other rows need to know of its least power."""
        house, milp = self.house, self.house.milp
        parts: dict[int, list[Term]] = {}
        for k in cells:
            surplus = house.surplus(k)
            powers = [(split.power[k], 1.0) for split in self.splits if k in split.power]
            if surplus <= 0 or not powers:
                continue
            some: list[int] = []
            if k not in self.opened and self.with_parts:
                # Once per demand a part of a cell draws less than the least, as a mean.
                for split in self.splits:
                    if k in split.power:
                        some.append(milp.column(0.0, 1.0))
                        parts.setdefault(split.index, []).append((some[-1], 1.0))
            on = self.on[k] if k in self.opened else None
            house.draws[k].append(Draw(self.device.id, powers, self.least, self.most, on, some))
        for terms in parts.values():
            milp.at_most(terms, 1.0)

    def _one_at_a_time(self) -> None:
        """Blocks and cells of one device do not overlap; no minimum times to keep."""
        for k in range(len(self.house.cells)):
            on = self._on_terms(k)
            if len(on) > 1 and (self.blocks or self.free_blocks):
                self.house.milp.at_most(on, 1.0)
        blocks = {k for tops in self._block_tops() for k in tops}
        for k in blocks - set(self.on):
            powers = [(s.power[k], 1.0 / self.most) for s in self.splits if k in s.power]
            if powers:
                self.house.milp.at_most([*powers, *self._block_terms(k)], 1.0)

    def _block_tops(self) -> list[Mapping[int, float]]:
        return [block.top for block in self.blocks] + [free.top for free in self.free_blocks]

    def _block_terms(self, k: int) -> list[Term]:
        terms: list[Term] = []
        for block in self.blocks:
            terms += [(column, 1.0) for column in block.covering.get(k, ())]
        terms += [(free.on[k], 1.0) for free in self.free_blocks if k in free.on]
        return terms

    def _on_terms(self, k: int) -> list[Term]:
        terms: list[Term] = [(self.on[k], 1.0)] if k in self.on else []
        terms += [(part.on, 1.0) for split in self.splits for part in split.parts(k)]
        return [*terms, *self._block_terms(k)]

    def _switch(self) -> None:
        house, device, milp = self.house, self.device, self.house.milp
        count = len(house.cells)
        state = OnOff([[] for _ in range(count)])
        for k, on in self.on.items():
            state.whole[k].append((on, 1.0))
        for split in self.splits:
            for k, part in split.first.items():
                state.first[k].append(part)
            for k, part in split.last.items():
                state.last[k].append(part)
        for block in self.blocks:
            for k, columns in block.whole.items():
                state.whole[k] += [(column, 1.0) for column in columns]
            for k, shares in block.opening.items():
                state.opening[k] += shares
        for free in self.free_blocks:
            for k, on in free.on.items():
                state.whole[k].append((on, 1.0))
        for k in range(count):
            terms = self._on_terms(k)
            if len(terms) > 1:
                milp.at_most(terms, 1.0)
            if k in self.nobody:
                milp.at_least(1.0, state.whole[k])
        times = Times(
            device.min_on_s,
            device.min_off_s,
            device.running,
            0 if device.running else device.blocked_s,
            complete=True,
        )
        # A free block ends within its last cell: its minimum run is a row of its own.
        edges = self.edges = switching(house, times, state)
        for column in edges.start.values():
            house.pay(column, house.currency(device.start_cost))
        for parts_of_cell in state.last:
            for part in parts_of_cell:
                house.pay(part.on, house.currency(device.start_cost))
        if house.strict and device.start_cost:
            self._needs_starts(state, edges)
        if device.grid_s:
            self._on_grid(edges)
        if not device.incumbent.cost:
            return
        if loud_enough(device.power, device.min_power):
            if not self.free_blocks:
                change_costs(house, device.incumbent, state, edges)
        elif not self.blocks and not self.free_blocks:
            powers = {
                k: [(split.power[k], 1.0) for split in self.splits if k in split.power]
                for k in self.on
            }
            quiet_changes(house, device.power, device.running, device.incumbent, powers)
        # Otherwise changes are left out of the programme, and its bound stays one.

    def _needs_starts(self, state: OnOff, edges: Edges) -> None:
        """What a demand needs takes a start, unless the device may be on all the way from now:
        relaxed starts are worth less than one."""
        for split in self.splits:
            if not split.demand.hard or not split.power:
                continue
            first, last = min(split.power), max(split.power)
            while first and state.at_end(first - 1):
                first -= 1
            if not first and self.device.running:
                continue
            within = range(first, last + 1)
            starts = [edges.start[k] for k in within if k in edges.start]
            starts += [part.on for k in within for part in state.last[k]]
            self.house.milp.at_least(1.0, [(column, 1.0) for column in starts])

    def _on_grid(self, edges: Edges) -> None:
        house, device = self.house, self.device

        def served(k: int, at: int) -> list[Term]:
            """On in cell k for a demand (or nobody) that lets it switch at `at`."""
            if not 0 <= k < len(house.cells):
                return []
            anchors = {split.index for split in self.splits if k in split.power}
            anchors |= {block.index for block in self.blocks if k in block.top}
            anchors |= {free.index for free in self.free_blocks if k in free.top}
            if k in self.nobody:
                anchors.add(0)
            fits = any(device.on_grid(at, i if device.demands else None) for i in anchors)
            return self._on_terms(k) if fits else []

        for k, column in edges.start.items():
            if not served(k, house.starts[k]):
                house.milp.upper[column] = 0.0
        for k, column in edges.stop.items():
            if k and not served(k - 1, house.starts[k]):
                house.milp.upper[column] = 0.0
        if len(device.demands) > 1:
            house.exact = False

    def power_in(self, k: int, values: Sequence[float]) -> float:
        """Of all demands, and of nobody, in whole cell k."""
        power = sum(values[split.power[k]] for split in self.splits if k in split.power)
        return power + (values[self.nobody[k]] if k in self.nobody else 0.0)

    @property
    def relaxes(self) -> bool:
        return self.least > 0 and not self.switched and len(self.opened) < len(self.on)
