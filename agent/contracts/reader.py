"""Reading a JSON object field by field, collecting every fault with its dotted path.

A null counts as left out; a key that stands twice is a fault. A fault never stops the reading: a
stand-in value goes on, and the caller looks at the faults at the end.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, TypeVar

from agent.energy.instants import parse_instant, to_unix_ceil
from agent.energy.situation import ZERO
from agent.errors import AgentError, Fault

T = TypeVar("T")

# Smaller steps than this are no price, power or energy; they would only make exact sums slow.
DECIMALS, DIGITS = 30, Context(prec=28)
FINEST = Decimal(1).scaleb(-DECIMALS)
# No home has more of anything, and products of two still fit into 28 digits.
MOST = 1_000_000_000
MOST_SECONDS = 366 * 86_400
# datetime reads more: dates of a week, offsets without a colon, times without seconds.
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# What stands for an item of a list after it was read.
CONSUMED: dict[str, Any] = {}


class Refusal(AgentError):
    """A document that was not accepted; holds every fault."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


class Repeating(dict[str, Any]):
    """A JSON object with keys that stand more than once, `repeated`; the last of each counts."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counted = Counter(key for key, _ in pairs)
        self.repeated = [key for key, count in counted.items() if count > 1]


def decoded_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `object_pairs_hook`: no key that stands twice is lost without a word."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeating(pairs)


def _instant(text: str) -> datetime:
    if not RFC_3339.fullmatch(text):
        raise ValueError(f"{text!r} is not as in RFC 3339")
    return parse_instant(text)


# In a list of spans the end of one is mostly the start of the next: one object for both.
_parsed = lru_cache(maxsize=16)(_instant)
_whole_second = lru_cache(maxsize=16)(to_unix_ceil)


def whole_second(when: datetime | None) -> int:
    return 0 if when is None else _whole_second(when)


def shown(value: object) -> str:
    """A found value as it stands in a message, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = str(value) if isinstance(value, (int, float, Decimal)) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


