"""Cells of a row of a CSV file: all that is wrong in one is said at once."""

from collections.abc import Callable, Sequence
from typing import Any


class WrongCell(ValueError):
    """`column` is named beside what was expected; the value may be secret and is not repeated."""

    def __init__(self, column: str, expected: str) -> None:
        self.column = column
        super().__init__(expected)


class WrongRow(ValueError):
    """All that is wrong in a row, in the order of looking."""

    def __init__(self, cells: Sequence[WrongCell]) -> None:
        self.cells = cells
        super().__init__("; ".join(str(cell) for cell in cells))


class Cells:
    """Cells of one row; all of them are looked at before the row is refused."""

    def __init__(self) -> None:
        self._wrong: list[WrongCell] = []

    def read(self, reader: Callable[..., Any], *values: object) -> Any:
        """What `reader` makes of `values`; None where it raises WrongCell, which is kept."""
        try:
            return reader(*values)
        except WrongCell as error:
            self._wrong.append(error)
            return None

    def refuse(self, column: str, expected: str) -> None:
        self._wrong.append(WrongCell(column, expected))

    def finish(self) -> None:
        """Raises WrongRow where a cell was wrong."""
        if self._wrong:
            raise WrongRow(self._wrong)
