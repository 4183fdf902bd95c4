"""HiGHS behind three calls: tell it what is new, set what is minimised, solve.

The only file that knows highspy; it is imported in the solver's process and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import highspy
import numpy as np

from agent.planning.joint.milp import INF, Milp

# Probing and enumeration, two steps of presolve that look at no clock and took whole seconds where
# on and off have minimum times (bits 15 and 16 of HiGHS' list of rules).
SLOW_PRESOLVE = 1 << 15 | 1 << 16
DUAL_SIMPLEX, PRIMAL_SIMPLEX = 1, 4
# Within this a whole number counts as whole, in HiGHS too.
WHOLE = 1e-6


@dataclass(frozen=True, slots=True)
class Solution:
    """`values` by column, None where nothing feasible was found in time.

    `bound`: proved that no solution is below it (-inf: nothing proved, inf: there is none).
    `duals` of the rows and `reduced` costs of the columns come with programmes without whole
    numbers.
    """

    values: Sequence[float] | None
    objective: float
    bound: float
    duals: Sequence[float] = ()
    reduced: Sequence[float] = ()

    @property
    def impossible(self) -> bool:
        return self.bound == INF


class Highs:
    """One programme in HiGHS, kept warm between solves. One thread."""

    def __init__(self, milp: Milp) -> None:
        self.milp = milp
        self._columns = self._rows = 0
        self._whole: set[int] = set()
        # What HiGHS was told last.
        self._lower = self._upper = self._costs = np.zeros(0)
        self._highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # has no annotations
        for option, value in (
            ("output_flag", False),
            ("threads", 1),
            ("mip_feasibility_tolerance", WHOLE),
            ("primal_feasibility_tolerance", 1e-7),
            ("random_seed", 0),
            ("presolve_rule_off", SLOW_PRESOLVE),
        ):
            self._highs.setOptionValue(option, value)

    def solve(
        self,
        cost: Mapping[int, float],
        seconds: float,
        *,
        relaxed: bool = False,
        gap: float = 1e-7,
        absolute: float = 1e-7,
        start: Mapping[int, float] | None = None,
    ) -> Solution:
        """Least cost. `relaxed`: without whole numbers; `start`: values of some columns to try."""
        if seconds <= 0 and self.milp.whole and not relaxed:
            # Presolve alone would take longer than what is kept back for what follows.
            return Solution(None, INF, -INF)
        highs = self._highs
        only_more_columns = self._tell(relaxed)
        count = self.milp.columns
        costs = np.zeros(count)
        for column, value in cost.items():
            costs[column] = value
        if not np.array_equal(costs, self._costs):
            highs.changeColsCost(count, np.arange(count, dtype=np.int32), costs)
            self._costs = costs
        whole = bool(self._whole) and not relaxed
        # With more columns the last solution stays feasible, with other bounds its prices do.
        strategy = PRIMAL_SIMPLEX if only_more_columns and not whole else DUAL_SIMPLEX
        highs.setOptionValue("simplex_strategy", strategy)
        # Presolve takes longer than what it saves where nothing is searched.
        highs.setOptionValue("presolve", "choose" if whole else "off")
        # Programmes with whole numbers count from this run, others from the first.
        spent = 0.0 if whole else highs.getRunTime()
        limit = spent + max(0.01, seconds)
        highs.setOptionValue("time_limit", limit if isfinite(seconds) else INF)
        highs.setOptionValue("mip_rel_gap", gap)
        highs.setOptionValue("mip_abs_gap", absolute)
        if start and whole:
            columns = np.fromiter(start, dtype=np.int32)
            highs.setSolution(len(start), columns, np.fromiter(start.values(), dtype=float))
        highs.run()
        found = self._found(costs, whole)
        suspicious = start and whole and highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
        if suspicious and found.bound < found.objective - 10 * (absolute + gap * abs(found.bound)):
            # A start that presolve leaves nothing of may come back as the optimum.
            highs.clearSolver()
            return self.solve(cost, seconds, gap=gap, absolute=absolute)
        return found

    def _found(
        self, costs: "np.ndarray[tuple[int], np.dtype[np.float64]]", whole: bool
    ) -> Solution:
        highs, status = self._highs, self._highs.getModelStatus()
        infeasible = highspy.HighsModelStatus.kInfeasible
        if status in (infeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
            return Solution(None, INF, INF if status == infeasible else -INF)
        info, solution = highs.getInfo(), highs.getSolution()
        optimal = status == highspy.HighsModelStatus.kOptimal
        values = None
        objective = INF
        if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
            values = np.array(solution.col_value)
            objective = float(costs @ values)
        if whole:
            # An empty programme after presolve has no dual bound of its own.
            bound = info.mip_dual_bound
            if optimal and bound == 0.0 and abs(objective) > 1e-9:
                bound = info.objective_function_value
            listed = None if values is None else values.tolist()
            return Solution(listed, objective, bound if isfinite(bound) else -INF)
        if not optimal or values is None:
            return Solution(None, INF, -INF)
        return Solution(values.tolist(), objective, objective, solution.row_dual, solution.col_dual)

    def _tell(self, relaxed: bool) -> bool:
        """What is new since the last time: columns, rows, bounds, whole numbers. Whether that is
        columns alone."""
        highs, milp = self._highs, self.milp
        known = self._columns
        # Entered columns need their rows, other rows need their columns.
        plain = min(milp.entered, default=milp.columns)
        self._add_columns(max(known, plain))
        lower, upper = np.array(milp.lower[:known]), np.array(milp.upper[:known])
        moved = np.flatnonzero((lower != self._lower) | (upper != self._upper)).astype(np.int32)
        if len(moved):
            highs.changeColsBounds(len(moved), moved, lower[moved], upper[moved])
        more = milp.rows - self._rows
        only_columns = bool(known) and not len(moved) and not more
        if more:
            at = self._rows
            first = milp.row_begin[at]
            begins = np.array(milp.row_begin[at:-1], dtype=np.int32) - first
            highs.addRows(
                *(more, np.array(milp.row_lower[at:]), np.array(milp.row_upper[at:])),
                *(len(milp.row_columns) - first, begins),
                np.array(milp.row_columns[first:], dtype=np.int32),
                np.array(milp.row_values[first:]),
            )
            self._rows = milp.rows
        self._add_columns(milp.columns)
        self._lower, self._upper = np.array(milp.lower), np.array(milp.upper)
        if relaxed:
            if self._whole:
                self._set_whole(self._whole, highspy.HighsVarType.kContinuous)
                self._whole = set()
        elif milp.whole - self._whole:
            self._set_whole(milp.whole - self._whole, highspy.HighsVarType.kInteger)
            self._whole = set(milp.whole)
        return only_columns and milp.columns > known

    def _add_columns(self, end: int) -> None:
        milp, known = self.milp, self._columns
        fresh = end - known
        if fresh <= 0:
            return
        entries = [milp.entered.get(column, ((), ())) for column in range(known, end)]
        rows = [row for own, _ in entries for row in own]
        values = [value for _, own in entries for value in own]
        begins = np.cumsum([0, *(len(own) for own, _ in entries[:-1])])
        self._highs.addCols(
            *(fresh, np.zeros(fresh), np.array(milp.lower[known:end])),
            *(np.array(milp.upper[known:end]), len(rows), begins.astype(np.int32)),
            *(np.array(rows, dtype=np.int32), np.array(values, dtype=np.float64)),
        )
        self._columns = end

    def _set_whole(self, columns: set[int], kind: highspy.HighsVarType) -> None:
        which = np.array(sorted(columns), dtype=np.int32)
        self._highs.changeColsIntegrality(len(which), which, np.array([kind] * len(which)))
