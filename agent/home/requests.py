"""Requests of the owner: what is asked, what is refused, and the wish that comes of it. Pure.

The words are those of the wire contract's section 4. A refusal changes nothing.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agent.contracts.explain import explain
from agent.contracts.text import read_member
from agent.contracts.wire import Request
from agent.energy.instants import format_instant, parse_instant
from agent.energy.localtime import next_local_instant
from agent.energy.sentences import Sentence, sentence
from agent.errors import Refused
from agent.home.wishes import (
    COMFORT_END,
    COMFORT_KEYS,
    MODE_END,
    MODE_KEYS,
    ONCE_END,
    READY_BY,
    VALUE_KEYS,
    ModeWish,
    Reckoned,
    Wish,
)

MAX_REQUEST_BYTES = 4096
# An id is looked for in a request that is too long, too, but not in every one.
MAX_SEARCHED_BYTES = 16_384
LONGEST_MODE = timedelta(hours=24)
LONGEST_READY_BY = timedelta(days=7)
LONGEST_COMFORT = timedelta(days=31)
MAX_ID_LENGTH = 64
# Within every span that a request may name.
SOON = timedelta(hours=8)
COMMON_KEYS = frozenset({"id", "keep", "reset"})
# What a value brings along: cleared together with it.
COMPANIONS = {
    "energy_kwh": ("energy_kwh", "counter_start_kwh"),
    "hours": ("hours", "counter_start_kwh"),
    "ready_by": ("ready_by", "ready_by_clock"),
}


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a request is judged by. `has_stays`: the device comes and goes; `plugged`: it is there.

    `keys` are those the device knows, `counter_kwh` what its session has taken, `running`: a
    program that says that it runs.
    """

    device: str
    kind: str
    keys: frozenset[str]
    now: datetime
    zone: ZoneInfo
    soc_percent: float | None = None
    counter_kwh: float = 0.0
    has_stays: bool = False
    plugged: bool = True
    running: bool = False


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of a request: the wish that holds now, a SoC that the owner stated."""

    wish: Wish
    stated_soc_percent: float | None = None


def check_length(payload: bytes) -> None:
    """Raises Refused where it is longer than a request may be."""
    if len(payload) > MAX_REQUEST_BYTES:
        raise Refused(
            sentence(
                "{bytes} bytes; a request has at most {most}",
                bytes=len(payload),
                most=MAX_REQUEST_BYTES,
            )
        )


def read_request(payload: bytes) -> Request:
    """Raises Refused with the key, what was found and what would be right."""
    check_length(payload)
    try:
        return Request.model_validate_json(payload)
    except ValidationError as error:
        raise Refused(explain(error, "request")) from error


def echoed_id(payload: bytes) -> str | None:
    """The id of a request where it may stand in the answer; nobody waits for megabytes."""
    return printable_id(read_member(payload, "id")) if len(payload) <= MAX_SEARCHED_BYTES else None


def printable_id(found: object) -> str | None:
    """An id that may stand in an answer."""
    fits = isinstance(found, str) and len(found) <= MAX_ID_LENGTH and found.isprintable()
    return found if isinstance(found, str) and fits else None


def apply_request(request: Request, wish: Wish, context: RequestContext) -> RequestResult:
    """The wish after a request. Raises Refused; then the old wish holds unchanged."""
    given = request.model_fields_set - {"id", "keep"}
    if not given:
        raise Refused(
            sentence("asks for nothing; give mode, target_soc_percent, ready_by, start …")
        )
    allowed = context.keys | COMMON_KEYS
    if wrong := sorted(request.model_fields_set - allowed):
        known = ", ".join(sorted(allowed))
        raise Refused(
            sentence(
                "{key}: {device} ({kind}) does not know it; it takes {known}",
                key=wrong[0],
                device=context.device,
                kind=context.kind,
                known=known,
            )
        )
    if request.start and context.running:
        raise Refused(
            sentence(
                "start: {device} is running; ask again when it has ended", device=context.device
            )
        )
    now = context.now
    out = dataclasses.replace(wish, id=printable_id(request.id), asked_at=now)
    if request.reset:
        out = Wish(loaded_at=out.loaded_at, asked_at=now, id=out.id)
    changes = _values(request, context)
    ends: dict[str, Reckoned | None] = {}
    # An end without a mode is that of what is asked of comfort.
    ends_comfort = bool(COMFORT_KEYS & changes.keys()) and "mode" not in given
    if given & MODE_KEYS and not ends_comfort:
        out = dataclasses.replace(out, mode=_mode(request, context))
        ends[MODE_END] = _reckoned(request.until, now)
    if COMFORT_KEYS & changes.keys():
        changes |= _comfort_end(request, context, of_mode=not ends_comfort)
        ends[COMFORT_END] = _reckoned(request.until if ends_comfort else None, now)
    if request.ready_by is not None:
        ends[READY_BY] = _reckoned(request.ready_by, now)
    cleared = [
        part
        for key in VALUE_KEYS
        if key in given and getattr(request, key) is None
        for part in COMPANIONS.get(key, (key,))
    ]
    if changes or cleared:
        nothing = dict.fromkeys([*cleared, *changes])
        once = dataclasses.replace(out.once, **nothing)
        kept = dataclasses.replace(out.kept, **dict.fromkeys(cleared))
        if request.keep:
            kept = dataclasses.replace(kept, **changes)
        else:
            once = dataclasses.replace(once, **changes)
        if once.comfort_min_c is None and once.comfort_max_c is None:
            once = dataclasses.replace(once, comfort_until=None)
        out = dataclasses.replace(out, once=once, kept=kept)
    if request.start is not None:
        out = dataclasses.replace(out, loaded_at=now if request.start else None)
    lasting = "start" in context.keys or context.has_stays
    once_ends = changes.keys() - COMFORT_KEYS - {"comfort_until"}
    asked_once = once_ends and not request.keep
    if asked_once and not lasting:
        ready_by = changes.get("ready_by")
        out = dataclasses.replace(out, once_until=ready_by or now + LONGEST_MODE)
        ends[ONCE_END] = _reckoned(request.ready_by if ready_by else None, now)
    if context.has_stays and not context.plugged and (asked_once or out.mode.name != "auto"):
        out = dataclasses.replace(out, pending=True)
    reckoned = {**out.reckoned, **ends}
    out = dataclasses.replace(out, reckoned={key: how for key, how in reckoned.items() if how})
    stated = request.soc_percent if "soc_percent" in given else None
    return RequestResult(out, stated)


def _reckoned(text: str | None, now: datetime) -> Reckoned | None:
    """How an end comes about that was given by this text; without one it is a length."""
    clock = None if text is None else _clock_time(text)
    return Reckoned(now, clock) if text is None or clock is not None else None


def _values(request: Request, context: RequestContext) -> dict[str, Any]:
    """The values that the request gives, by the fields of WishValues."""
    out: dict[str, Any] = {}
    if request.target_soc_percent is not None:
        soc = request.soc_percent if request.soc_percent is not None else context.soc_percent
        # A battery may hold less than now by then; a car only ever takes.
        if (
            soc is not None
            and context.has_stays
            and context.plugged
            and request.target_soc_percent < soc
        ):
            raise Refused(
                sentence(
                    "target_soc_percent {target:g} lies below the present {soc:.0f} %; ask for "
                    "more than that, or pause",
                    target=request.target_soc_percent,
                    soc=soc,
                )
            )
        out["target_soc_percent"] = _decimal(request.target_soc_percent)
    if request.floor_soc_percent is not None:
        out["floor_soc_percent"] = _decimal(request.floor_soc_percent)
    if request.energy_kwh is not None and request.hours is not None:
        raise Refused(sentence("energy_kwh and hours: give one of them"))
    for key in ("energy_kwh", "hours"):
        if (amount := getattr(request, key)) is not None:
            out[key] = _decimal(amount)
            out["hours" if key == "energy_kwh" else "energy_kwh"] = None
            out["counter_start_kwh"] = _decimal(context.counter_kwh if context.plugged else 0.0)
    if request.ready_by is not None:
        out |= _ready_by(request.ready_by, context, keep=bool(request.keep))
    for key in ("price_cap", "comfort_min_c", "comfort_max_c"):
        if (value := getattr(request, key)) is not None:
            out[key] = _decimal(value)
    return out


def _comfort_end(
    request: Request, context: RequestContext, *, of_mode: bool
) -> dict[str, datetime | None]:
    """Until when a wish for comfort stands: for ever where it is kept, else a day unless told."""
    until = None if of_mode else _until(request, context, LONGEST_COMFORT)
    if request.keep:
        if until is not None:
            raise Refused(sentence("keep has no end; leave until and for_s out"))
        return {}
    return {"comfort_until": until or context.now + LONGEST_MODE}


def _mode(request: Request, context: RequestContext) -> ModeWish:
    now = context.now
    if request.mode is None:
        if "mode" in request.model_fields_set:
            return ModeWish()
        raise Refused(sentence("until and for_s go with a mode, boost or pause"))
    if request.mode == "auto":
        if request.until is not None or request.for_s is not None:
            raise Refused(sentence("mode auto has no end; leave until and for_s out"))
        return ModeWish()
    until = _until(request, context, LONGEST_MODE)
    return ModeWish(request.mode, until or now + LONGEST_MODE, open_ended=until is None)


def _until(request: Request, context: RequestContext, longest: timedelta) -> datetime | None:
    """The end that a request gives, None where it gives none."""
    now = context.now
    if request.until is not None and request.for_s is not None:
        raise Refused(sentence("give until or for_s, not both"))
    until = None
    if request.until is not None:
        until = _instant(request.until, "until", context)
    elif request.for_s is not None:
        until = now + timedelta(seconds=request.for_s)
    if until is not None and not now < until <= now + longest:
        hours = int(longest.total_seconds()) // 3600
        within = (
            sentence("{count} hours", count=hours)
            if longest <= LONGEST_MODE
            else sentence("{count} days", count=hours // 24)
        )
        raise Refused(
            sentence(
                "until {until} is not within the next {within}; {right}",
                until=until,
                within=within,
                right=_right_time(now),
            )
        )
    return until


def _ready_by(text: str, context: RequestContext, *, keep: bool) -> dict[str, Any]:
    now = context.now
    when = _instant(text, "ready_by", context)
    if not now < when <= now + LONGEST_READY_BY:
        raise Refused(
            sentence(
                "ready_by {text} is not within the next seven days; {right}",
                text=text,
                right=_right_time(now),
            )
        )
    clock = _clock_time(text)
    if keep and clock is None:
        raise Refused(
            sentence(
                'ready_by {text} is one instant; to keep it give a clock time such as "07:00"',
                text=text,
            )
        )
    if keep:
        return {"ready_by": None, "ready_by_clock": clock}
    return {"ready_by": when, "ready_by_clock": None}


def _instant(text: str, key: str, context: RequestContext) -> datetime:
    clock = _clock_time(text)
    if clock is not None:
        return next_local_instant(context.now, clock, context.zone)
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise Refused(
            sentence(
                '{key} {text!r} is neither a clock time ("00:00" to "23:59") nor an instant with '
                "offset; {right}",
                key=key,
                text=text,
                right=_right_time(context.now),
            )
        ) from None


def _right_time(now: datetime) -> Sentence:
    """Examples that would be taken."""
    soon = (now + SOON).replace(minute=0, second=0, microsecond=0)
    return sentence(
        'give a clock time such as "07:00" or an instant such as {soon}', soon=format_instant(soon)
    )


def _clock_time(text: str) -> time | None:
    if len(text) != 5 or text[2] != ":":
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        return None


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))
