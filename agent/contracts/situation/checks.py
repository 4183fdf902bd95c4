"""What the readers of all parts of a Situation share: spans in order, instants, ids, sizes."""

import re
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from agent.contracts.reader import Reader, whole_second
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.situation import PowerSpan
from agent.errors import Fault

T = TypeVar("T")
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# No home has more: a larger document is a mistake, and would be hours of work.
MOST_KWH = 10_000
# Air, water and rooms of a home; what is colder or hotter is no degree Celsius, or a mistake.
COLDEST_C, HOTTEST_C = -100, 200


def at_most(parent: Reader, key: str, most: int) -> None:
    items = parent.raw(key)
    if isinstance(items, list) and len(items) > most:
        parent.fault(key, f"has {len(items)} items; expected {most} at most")


def distinct(parent: Reader, key: str) -> None:
    seen: dict[str, int] = {}
    items = parent.raw(key)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        name = item.get("id") if isinstance(item, dict) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            parent.fault(
                f"{key}[{index}].id", f"is {name!r} like {key}[{seen[name]}]; expected its own id"
            )
        seen.setdefault(name, index)


def read_spans(parent: Reader, key: str, read: Callable[[Reader, int, int], T]) -> list[T]:
    """The spans of one list in time order; an overlap is a fault of the later one."""
    found: list[tuple[datetime, datetime, int | None, T]] = []

    def one(reader: Reader) -> None:
        start, end = reader.instant("start", required=True), reader.instant("end", required=True)
        broken = start is None or end is None
        if start is not None and end is not None and end <= start:
            reader.fault("end", f"is {reader.raw('end')}, not after start {reader.raw('start')}")
            broken = True
        span = read(reader, whole_second(start), whole_second(end))
        reader.close()
        if not broken and start is not None and end is not None:
            found.append((start, end, reader.index, span))

    parent.children(key, one, spans=True)
    found.sort(key=lambda entry: entry[:2])
    for before, after in pairwise(found):
        if after[0] < before[1]:
            parent.faults.append(
                Fault(
                    f"{parent.path_of(key)}[{after[2]}].start",
                    f"begins before {parent.path_of(key)}[{before[2]}] ends; "
                    "expected spans that do not overlap",
                )
            )
    return [entry[3] for entry in found]


def power_span(reader: Reader, start: int, end: int) -> PowerSpan:
    return PowerSpan(start, end, reader.number("power_w", required=True, least=0))


def begins(reader: Reader, key: str) -> int | None:
    when = reader.instant(key)
    return None if when is None else to_unix_ceil(when)


def due(reader: Reader, key: str) -> int | None:
    when = reader.instant(key)
    return None if when is None else to_unix_floor(when)


def past(reader: Reader, key: str, now: datetime | None) -> datetime | None:
    when = reader.instant(key)
    if when is not None and now is not None and when > now:
        reader.fault(key, f"is {reader.raw(key)}, after now; expected a time that has come")
    return when


def identity(reader: Reader) -> str:
    name = reader.text("id", required=True)
    if name is None:
        return ""
    if not ID.fullmatch(name):
        reader.fault("id", f"is {name!r}; expected 1 to 32 of a-z 0-9 _ -, no _ or - first")
    return name
