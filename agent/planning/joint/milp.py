"""A mixed-integer linear programme while it grows: columns, rows, and which columns are whole."""

from collections.abc import Iterable

INF = float("inf")

# (column, coefficient); a column may come several times.
Term = tuple[int, float]


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
        """lower <= sum of the terms <= upper; the index of the row."""
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

    def forget_rows(self, count: int) -> None:
        """Keeps the first `count` rows; only for rows that no solver but a passing one was told."""
        del self.row_lower[count:], self.row_upper[count:], self.row_begin[count + 1 :]
        del self.row_columns[self.row_begin[-1] :], self.row_values[self.row_begin[-1] :]

    def fix(self, column: int, value: float) -> None:
        self.lower[column] = self.upper[column] = value
