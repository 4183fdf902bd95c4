"""A heat pump with a house, or a tank: one temperature, on or off, comfort, hygiene."""

from collections.abc import Sequence

from agent.planning.devices.thermal import HOUR_S, ScaledThermal, hygiene_reach
from agent.planning.joint.house import Draw, House
from agent.planning.joint.milp import Term
from agent.planning.joint.switching import (
    Edges,
    OnOff,
    Times,
    change_costs,
    loud_enough,
    quiet_changes,
    switching,
)

LEAST_ON_KW = 1e-3
# Floats of a path of temperatures differ by less.
SAME_C = 1e-7


def attainable(
    device: ScaledThermal, ends: Sequence[int]
) -> tuple[list[tuple[float | None, float | None]], float]:
    """Comfort limits at cell ends as far as they can be kept at all, and what that misses at least,
    in degree-hours.

    No plan is warmer than full power from the moment it may go on, and none colder than being off
    once it may. One that misses no more than those must miss is at their temperature where they
    miss something.
    """
    warmest = coldest = device.temperature_c
    missed, start = 0.0, 0
    out: list[tuple[float | None, float | None]] = []
    least_w = device.max_w * device.min_power / device.power
    for cell, end in zip(device.cells, ends, strict=False):
        most = 0.0 if end <= device.blocked_s else device.max_w
        least = least_w if start < device.mandatory_s else 0.0
        warmest = cell.keep * warmest + cell.constant + cell.rise_per_w * most
        coldest = cell.keep * coldest + cell.constant + cell.rise_per_w * least
        low, high = cell.min_c, cell.max_c
        hours = (end - start) / HOUR_S
        if low is not None and warmest < low:
            missed += hours * (low - warmest)
            low = warmest - SAME_C
        if high is not None and coldest > high:
            missed += hours * (coldest - high)
            high = coldest + SAME_C
        out.append((low, high))
        start = end
    return out, missed


