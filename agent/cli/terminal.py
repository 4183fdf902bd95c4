"""What the terminal can show: its size, and which signs."""

import shutil
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Signs:
    """`bars` from nothing to high; `part` of a column on, `gives`: power comes out."""

    bars: str
    on: str
    off: str
    cut: str
    degrees: str
    part: str
    gives: str


SIGNS = Signs(" ▁▂▃▄▅▆▇█", "█", "·", "…", "°C", "▒", "▼")
ASCII_SIGNS = Signs(" _.-=+*%#", "#", ".", ">", "C", "+", "v")


def signs_for(out: TextIO) -> Signs:
    """Those that its encoding has."""
    try:
        (SIGNS.bars + SIGNS.off + SIGNS.cut + SIGNS.part + SIGNS.gives).encode(
            out.encoding or "ascii"
        )
    except (UnicodeEncodeError, LookupError):
        return ASCII_SIGNS
    return SIGNS


def fit(lines: list[str], signs: Signs) -> list[str]:
    """As much of the lines, from the first, as the terminal has room for."""
    columns, rows = shutil.get_terminal_size()
    return [
        line if len(line) <= columns else line[: columns - 1] + signs.cut
        for line in lines[: max(1, rows - 1)]
    ]
