"""Days of the week and months as owners write them: a name, a span, a word for some, or a list."""

from collections.abc import Iterable, Mapping, Sequence

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAY_WORDS = {"all": "mon-sun", "weekdays": "mon-fri", "weekend": "sat-sun"}
MONTH_WORDS = {"all": "jan-dec"}


def days_of(value: object) -> frozenset[int]:
    """0 is Monday. Raises ValueError with what is allowed."""
    return _positions(value, DAYS, DAY_WORDS)


def months_of(value: object) -> frozenset[int]:
    """0 is January. Raises ValueError with what is allowed."""
    return _positions(value, MONTHS, MONTH_WORDS)


def _positions(value: object, names: Sequence[str], words: Mapping[str, str]) -> frozenset[int]:
    said: Iterable[object] = value if isinstance(value, list | tuple) else [value]
    out: set[int] = set()
    for entry in said:
        text = str(entry).strip().lower()
        first, _, last = words.get(text, text).partition("-")
        if first not in names or (last or first) not in names:
            allowed = ", ".join((*names, f"{names[0]}-{names[4]}", *words))
            raise ValueError(f"expected one or a list of {allowed}")
        at = names.index(first)
        out.add(at)
        while names[at] != (last or first):
            at = (at + 1) % len(names)
            out.add(at)
    if not out:
        raise ValueError("expected at least one; leave the key out for all")
    return frozenset(out)
