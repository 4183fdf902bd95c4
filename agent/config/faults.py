"""What the models refuse, in the owner's words: dotted key, what was found, what would be right."""

import re
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from agent.config.units import in_unit, with_point
from agent.errors import Fault

SECRET_KEYS = {"api_key", "client_secret", "password", "token"}
SHOWN_CHARACTERS = 60
# How alike a name has to be to be offered: "toaster" is no meter.
MEANT = 0.75
NO_LIST = 'expected a list: each entry begins with "- "'
NO_DATE = "expected a date such as 2026-12-25"
MESSAGES = {
    "tuple_type": NO_LIST,
    "too_short": "expected a list with at least one entry",
    "int_parsing": "expected a whole number, without a unit",
    "int_from_float": "expected a whole number",
    "int_type": "expected a whole number",
    "float_parsing": "expected a number such as 2.5, without a unit",
    "float_type": "expected a number such as 2.5",
    "decimal_parsing": "expected a number such as 0.25, without a unit",
    "decimal_type": "expected a number such as 0.25",
    "string_type": 'expected text; numbers that are meant as text stand in quotes, "7"',
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "model_type": "expected a section with keys of its own",
    "model_attributes_type": "expected a section with keys of its own",
    "dict_type": "expected a section with keys of its own",
    "invalid_key": "a key is text; a decimal number has a point, 22.5, and no comma",
    "date_type": NO_DATE,
    "date_parsing": NO_DATE,
    "date_from_datetime_parsing": NO_DATE,
    "date_from_datetime_inexact": NO_DATE,
}
# pydantic's words for a bound.
WORDS = (
    ("Value error, ", ""),
    ("Input should be ", "expected "),
    ("String should have ", "expected "),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
    ("greater than", "more than"),
)
# Faults of which the key's unit may be the reason.
OF_NUMBERS = {
    "int_parsing",
    "int_from_float",
    "float_parsing",
    "decimal_parsing",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
}
UNREAD_NUMBERS = {"int_parsing", "float_parsing", "decimal_parsing"}
# Sections of which there are several kinds, and the place where pydantic names the one chosen.
CHOICES = {"tariff": 1, "devices": 2}


def faults_of(error: ValidationError) -> Sequence[Fault]:
    """Every fault once, in the order of the models."""
    items = error.errors(include_url=False)
    # A list whose entries are faulty is called too short as well.
    return [
        _fault(item)
        for item in items
        if item["type"] != "too_short" or not any(_below(other, item) for other in items)
    ]


def _below(item: Any, above: Any) -> bool:
    place = above["loc"]
    return len(item["loc"]) > len(place) and item["loc"][: len(place)] == place


def _fault(item: Any) -> Fault:
    path, kind, message = _dotted(item["loc"]), item["type"], str(item["msg"])
    if kind == "missing":
        return Fault(path, "is missing")
    if kind == "unknown_key":
        return Fault(path, message)
    if key := kind.removesuffix("_unknown") if kind.endswith("_unknown") else "":
        return _unknown_choice(f"{path}.{key}", key, item["input"], message)
    least = re.findall(r"at least (\d+)", message)
    for theirs, ours in WORDS:
        message = message.replace(theirs, ours)
    message = MESSAGES.get(kind, message)
    if kind == "too_short" and isinstance(item["input"], str):
        # A secret; of a plain text the library says it itself.
        message = f"expected at least {least[0]} characters" if least else "expected a longer text"
    unit = in_unit(path.rsplit(".", 1)[-1], item["input"]) if kind in OF_NUMBERS else ""
    # Of 3,7 where W are whole its unit says more.
    takes_fractions = kind in UNREAD_NUMBERS and kind != "int_parsing"
    if takes_fractions and ":" not in unit and (point := with_point(item["input"])):
        message = f"{message}; a decimal number has a point: {point}"
    if unit:
        message = f"{message}; {unit}"
    shown = _shown(path, item["input"])
    return Fault(path, f"is {shown}; {message}" if shown else message)


def _unknown_choice(path: str, key: str, section: object, expected: str) -> Fault:
    if not isinstance(section, dict):
        return Fault(path.removesuffix(f".{key}"), MESSAGES["model_type"])
    value = section.get(key)
    if value is None:
        return Fault(path, f"is missing; {expected}")
    names = re.split(", | or ", expected.removeprefix("expected "))
    near = get_close_matches(str(value).strip().lower(), names, 1, MEANT)
    meant = f"did you mean {near[0]}? " if near else ""
    return Fault(path, f"is {_shown(path, value) or 'a section'}; {meant}{expected}")


def _shown(path: str, value: object) -> str:
    """The value as the owner wrote it; nothing where it is a section, or may hold a secret."""
    if "." not in path or path.rsplit(".", 1)[-1] in SECRET_KEYS:
        return ""
    if not isinstance(value, str | int | float | bool | date) or "@" in str(value):
        return ""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _dotted(location: Sequence[str | int]) -> str:
    out = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            out += f"[{part}]"
        # The member of a union that pydantic chose, and its mark of a key, are not in the file.
        elif index == CHOICES.get(str(location[0])) or part == "[key]":
            continue
        elif index == 4 and location[3] == "adapter":
            # An adapter is one of several too.
            continue
        else:
            # A no-break space, as it comes along from a web page, is shown.
            name = part if part.isprintable() else repr(part)
            out += f".{name}" if out else name
    return out
