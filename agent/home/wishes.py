"""Wishes of the owner: what a request changes, what holds, when it ends. Pure.

The words are those of the wire contract's section 4. A refusal changes nothing.
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agent.config.devices import DeviceSection, EvCharger, ProgramAppliance
from agent.contracts.wire import Request
from agent.energy.instants import format_instant, parse_instant
from agent.energy.localtime import next_local_instant
from agent.errors import Refused

MAX_REQUEST_BYTES = 4096
LONGEST_MODE = timedelta(hours=24)
# Stored keys that had another name in earlier versions.
FORMER_NAMES = {"mode_open": "open_ended", "energy_from_kwh": "counter_start_kwh"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner wants of one device beyond the config; None means: as configured.

    `until` ends `mode`; `mode_open` marks a boost or pause that also ends when full or unplugged.
    `energy_from_kwh` is the device's session counter when `energy_kwh` was asked. `loaded_at`:
    since when a program waits. `keep`: the values outlive the session. Values that are one-off and
    have no session end at `values_until`.
    """

    mode: str = "auto"
    until: datetime | None = None
    open_ended: bool = False
    energy_kwh: Decimal | None = None
    counter_start_kwh: Decimal | None = None
    target_soc_percent: Decimal | None = None
    floor_soc_percent: Decimal | None = None
    ready_by: datetime | None = None
    ready_by_clock: time | None = None
    price_cap: Decimal | None = None
    loaded_at: datetime | None = None
    keep: bool = False
    values_until: datetime | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of a request: the wish that holds now, a SoC that the owner stated."""

    wish: Wish
    stated_soc_percent: float | None = None


def read_request(payload: bytes) -> Request:
    """Raises Refused with the key and what would be right."""
    if len(payload) > MAX_REQUEST_BYTES:
        raise Refused(f"{len(payload)} bytes; a request has at most {MAX_REQUEST_BYTES}")
    try:
        return Request.model_validate_json(payload)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, item['loc'])) or 'request'}: {item['msg']}"
            for item in error.errors(include_url=False)
        ]
        raise Refused("; ".join(faults)) from error


def apply_request(
    request: Request,
    wish: Wish,
    section: DeviceSection,
    *,
    now: datetime,
    zone: ZoneInfo,
    soc_percent: float | None,
    session_kwh: float | None,
) -> RequestResult:
    """The wish after a request. Raises Refused; then the old wish holds unchanged."""
    given = request.model_fields_set - {"id", "keep"}
    if not given:
        raise Refused("asks for nothing; give mode, target_soc_percent, ready_by, start …")
    _check_fits(request, section)
    changes: dict[str, object] = {"id": request.id}
    if request.mode is not None or request.until or request.for_s:
        changes |= _mode(request, now)
    soc = request.soc_percent if request.soc_percent is not None else soc_percent
    if request.target_soc_percent is not None:
        if soc is not None and request.target_soc_percent < soc:
            raise Refused(
                f"target_soc_percent {request.target_soc_percent:g} lies below the present "
                f"{soc:g} %"
            )
        changes["target_soc_percent"] = _decimal(request.target_soc_percent)
    if request.floor_soc_percent is not None:
        changes["floor_soc_percent"] = _decimal(request.floor_soc_percent)
    if request.energy_kwh is not None:
        changes["energy_kwh"] = _decimal(request.energy_kwh)
        changes["counter_start_kwh"] = _decimal(session_kwh or 0.0)
    if request.ready_by is not None:
        changes |= _ready_by(request.ready_by, now, zone, keep=bool(request.keep))
    if request.price_cap is not None:
        changes["price_cap"] = _decimal(request.price_cap)
    if request.start is not None:
        changes["loaded_at"] = now if request.start else None
    if request.keep is not None:
        changes["keep"] = request.keep
    changes["values_until"] = (
        None if isinstance(section, EvCharger | ProgramAppliance) else now + LONGEST_MODE
    )
    return RequestResult(dataclasses.replace(wish, **changes), request.soc_percent)  # type: ignore[arg-type]  # keys are those of Wish


def _check_fits(request: Request, section: DeviceSection) -> None:
    given = request.model_fields_set
    allowed = {"id", "mode", "until", "for_s", "keep"}
    if isinstance(section, EvCharger):
        allowed |= {
            "energy_kwh",
            "target_soc_percent",
            "soc_percent",
            "floor_soc_percent",
            "ready_by",
            "price_cap",
        }
        if section.battery_kwh is None:
            allowed -= {"target_soc_percent", "soc_percent", "floor_soc_percent"}
    elif isinstance(section, ProgramAppliance):
        allowed = {"id", "start", "ready_by", "keep"}
    else:
        allowed |= {"price_cap"}
    if wrong := sorted(given - allowed):
        raise Refused(
            f"{wrong[0]}: {section.id} ({section.type}) does not know it; "
            f"it takes {', '.join(sorted(allowed))}"
        )


def _mode(request: Request, now: datetime) -> dict[str, object]:
    if request.mode is None:
        raise Refused("until and for_s go with a mode")
    if request.until and request.for_s:
        raise Refused("give until or for_s, not both")
    if request.mode == "auto":
        if request.until or request.for_s:
            raise Refused("mode auto has no end")
        return {"mode": "auto", "until": None, "open_ended": False}
    until = request.until or (now + timedelta(seconds=request.for_s) if request.for_s else None)
    if until is not None and not now < until <= now + LONGEST_MODE:
        raise Refused(f"until {format_instant(until)} is not within the next 24 hours")
    return {"mode": request.mode, "until": until or now + LONGEST_MODE, "open_ended": until is None}


def _ready_by(text: str, now: datetime, zone: ZoneInfo, *, keep: bool) -> dict[str, object]:
    if len(text) == 5 and text[2] == ":":
        try:
            clock = time.fromisoformat(text)
        except ValueError:
            raise Refused(f"ready_by {text!r} is no clock time; write 00:00 to 23:59") from None
        when = next_local_instant(now, clock, zone)
        return {"ready_by": when, "ready_by_clock": clock if keep else None}
    try:
        when = parse_instant(text)
    except ValueError:
        raise Refused(
            f'ready_by {text!r} is neither a clock time ("07:00") nor an instant with offset'
        ) from None
    if not now < when <= now + timedelta(days=7):
        raise Refused(f"ready_by {text} is not within the next seven days")
    return {"ready_by": when, "ready_by_clock": None}


def expired(wish: Wish, now: datetime, *, session_over: bool, full: bool) -> Wish:
    """The wish without what has ended by now.

    `session_over`: unplugged, or the program has run. `full`: the car has what was asked.
    """
    out = wish
    if out.mode != "auto" and (
        (out.until is not None and now >= out.until) or (out.open_ended and (session_over or full))
    ):
        out = dataclasses.replace(out, mode="auto", until=None, open_ended=False)
    over = session_over or (out.values_until is not None and now >= out.values_until)
    if over and out.loaded_at is not None and session_over:
        out = dataclasses.replace(out, loaded_at=None)
    if over and not out.keep:
        out = Wish(
            mode=out.mode,
            until=out.until,
            open_ended=out.open_ended,
            loaded_at=out.loaded_at,
            id=out.id,
        )
    elif over and out.energy_kwh is not None:
        out = dataclasses.replace(out, counter_start_kwh=Decimal(0))
    return out


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def to_text(wish: Wish) -> str:
    """For the store; `from_text` reads it back."""
    out: dict[str, object] = {}
    for item in dataclasses.fields(wish):
        value = getattr(wish, item.name)
        if value == item.default:
            continue
        if isinstance(value, datetime | time):
            value = value.isoformat()
        out[item.name] = str(value) if isinstance(value, Decimal) else value
    return json.dumps(out, separators=(",", ":"))


def from_text(text: str) -> Wish:
    known = {item.name for item in dataclasses.fields(Wish)}
    stored = {FORMER_NAMES.get(key, key): value for key, value in json.loads(text).items()}
    raw = {key: value for key, value in stored.items() if key in known}
    for key, value in raw.items():
        if key in ("until", "ready_by", "loaded_at", "values_until"):
            raw[key] = datetime.fromisoformat(value)
        elif key == "ready_by_clock":
            raw[key] = time.fromisoformat(value)
        elif key.endswith(("_kwh", "_percent", "_cap")):
            raw[key] = Decimal(value)
    return Wish(**raw)
