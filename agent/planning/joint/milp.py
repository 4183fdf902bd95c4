"""A mixed-integer linear programme while it grows: columns, rows, and which columns are whole."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

INF = float("inf")

# Entries of all rows: three times what a home of two cars, battery, pump and tank has for two days.
# What has more takes a hundred megabytes and is not solved in the time that a plan has.
MOST_ENTRIES = 100_000

# (column, coefficient); a column may come several times.
Term = tuple[int, float]


class TooLarge(Exception):
    """A programme with more than `MOST_ENTRIES`."""


class Milp:
    """Columns and rows are only ever added, so that a solver can be told what is new.

    `whole`: columns that take whole numbers. What is minimised is given when it is solved.
    """

    def __init__(self) -> None:
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.whole: set[int] = set()
        self.row_lower: list[float] = []
        self.row_upper: list[float] = []
        # Row i has the entries row_begin[i] to row_begin[i + 1].
        self.row_begin: list[int] = [0]
        self.row_columns: list[int] = []
        self.row_values: list[float] = []
        # Entries of later columns in rows that were there before them.
        self.entered: dict[int, tuple[Sequence[int], Sequence[float]]] = {}

    @property
    def columns(self) -> int:
        return len(self.lower)

    @property
    def rows(self) -> int:
        return len(self.row_lower)

    def column(self, lower: float = 0.0, upper: float = INF) -> int:
        self.lower.append(lower)
        self.upper.append(upper)
        return len(self.lower) - 1

    def binary(self) -> int:
        column = self.column(0.0, 1.0)
        self.whole.add(column)
        return column

    def row(self, lower: float, terms: Iterable[Term], upper: float) -> int:
        """lower <= sum of the terms <= upper; the index of the row. Raises TooLarge."""
        if len(self.row_columns) > MOST_ENTRIES:
            raise TooLarge
        summed: dict[int, float] = {}
        for column, value in terms:
            summed[column] = summed.get(column, 0.0) + value
        self.row_columns.extend(summed)
        self.row_values.extend(summed.values())
        self.row_begin.append(len(self.row_columns))
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        return self.rows - 1

    def at_most(self, terms: Iterable[Term], upper: float) -> None:
        self.row(-INF, terms, upper)

    def at_least(self, lower: float, terms: Iterable[Term]) -> None:
        self.row(lower, terms, INF)

    def equal(self, terms: Iterable[Term], value: float) -> int:
        return self.row(value, terms, value)

    def enter(self, column: int, rows: Sequence[int], values: Sequence[float]) -> None:
        """Puts a column that no solver was told yet into rows that are there; no column without
        such entries may follow."""
        self.entered[column] = (rows, values)

    def without(
        self, columns: Iterable[range], rows: Iterable[range]
    ) -> tuple["Milp", npt.NDArray[np.int64]]:
        """A copy without these rows and with these columns at 0, nothing whole; and by row of this
        one its place in the copy (-1: gone)."""
        out = Milp()
        out.lower, out.upper = list(self.lower), list(self.upper)
        gone = np.zeros(self.columns, dtype=bool)
        for span in columns:
            gone[span.start : span.stop] = True
            out.lower[span.start : span.stop] = [0.0] * len(span)
            out.upper[span.start : span.stop] = [0.0] * len(span)
        kept = np.ones(self.rows, dtype=bool)
        for span in rows:
            kept[span.start : span.stop] = False
        counts = np.diff(np.array(self.row_begin))
        entries = np.array(self.row_columns, dtype=np.int64)
        stays = np.repeat(kept, counts) & ~gone[entries]
        out.row_columns = entries[stays].tolist()
        out.row_values = np.array(self.row_values)[stays].tolist()
        owners = np.repeat(np.arange(self.rows), counts)[stays]
        sizes = np.bincount(owners, minlength=self.rows)[kept]
        out.row_begin = [0, *np.cumsum(sizes).tolist()]
        out.row_lower = np.array(self.row_lower)[kept].tolist()
        out.row_upper = np.array(self.row_upper)[kept].tolist()
        place = np.full(self.rows, -1, dtype=np.int64)
        place[kept] = np.arange(int(kept.sum()))
        return out, place

    def fix(self, column: int, value: float) -> None:
        self.lower[column] = self.upper[column] = value
