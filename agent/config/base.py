"""What all config models share: frozen, unknown keys refused, and the texts for times.

Messages say what is expected, never what was found: who prints them knows which values are secret.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

NUMBER = re.compile(r"\b(int|float|Decimal|Literal)\b")
# How alike a name has to be to be offered: CEST is no EST.
MEANT_ZONE = 0.88
BOOLEAN = re.compile(r"\bbool\b|\b(True|False)\b")


@dataclass(frozen=True, slots=True)
class KeyFault:
    """What a check between several keys finds at one of them.

    `keys` lead there from the section that checks; `value` is shown, None for none.
    """

    keys: tuple[str | int, ...]
    expected: str
    value: str | int | float | None = None


def refuse(faults: Iterable[KeyFault]) -> None:
    """Raises ValidationError with all of them, nothing where there is none."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("between_keys", "{expected}", {"expected": fault.expected}),
            loc=fault.keys,
            input=fault.value,
        )
        for fault in faults
    ]
    if details:
        raise ValidationError.from_exception_data("between keys", details, hide_input=True)


class Section(BaseModel):
    """One section of the file; an empty one is all defaults.

    An unknown key is refused and the known ones are named. `EXAMPLE` is shown to whoever wrote
    something else in its place.
    """

    EXAMPLE: ClassVar[str] = ""

    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(cls._given(value))
        except ValidationError as error:
            details = [cls._explained(item) for item in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(
                cls.__name__, details, hide_input=True
            ) from None

    @classmethod
    def _given(cls, value: Any) -> Any:
        """An empty value means "not given", except where it says something (a day without time)."""
        if not isinstance(value, dict):
            if cls.EXAMPLE and not isinstance(value, Section | None):
                expected = {"expected": f"expected keys of its own, such as {cls.EXAMPLE}"}
                raise PydanticCustomError("no_section", "{expected}", expected)
            return {} if value is None else value
        says = {
            field.alias or name
            for name, field in cls.model_fields.items()
            if type(None) in get_args(field.annotation)
        }
        known = set(cls.keys())
        numbers = {
            field.alias or name
            for name, field in cls.model_fields.items()
            if NUMBER.search(str(field.annotation)) and not BOOLEAN.search(str(field.annotation))
        }
        return {
            # A yes is no 1, whatever pydantic makes of it; a text gets its words for no number.
            key: str(inner).lower() if isinstance(inner, bool) and key in numbers else inner
            for key, inner in value.items()
            if inner is not None or key in says or key not in known
        }

    @classmethod
    def _explained(cls, item: Any) -> InitErrorDetails:
        kind, message = item["type"], item["msg"]
        if kind == "extra_forbidden" and len(item["loc"]) == 1:
            kind, message = "unknown_key", cls._unknown(str(item["loc"][0]))
        return InitErrorDetails(
            type=PydanticCustomError(kind, message), loc=item["loc"], input=item["input"]
        )

    @classmethod
    def _unknown(cls, key: str) -> str:
        near = get_close_matches(key.strip().lower(), cls.keys(), 1)
        meant = f"did you mean {near[0]}? " if near else ""
        return f"unknown key; {meant}allowed: {', '.join(cls.keys())}"

    @classmethod
    def keys(cls) -> list[str]:
        """The keys as they stand in the file."""
        return [field.alias or name for name, field in cls.model_fields.items()]


def clock_time(value: object) -> time:
    """A time of day from its text; in quotes, for plain YAML turns 22:30 into the number 1350."""
    if isinstance(value, time):
        return value
    found = re.fullmatch(r"(\d\d):(\d\d)", value) if isinstance(value, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError('expected a clock time in quotes, "00:00" to "23:59", such as "07:00"')
    return time(int(found[1]), int(found[2]))


def zone_name(value: object) -> str:
    """The IANA zone of that name. Raises ValueError with what was meant, where it is near one."""
    text = value if isinstance(value, str) else ""
    try:
        if text:
            return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        pass
    raise ValueError(f"{_near_zone(text)}expected a time zone such as Europe/Berlin")


def _near_zone(text: str) -> str:
    """By its whole name, or by its city alone."""
    names = {name.lower(): name for name in sorted(available_timezones())}
    cities = {name.rsplit("/", 1)[-1]: name for name in names if "/" in name}
    wanted = text.strip().lower().replace(" ", "_")
    found = get_close_matches(wanted, [*names, *cities], 1, MEANT_ZONE)
    if not found:
        return ""
    return f"did you mean {names.get(found[0]) or names[cities[found[0]]]}? "


def end_time(value: object) -> object:
    """`24:00` as `00:00`, anything else as it came."""
    return "00:00" if value == "24:00" else value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", value):
        raise ValueError(
            "expected at most 32 small letters, digits, - and _, beginning with a letter or digit"
        )
    return value


def _whole_path(example: str) -> AfterValidator:
    def whole(value: Path) -> Path:
        if not value.is_absolute():
            raise ValueError(f"expected a whole path such as {example}, beginning with /")
        return value

    return AfterValidator(whole)


def matching(pattern: str, expected: str) -> AfterValidator:
    """Text of that pattern; whoever writes another is told `expected`, no regular expression."""

    def matched(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(matched)


def certificate_faults(certificate: Path | None, key: Path | None) -> Iterator[KeyFault]:
    """Where one of `certificate_file` and `key_file` is given without the other."""
    given = {"certificate_file": certificate, "key_file": key}
    missing = [name for name, file in given.items() if file is None]
    if len(missing) == 1:
        expected = "is missing; certificate_file and key_file are given together or not at all"
        yield KeyFault((missing[0],), expected)


ClockTime = Annotated[
    time, BeforeValidator(clock_time), PlainSerializer(lambda value: value.strftime("%H:%M"))
]
# Where a span of the day ends; midnight may be written as the end of the day that it ends.
EndTime = Annotated[ClockTime, BeforeValidator(end_time)]
Zone = Annotated[str, BeforeValidator(zone_name)]
# The service begins in another folder than the person who tries it, and nobody expands a tilde.
FolderPath = Annotated[Path, _whole_path("/var/lib/flatpeak-agent")]
CertificatePath = Annotated[Path, _whole_path("/etc/flatpeak-agent/cert.pem")]
KeyPath = Annotated[Path, _whole_path("/etc/flatpeak-agent/key.pem")]
Name = Annotated[str, AfterValidator(_name)]
Watts = Annotated[int, Field(ge=0, le=1_000_000)]
# Not Watts with a second bound: -5 would be told of one of them, 0 of the other.
PositiveWatts = Annotated[int, Field(gt=0, le=1_000_000)]
Percent = Annotated[float, Field(ge=0, le=100)]