class Reader:
    """`index`: its place in the list at `path`. `consumes`: spans go when they are read, as they
    may be most of a document."""

    def __init__(
        self,
        document: dict[str, Any],
        path: str,
        faults: list[Fault],
        *,
        index: int | None = None,
        consumes: bool = False,
    ) -> None:
        self._path, self.index = path, index
        self.faults = faults
        self._consumes = consumes
        self._document = document
        self._known: set[str] = set()
        self._instants: dict[str, datetime | None] = {}
        self._sound: set[str] = set()

    @property
    def path(self) -> str:
        return self._path if self.index is None else f"{self._path}[{self.index}]"

    def path_of(self, key: str) -> str:
        path = self.path
        return f"{path}.{key}" if path else key

    def fault(self, key: str, message: str) -> None:
        self.faults.append(Fault(self.path_of(key), message))

    def raw(self, key: str) -> Any:
        return self._document.get(key)

    def is_number(self, key: str) -> bool:
        """Whether `number` has accepted this field."""
        return key in self._sound

    def close(self) -> None:
        """Every key that nobody asked for is unknown, and one that stands twice is a fault."""
        if isinstance(self._document, Repeating):
            named = {fault.path for fault in self.faults}
            for key in self._document.repeated:
                if self.path_of(key) not in named:
                    self.fault(key, "stands there more than once; expected it once")
        for key in self._document:
            if key not in self._known:
                self.fault(
                    key, f"is unknown here; expected one of {', '.join(sorted(self._known))}"
                )

    def _take(self, key: str, required: bool, expected: str) -> Any:
        self._known.add(key)
        value = self._document.get(key)
        if value is None and required:
            self.fault(key, f"is missing; expected {expected}")
        return value

    def optional_number(
        self, key: str, *, least: int | None = None, most: int | None = None
    ) -> Decimal | None:
        return self._number(key, None, False, least, most)

    def number(
        self,
        key: str,
        default: Decimal = ZERO,
        *,
        required: bool = False,
        least: int | None = None,
        most: int | None = None,
    ) -> Decimal:
        value = self._number(key, default, required, least, most)
        return default if value is None else value

    def _number(
        self, key: str, default: Decimal | None, required: bool, least: int | None, most: int | None
    ) -> Decimal | None:
        limits = "" if least is None else f" of at least {least}"
        limits += "" if most is None else f" and at most {most}"
        value = self._take(key, required, f"a number{limits}")
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            self.fault(key, f"is {shown(value)}; expected a number{limits}")
            return default
        number = value if isinstance(value, Decimal) else Decimal(str(value))
        if not number.is_finite() or math.isinf(_as_float(number)):
            self.fault(key, f"is {shown(value)}; expected a finite number{limits}")
            return default
        if abs(number) > MOST:
            bound = f" from -{MOST:,} to {MOST:,}" if most is None else limits
            self.fault(key, f"is {shown(value)}; expected a number{bound}")
            return default
        if (least is not None and number < least) or (most is not None and number > most):
            self.fault(key, f"is {shown(value)}; expected a number{limits}")
            return default
        self._sound.add(key)
        return _without_dust(number)

    def seconds(self, key: str, default: int = 0, *, required: bool = False, least: int = 0) -> int:
        """Whole seconds; a fraction counts as the next whole second."""
        value = self.number(
            key, Decimal(default), required=required, least=least, most=MOST_SECONDS
        )
        return math.ceil(value)

    def integer(self, key: str) -> int:
        value = self.number(key)
        if value != value.to_integral_value():
            self.fault(key, f"is {value}; expected a whole number")
        return int(value)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._take(key, False, "true or false")
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fault(key, f"is {shown(value)}; expected true or false")
            return default
        return value

    def text(self, key: str, *, required: bool = False) -> str | None:
        value = self._take(key, required, "a text")
        if value is not None and not isinstance(value, str):
            self.fault(key, f"is {shown(value)}; expected a text")
            return None
        return value

    def literal(self, key: str, choices: Sequence[str], default: str | None = None) -> str | None:
        expected = " or ".join(choices)
        value = self._take(key, default is None, expected)
        if value is None:
            return default
        if value not in choices:
            self.fault(key, f"is {shown(value)}; expected {expected}")
            return default
        return str(value)

    def instant(self, key: str, *, required: bool = False) -> datetime | None:
        """Aware UTC; asked again, the same answer without a second fault."""
        if key in self._instants:
            return self._instants[key]
        when = None
        value = self._take(key, required, "a time such as 2026-01-16T10:00:00Z")
        if value is not None:
            try:
                when = _parsed(value) if isinstance(value, str) else _instant("")
            except (ValueError, OverflowError):
                self.fault(key, f"is {shown(value)}; expected a time such as 2026-01-16T10:00:00Z")
        self._instants[key] = when
        return when

    def child(self, key: str, read: Callable[["Reader"], T]) -> T | None:
        value = self._take(key, False, "an object")
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(key, f"is {shown(value)}; expected an object")
            return None
        return read(Reader(value, self.path_of(key), self.faults, consumes=self._consumes))

    def children(
        self,
        key: str,
        read: Callable[["Reader"], T],
        *,
        required: bool = False,
        spans: bool = False,
    ) -> list[T]:
        """`spans`: nobody asks for the items of the list again, of which there may be many."""
        value = self._take(key, required, "a list")
        if value is None:
            return []
        if not isinstance(value, list):
            self.fault(key, f"is {shown(value)}; expected a list")
            return []
        out = []
        base = self.path_of(key)
        for index, item in enumerate(value):
            if isinstance(item, dict):
                reader = Reader(item, base, self.faults, index=index, consumes=self._consumes)
                out.append(read(reader))
                if spans and self._consumes:
                    value[index] = CONSUMED
            else:
                self.fault(f"{key}[{index}]", f"is {shown(item)}; expected an object")
        return out

    def points(self, key: str) -> tuple[tuple[Decimal, Decimal], ...]:
        """A curve as a list of pairs, sorted by the first number; a plain number is flat."""
        expected = "a number or a list of pairs of numbers such as [[-7, 2.2], [7, 3.6]]"
        value = self._take(key, False, expected)
        if value is None:
            return ()
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            height = self.number(key, least=0)
            if height == 0 and self.is_number(key):
                self.fault(key, "is 0; expected more than 0")
            return ((Decimal(0), height),)
        out: list[tuple[Decimal, Decimal]] = []
        for index, pair in enumerate(value if isinstance(value, list) else [None]):
            if not isinstance(pair, list) or len(pair) != 2:
                where = f"{key}[{index}]" if isinstance(value, list) else key
                self.fault(
                    where, f"is {shown(pair if value is None else value)}; expected {expected}"
                )
                continue
            reader = Reader(
                {"0": pair[0], "1": pair[1]}, f"{self.path}.{key}[{index}]", self.faults
            )
            at, height = (
                reader.number("0", required=True),
                reader.number("1", required=True, least=0),
            )
            if height == 0 and reader.is_number("1"):
                reader.fault("1", "is 0; expected more than 0")
            if any(at == other for other, _ in out) and reader.is_number("0"):
                reader.fault("0", f"is {at} like a pair before it; expected its own")
            out.append((at, height))
        return tuple(sorted(out))


def _without_dust(number: Decimal) -> Decimal:
    """The number to 28 digits and 30 decimals: what is beyond is no size of anything."""
    number = DIGITS.plus(number)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DECIMALS:
        # At most 28 digits, of which at least one is dropped: the rest fits.
        return number.quantize(FINEST, context=DIGITS)
    return number


def _as_float(number: Decimal) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf
