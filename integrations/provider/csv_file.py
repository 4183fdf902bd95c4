"""A CSV file as customer systems and spreadsheets write it: its separator, its header, its rows.

A comma, a semicolon (where the comma is the decimal sign) or a tab separates, or what a first line
`sep=;` says. Empty rows, and columns without a name that are empty, are nothing.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.energy.text import clean_text, decoded
from agent.errors import Fault
from integrations.provider.csv_rows import KINDS, FileKind, Row

SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
TOLD = re.compile(r'"?sep=([^\w\s"]|\t)"?[ \t]*(?:\r\n|\r|\n)', re.IGNORECASE)
# Fewer of a table's columns say nothing about what is meant.
LEAST_SHARE = 0.5
STDIN = Path("-")
# Of what was found, as much as a line of an error holds.
SHOWN = 200


@dataclass(frozen=True, slots=True)
class CsvFile:
    """What table it is for, and its rows, each with where it stands."""

    kind: FileKind
    rows: Sequence[tuple[str, Row]]


def read_csv(path: Path, faults: list[Fault]) -> CsvFile | None:
    """The file (`-`: standard input), None where its header is none; faults go to `faults`."""
    try:
        if path == STDIN:
            path, content = Path("standard input"), sys.stdin.buffer.read()
        else:
            content = path.read_bytes()
        text = decoded(content)
    except OSError as error:
        faults.append(Fault(str(path), error.strerror or "cannot be read"))
        return None
    except ValueError as error:
        faults.append(Fault(str(path), f"{error}: save it as CSV UTF-8"))
        return None
    told = TOLD.match(text)
    skipped = 0 if told is None else 1
    if told is not None:
        text, separator = text[told.end() :], told[1]
    else:
        separator = max(SEPARATORS, key=lambda sign: len(_known(_header(text, sign))))
    header = _header(text, separator)
    kind, wrong = _kind_of(header)
    if kind is None:
        faults.append(Fault(f"{path}, line {skipped + 1}", wrong))
        return None
    return CsvFile(kind, list(_rows(path, text, separator, skipped, faults)))


def _header(text: str, separator: str) -> list[str]:
    """The names in the first line, as they are written in ours; empty where that is no CSV."""
    try:
        row = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error:
        return []
    return _trimmed([name.strip().lower() for name in row])


def _trimmed(cells: list[str], least: int = 0) -> list[str]:
    """Without empty cells at the end, but at least so many."""
    while len(cells) > least and not cells[-1]:
        cells.pop()
    return cells


def _known(header: Sequence[str]) -> set[str]:
    return set(header) & {name for kind in KINDS for name in (*kind.required, *kind.optional)}


def _kind_of(header: Sequence[str]) -> tuple[FileKind | None, str]:
    """The table with these columns; else None and what is wrong with them."""
    found = set(header)

    def share(kind: FileKind) -> float:
        return len(found & set(kind.required)) / len(kind.required)

    kind = max(KINDS, key=share)
    shown = clean_text(", ".join(header), SHOWN) or "nothing"
    if share(kind) < LEAST_SHARE:
        known = "; ".join(f"{kind.name}: {','.join(kind.required)}" for kind in KINDS)
        return None, f"no known header: found {shown}. Expected at least {known}"
    missing = [name for name in kind.required if name not in found]
    unknown = sorted(found - set(kind.required) - set(kind.optional))
    wrong = [f"the column {name} is missing" for name in missing]
    if unknown:
        wrong.append(f"unknown columns for {kind.name}: {clean_text(', '.join(unknown), SHOWN)}")
    wrong += [f"the column {name} stands twice" for name in kind.required if header.count(name) > 1]
    wrong += [f"the column {name} stands twice" for name in kind.optional if header.count(name) > 1]
    if wrong:
        return None, f"{'; '.join(wrong)}. Found {shown}"
    return kind, ""


def _rows(
    path: Path, text: str, separator: str, skipped: int, faults: list[Fault]
) -> Iterator[tuple[str, Row]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] = []
    try:
        for cells in lines:
            where = f"{path}, line {lines.line_num + skipped}"
            row = [cell.strip() for cell in cells]
            if not header:
                header = _trimmed([name.lower() for name in row])
                continue
            if not any(row):
                continue
            row = _trimmed(row, len(header))
            if [cell.lower() for cell in row] == header:
                faults.append(Fault(where, "the header stands here once more"))
            elif len(row) != len(header):
                by = SEPARATORS.get(separator, separator)
                said = f"expected {len(header)} columns, found {len(row)}; {by} separates them"
                faults.append(Fault(where, said))
            else:
                yield where, dict(zip(header, row, strict=True))
    except csv.Error as error:
        faults.append(Fault(f"{path}, line {lines.line_num + skipped}", f"not valid CSV: {error}"))
