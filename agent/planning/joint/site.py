"""The balance of each cell: import, export, curtailment, limits, directions, capacity charge."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.planning.joint.house import LIMITS, House
from agent.planning.joint.inequalities import below_the_limit, by_direction, uncovered
from agent.planning.joint.milp import Term
from agent.planning.joint.store import StorageDevice

# Flows below this are none, in kW.
SAME_KW = 1e-5


@dataclass(slots=True)
class Flows:
    """Columns by cell. `imports`: 1 where the grid gives; `gives`: a store that may not sell
    discharges; `roof`: one charges that may not from the grid; `cuts`: the roof is curtailed."""

    imported: list[int] = field(default_factory=list)
    exported: list[int] = field(default_factory=list)
    curtailed: list[int] = field(default_factory=list)
    imports: dict[int, int] = field(default_factory=dict)
    gives: dict[int, int] = field(default_factory=dict)
    roof: dict[int, int] = field(default_factory=dict)
    cuts: dict[int, int] = field(default_factory=dict)


class SiteBalance:
    def __init__(self, house: House, stores: Sequence[StorageDevice]) -> None:
        self.house, self.stores = house, stores
        self.flows = Flows()
        # The balance of each cell.
        self.rows: list[int] = []
        self.freely = house.problem.situation.site.pv_curtailable
        for k in range(len(house.cells)):
            self._cell(k)
        self._capacity()

    def _cell(self, k: int) -> None:
        house, milp, flows = self.house, self.house.milp, self.flows
        cell, hours = house.cells[k], house.hours[k]
        roof, surplus = house.kw(cell.pv), house.surplus(k)
        given = {store.give[k]: store.device.export for store in self.stores if k in store.give}
        sold = sum(milp.upper[column] for column, sells in given.items() if sells)
        limit = house.problem.grid.export_limit
        ceiling = float("inf") if limit is None else house.kw(limit)
        most_in = max(0.0, house.most[k] - surplus + (roof if self.freely else 0.0))
        if cell.import_limit is not None and k not in house.forced:
            most_in = min(most_in, house.kw(cell.import_limit))
        most_out = min(ceiling, max(0.0, surplus + sold))
        must_cut = max(0.0, surplus + sold - ceiling)
        most_cut = roof if self.freely else min(roof, must_cut)
        imported = milp.column(0.0, most_in)
        exported = milp.column(0.0, most_out)
        curtailed = milp.column(0.0, most_cut)
        flows.imported.append(imported)
        flows.exported.append(exported)
        flows.curtailed.append(curtailed)
        drawn = [(column, -value) for column, value in house.balance[k]]
        flow = [(imported, 1.0), (exported, -1.0), (curtailed, -1.0)]
        self.rows.append(milp.equal([*flow, *drawn], -surplus))
        house.pay(imported, hours * house.price(cell.choice))
        house.pay(exported, -hours * house.price(cell.export_price))
        uncovered(house, k, [imported, *given])
        self._import_limit(k)
        below_the_limit(house, k, list(given))
        dearer = cell.export_price > cell.choice
        if most_out > 0 and most_in > 0 and (dearer or cell.choice < 0):
            way = flows.imports[k] = house.direction(urgent=dearer)
            milp.at_most([(imported, 1.0), (way, -most_in)], 0.0)
            milp.at_most([(exported, 1.0), (way, most_out)], most_out)
            if dearer:
                alone = not any(given.values()) and not self.freely
                if alone:
                    self._one_way(k, way, list(given))
                freely = curtailed if self.freely else None
                by_direction(house, k, way, imported, freely, given if alone else ())
        self._giving(k, [c for c, sells in given.items() if not sells and milp.upper[c] > 0])
        self._from_roof(k, most_in)
        if not self.freely and most_cut > 0:
            urgent = min(cell.export_price, cell.choice) < 0
            cuts = flows.cuts[k] = house.direction(urgent=urgent)
            milp.at_most([(curtailed, 1.0), (cuts, -most_cut)], 0.0)
            milp.at_least(0.0, [(exported, 1.0), (cuts, -ceiling)])
            milp.at_most([(imported, 1.0), (cuts, most_in)], most_in)

    def _import_limit(self, k: int) -> None:
        house, milp = self.house, self.house.milp
        limit = house.cells[k].import_limit
        if limit is None:
            return
        terms: list[Term] = [
            (self.flows.imported[k], 1.0),
            (self.flows.exported[k], -1.0),
            *house.beyond[k],
        ]
        if k in house.forced:
            above = milp.column(0.0)
            house.aim(LIMITS, above, house.hours[k])
            terms.append((above, -1.0))
        milp.at_most(terms, house.kw(limit))

    def _one_way(self, k: int, way: int, given: list[int]) -> None:
        """Where nothing that is stored may be sold, the direction says too whether a store gives;
        without, no device draws more than the roof leaves."""
        house, milp, surplus = self.house, self.house.milp, max(0.0, self.house.surplus(k))
        giving = [(column, 1.0) for column in given if milp.upper[column] > 0]
        if giving:
            milp.at_most([*giving, (way, -sum(milp.upper[c] for c, _ in giving))], 0.0)
        for draw in house.draws[k]:
            if draw.on is not None and draw.least > surplus:
                milp.at_most([(draw.on, 1.0), (way, -1.0)], 0.0)
            elif draw.least > surplus:
                parts = [(column, -surplus) for column in draw.parts]
                milp.at_most([*draw.power, *parts, (way, -draw.most)], 0.0)

    def _giving(self, k: int, given: list[int]) -> None:
        """Nothing leaves, and nothing is curtailed, while a store gives that may not sell."""
        house, milp, flows = self.house, self.house.milp, self.flows
        out, cut = flows.exported[k], flows.curtailed[k]
        if not given or (milp.upper[out] <= 0 and milp.upper[cut] <= 0):
            return
        urgent = house.cells[k].export_price > house.cells[k].choice
        gives = flows.gives[k] = house.direction(urgent=urgent)
        most = sum(milp.upper[column] for column in given)
        milp.at_most([*((column, 1.0) for column in given), (gives, -most)], 0.0)
        top = milp.upper[out]
        milp.at_most([(out, 1.0), (gives, top)], top)
        if milp.upper[cut] > 0:
            milp.at_most([(cut, 1.0), (gives, milp.upper[cut])], milp.upper[cut])
            selling = any(s.device.export and k in s.give for s in self.stores)
            roof = max(0.0, house.surplus(k))
            if not selling and not self.freely:
                milp.at_most([(out, 1.0), (cut, 1.0), (gives, roof)], roof)

    def _from_roof(self, k: int, most_in: float) -> None:
        """Nothing is imported while a store charges that may not charge from the grid."""
        house, milp = self.house, self.house.milp
        fed = [
            store.charge[k]
            for store in self.stores
            if k in store.charge and not store.device.grid_charge
        ]
        most = sum(milp.upper[column] for column in fed)
        if most <= 0 or most_in <= 0:
            return
        urgent = house.cells[k].choice < 0
        roof = self.flows.roof[k] = house.direction(urgent=urgent)
        milp.at_most([*((column, 1.0) for column in fed), (roof, -most)], 0.0)
        milp.at_most([(self.flows.imported[k], 1.0), (roof, most_in)], most_in)

    def _capacity(self) -> None:
        house, milp, units = self.house, self.house.milp, self.house.problem.units
        charge = house.problem.situation.site.capacity_charge
        if charge is None:
            return
        windows = house.problem.grid.windows
        inside: dict[int, list[Term]] = {}
        for k, cell in enumerate(house.cells):
            if cell.window is not None:
                inside.setdefault(cell.window, []).append(
                    (self.flows.imported[k], cell.length / windows[cell.window].length)
                )
        for later in {windows[index].later for index in inside}:
            given = charge.next_floor_w if later else charge.peak_so_far_w
            floor = house.kw(units.power(given))
            peak = milp.column(floor)
            house.pay(peak, float(charge.per_kw))
            house.constant -= float(charge.per_kw) * floor
            for index, terms in inside.items():
                window = windows[index]
                if window.later == later:
                    before = house.kw(window.imported) / window.length
                    milp.at_most([*terms, (peak, -1.0)], -before)

    def broken(self, values: Sequence[float]) -> set[int]:
        """Directions that these values need and that are still relaxed."""
        return set(self.directions_of(values)) & self.house.directions

    def broken_now(self, values: Sequence[float]) -> bool:
        return bool(self.directions_of(values))

    def directions_of(self, values: Sequence[float], *, every: bool = False) -> dict[int, float]:
        """Directions that these values break, or `every` one, and what their flows are mostly."""
        found: dict[int, float] = {}
        for k in range(len(self.house.cells)):
            self._of_cell(k, values, found, every=every)
        return found

    def _of_cell(
        self, k: int, values: Sequence[float], found: dict[int, float], *, every: bool
    ) -> None:
        flows, milp = self.flows, self.house.milp
        into, out = values[flows.imported[k]], values[flows.exported[k]]
        cut = values[flows.curtailed[k]]

        def both(one: float, other: float) -> bool:
            return every or min(one, other) > SAME_KW

        given = fed = drawn = 0.0
        for store in self.stores:
            if k not in store.give:
                continue
            charged, gave = values[store.charge[k]], values[store.give[k]]
            if k in store.charges and both(charged, gave):
                found[store.charges[k]] = float(charged >= gave)
            given += 0.0 if store.device.export else gave
            fed += 0.0 if store.device.grid_charge else charged
            drawn -= charged - gave
        if k in flows.imports and both(into, out):
            found[flows.imports[k]] = float(into >= out)
        if k in flows.cuts and (every or cut > SAME_KW):
            full = milp.upper[flows.exported[k]]
            if cut <= SAME_KW or into > SAME_KW or out < full - SAME_KW:
                found[flows.cuts[k]] = 0.0
        if k in flows.gives and both(given, out + cut):
            drawn += sum(value * values[column] for column, value in self.house.balance[k])
            found[flows.gives[k]] = float(drawn > self.house.surplus(k))
        if k in flows.roof and both(fed, into):
            found[flows.roof[k]] = float(fed >= into)