class ThermalDevice:
    """`power`, `warmth`: columns by cell, warmth at its end; `on`: where it is on or off.

    `reachable`: whether hygiene is taken to be within reach; `missed`: the column that is 1 where
    it is not reached after all. `columns`, `own_rows`: all that it added by itself; in rows of
    others only its `power` and `on` come.
    """

    def __init__(self, house: House, device: ScaledThermal, *, reachable: bool) -> None:
        self.house, self.device = house, device
        first_column, first_row = house.milp.columns, house.milp.rows
        self.power: dict[int, int] = {}
        self.warmth: dict[int, int] = {}
        self.on: dict[int, int] = {}
        # What temperature follows from, by cell.
        self.rows: list[int] = []
        self.edges: Edges | None = None
        self.missed: int | None = None
        self.hold: dict[int, int] = {}
        self.waived: dict[int, int] = {}
        self.count = len(device.cells)
        self.most, self.least = house.kw(device.power), house.kw(device.min_power)
        old = device.incumbent
        self.switched = bool(
            device.min_on_s
            or device.min_off_s
            or device.start_cost
            or device.mandatory_s
            or device.blocked_s
            or (old.cost and loud_enough(device.power, device.min_power))
        )
        # What a strict programme keeps, and what that misses of comfort at least.
        self.limits, self.uncomfortable = attainable(device, house.ends)
        self._bounds()
        for k in range(self.count):
            self._cell(k)
        if self.switched:
            self._switch()
        if old.cost and not loud_enough(device.power, device.min_power):
            powers = {k: [(column, 1.0)] for k, column in self.power.items()}
            quiet_changes(house, device.power, device.running, old, powers)
        if device.hygiene_by is not None:
            if reachable:
                self._hold()
            else:
                self._peak()
            self._waive()
        for k in range(self.count):
            self._comfort(k)
        self.columns = range(first_column, house.milp.columns)
        self.own_rows = range(first_row, house.milp.rows)

    def _bounds(self) -> None:
        """What temperature is possible at each cell end, with a degree to spare."""
        device = self.device
        low = high = device.temperature_c
        self.lowest: list[float] = []
        self.highest: list[float] = []
        for cell in device.cells:
            low = cell.keep * low + cell.constant
            high = cell.keep * high + cell.constant + cell.rise_per_w * device.max_w
            self.lowest.append(low - 1)
            self.highest.append(high + 1)

    def _cell(self, k: int) -> None:
        house, device, milp = self.house, self.device, self.house.milp
        power = self.power[k] = milp.column(0.0, self.most)
        warmth = self.warmth[k] = milp.column(self.lowest[k], self.highest[k])
        house.balance[k].append((power, 1.0))
        house.most[k] += self.most
        if self.least > 0 or self.switched:
            on = self.on[k] = milp.binary()
            milp.at_most([(power, 1.0), (on, -self.most)], 0.0)
            milp.at_least(0.0, [(power, 1.0), (on, -min(max(self.least, LEAST_ON_KW), self.most))])
            draw = Draw(device.id, [(power, 1.0)], self.least, self.most, on)
            house.draws[k].append(draw)
            if house.starts[k] < device.mandatory_s and device.min_power:
                milp.fix(on, 1.0)
                house.forced.add(k)
        cell = device.cells[k]
        terms: list[Term] = [(warmth, 1.0), (power, -1000 * cell.rise_per_w)]
        if k:
            row = milp.equal([*terms, (self.warmth[k - 1], -cell.keep)], cell.constant)
        else:
            row = milp.equal(terms, cell.constant + cell.keep * device.temperature_c)
        self.rows.append(row)

    def _switch(self) -> None:
        house, device = self.house, self.device
        state = OnOff([[(self.on[k], 1.0)] for k in range(self.count)])
        times = Times(
            device.min_on_s,
            device.min_off_s,
            device.running,
            0 if device.running else device.blocked_s,
            complete=False,
        )
        edges = self.edges = switching(house, times, state)
        for column in edges.start.values():
            house.pay(column, house.currency(device.start_cost))
        if loud_enough(device.power, device.min_power):
            change_costs(house, device.incumbent, state, edges)

    def _hold(self) -> None:
        """`hold[b]`: the hold begins at the end of cell b - 1 (0: now)."""
        house, device, milp = self.house, self.device, self.house.milp
        by, goal = device.hygiene_by or 0, device.hygiene_c
        instants = [0, *house.ends[: self.count]]
        for b, at in enumerate(instants):
            if at + device.hygiene_hold_s <= by and (b or device.temperature_c >= goal):
                self.hold[b] = milp.binary()
        missed = self.missed = milp.column(0.0, 1.0)
        milp.equal([*((c, 1.0) for c in self.hold.values()), (missed, 1.0)], 1.0)
        house.aim("hygiene", missed, 1.0)
        for k in range(self.count):
            # Until the first instant at or after the end of the hold.
            covering = [
                column
                for b, column in self.hold.items()
                if instants[b] <= instants[k + 1]
                and instants[k] < instants[b] + device.hygiene_hold_s
            ]
            if covering:
                rise = self.lowest[k] - goal
                terms = [(self.warmth[k], 1.0), *((c, rise) for c in covering)]
                milp.at_least(self.lowest[k], terms)

    def _peak(self) -> None:
        """Out of reach: within a degree of what full power from now would reach, at one instant."""
        house, device, milp = self.house, self.device, self.house.milp
        ends = house.ends[: self.count]
        goal = hygiene_reach(device, ends) - 1.0
        lacking = milp.column(0.0)
        always = milp.column(1.0, 1.0)
        house.aim("hygiene", always, 1.0)
        house.aim("lift", lacking, 1.0)
        for k, end in enumerate(ends):
            if end <= (device.hygiene_by or 0):
                self.hold[k + 1] = milp.binary()
                low = min(goal, self.lowest[k])
                terms = [(self.warmth[k], 1.0), (lacking, 1.0), (self.hold[k + 1], low - goal)]
                milp.at_least(low, terms)
        milp.equal([(column, 1.0) for column in self.hold.values()], 1.0)

    def _waive(self) -> None:
        """The comfort maximum does not bind in one stretch around the hold."""
        device, milp = self.device, self.house.milp
        if not self.hold:
            return
        for k, cell in enumerate(device.cells):
            if cell.max_c is not None and cell.max_c < self.highest[k]:
                self.waived[k] = milp.binary()
                # Only where it is indeed above the maximum.
                terms = [(self.warmth[k], 1.0), (self.waived[k], self.lowest[k] - cell.max_c)]
                milp.at_least(self.lowest[k], terms)
        for k, waived in self.waived.items():
            following = self.waived.get(k + 1)
            if following is None:
                continue
            begun = [(c, -1.0) for b, c in self.hold.items() if b <= k + 1]
            milp.at_most([(waived, 1.0), (following, -1.0), *begun], 0.0)
            earlier = [(c, 1.0) for b, c in self.hold.items() if b < k + 1]
            milp.at_most([(following, 1.0), (waived, -1.0), *earlier], 1.0)

    def _comfort(self, k: int) -> None:
        house, cell, milp, warmth = (
            self.house,
            self.device.cells[k],
            self.house.milp,
            self.warmth[k],
        )
        waived = self.waived.get(k)
        if house.strict:
            low, high = self.limits[k]
            if low is not None:
                milp.lower[warmth] = max(milp.lower[warmth], low)
            if high is not None and waived is None:
                milp.upper[warmth] = min(milp.upper[warmth], high)
            if high is not None and waived is not None:
                milp.at_most([(warmth, 1.0), (waived, high - self.highest[k])], high)
            return
        hours = house.cells[k].length / HOUR_S
        if cell.min_c is not None:
            cold = milp.column(0.0)
            house.aim("comfort", cold, hours)
            milp.at_least(cell.min_c, [(warmth, 1.0), (cold, 1.0)])
        if cell.max_c is not None:
            hot = milp.column(0.0)
            house.aim("comfort", hot, hours)
            terms: list[Term] = [(warmth, 1.0), (hot, -1.0)]
            if waived is not None:
                terms.append((waived, cell.max_c - self.highest[k]))
            milp.at_most(terms, cell.max_c)
