"""The Situation as a JSON document (schema situation/1): read, refuse, write.

Reading finds every fault at once and names each by its dotted path. Numbers reach the Situation as
the exact decimals of the text. Instants become whole seconds: `now` and whatever begins is the next
whole second, whatever is due (`deadline`, `at`, `by`) the last one.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agent.contracts.reader import Reader, Refusal, whole_second
from agent.energy.instants import (
    format_early,
    format_instant,
    from_unix,
    to_unix_ceil,
    to_unix_floor,
)
from agent.energy.situation import (
    ZERO,
    Availability,
    CapacityCharge,
    ComfortSpan,
    Demand,
    Device,
    Flexible,
    Hygiene,
    Planner,
    PowerSpan,
    PreviousPlan,
    ProfileSegment,
    Program,
    RateSpan,
    Site,
    Situation,
    Storage,
    StorageTarget,
    TemperatureSpan,
    Thermal,
)
from agent.errors import Fault

SCHEMA = "situation/1"
# No home has more: a larger document is a mistake, and would be hours of work.
MOST_KWH = 10_000
MOST_RATES = 50_000
MOST_DEVICES = 64
MOST_DEMANDS = 64
T = TypeVar("T")
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
INSTANTS = frozenset(
    (
        *("now", "start", "end", "change_until", "period_end", "earliest", "deadline"),
        *("on_since", "off_since", "started_at", "at", "by"),
    )
)


def parse_situation(text: str | bytes) -> Situation:
    """The Situation in a JSON text. Raises Refusal with all faults."""
    try:
        document = json.loads(text, parse_float=_exact, parse_constant=Decimal)
    except (ValueError, RecursionError) as error:
        raise Refusal([Fault("", f"is no JSON ({error}); expected one Situation")]) from error
    return read_situation(document)


def read_situation(document: object) -> Situation:
    """The Situation in a decoded document; floats in it count as their shortest decimal text."""
    faults: list[Fault] = []
    if not isinstance(document, dict):
        raise Refusal([Fault("", f"is {_kind(document)}; expected an object, schema {SCHEMA}")])
    situation = _situation(Reader(document, "", faults))
    if faults or situation is None:
        raise Refusal(faults)
    return situation


def _exact(text: str) -> Decimal:
    number = Decimal(text)
    # A number that no float can hold is an infinity to every other reader of the document.
    return number if float(number) not in (float("inf"), float("-inf")) else Decimal("Infinity")


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _situation(top: Reader) -> Situation | None:
    top.literal("schema", (SCHEMA,))
    now = top.instant("now", required=True)
    zone = top.text("timezone", required=True)
    if zone is not None and not _known_zone(zone):
        top.fault("timezone", f"is {zone!r}; expected a zone such as Europe/Berlin")
    currency = top.text("currency", required=True)
    if currency is not None and not re.fullmatch(r"[A-Z]{3}", currency):
        top.fault("currency", f"is {currency!r}; expected three letters such as EUR")
    for key, most in (("import_rates", MOST_RATES), ("export_rates", MOST_RATES)):
        _at_most(top, key, most)
    _at_most(top, "devices", MOST_DEVICES)
    rates = _spans(top, "import_rates", _rate)
    exports = _spans(top, "export_rates", _rate)
    site = top.child("site", _site)
    planner = top.child("planner", _planner)
    devices = [one for one in top.children("devices", lambda r: _device(r, now)) if one is not None]
    _distinct(top, "devices")
    top.close()
    if now is None or zone is None or currency is None:
        return None
    return Situation(
        now=to_unix_ceil(now),
        timezone=zone,
        currency=currency,
        import_rates=tuple(rates),
        export_rates=tuple(exports),
        site=site or Site(),
        planner=planner or Planner(),
        devices=tuple(devices),
        now_fraction_us=-now.microsecond % 1_000_000,
    )


def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _at_most(parent: Reader, key: str, most: int) -> None:
    items = parent.raw(key)
    if isinstance(items, list) and len(items) > most:
        parent.fault(key, f"has {len(items)} items; expected {most} at most")


def _distinct(parent: Reader, key: str) -> None:
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


def _spans(parent: Reader, key: str, read: Callable[[Reader, int, int], T]) -> list[T]:
    """The spans of one list in time order; an overlap is a fault of the later one."""
    found: list[tuple[datetime, datetime, str, T]] = []

    def one(reader: Reader) -> None:
        start, end = reader.instant("start", required=True), reader.instant("end", required=True)
        broken = start is None or end is None
        if start is not None and end is not None and end <= start:
            reader.fault("end", f"is {reader.raw('end')}, not after start {reader.raw('start')}")
            broken = True
        span = read(reader, whole_second(start), whole_second(end))
        reader.close()
        if not broken and start is not None and end is not None:
            found.append((start, end, reader.path, span))

    parent.children(key, one)
    found.sort(key=lambda entry: entry[:2])
    for before, after in pairwise(found):
        if after[0] < before[1]:
            parent.faults.append(
                Fault(
                    f"{after[2]}.start",
                    f"begins before {before[2]} ends; expected spans that do not overlap",
                )
            )
    return [entry[3] for entry in found]


def _rate(reader: Reader, start: int, end: int) -> RateSpan:
    for key in ("start", "end"):
        when = reader.instant(key)
        if when is not None and when.microsecond:
            reader.fault(key, f"is {reader.raw(key)}; expected a whole second")
    return RateSpan(
        start,
        end,
        reader.number("price", required=True),
        reader.number("confidence", Decimal(1), least=0, most=1),
        reader.optional_number("carbon_g_per_kwh"),
    )


def _power_span(reader: Reader, start: int, end: int) -> PowerSpan:
    return PowerSpan(start, end, reader.number("power_w", required=True, least=0))


def _signed_power_span(reader: Reader, start: int, end: int) -> PowerSpan:
    return PowerSpan(start, end, reader.number("power_w", required=True))


def _site(reader: Reader) -> Site:
    site = Site(
        import_limit_w=reader.optional_number("import_limit_w", least=0),
        import_limits=tuple(_spans(reader, "import_limits", _power_span)),
        export_limit_w=reader.optional_number("export_limit_w", least=0),
        pv_curtailable=reader.flag("pv_curtailable", default=False),
        base_load=tuple(_spans(reader, "base_load", _power_span)),
        pv=tuple(_spans(reader, "pv", _power_span)),
        capacity_charge=reader.child("capacity_charge", _capacity_charge),
    )
    reader.close()
    return site


def _capacity_charge(reader: Reader) -> CapacityCharge:
    window_s = reader.seconds("window_s", 900)
    if window_s <= 0 or window_s % 900:
        reader.fault("window_s", f"is {window_s}; expected a multiple of 900")
    charge = CapacityCharge(
        per_kw=reader.number("per_kw", least=0),
        window_s=window_s,
        peak_so_far_w=reader.number("peak_so_far_w", least=0),
        window_energy_kwh=reader.optional_number("window_energy_kwh", least=0),
        period_end=_begins(reader, "period_end"),
        next_floor_w=reader.number("next_floor_w", least=0),
    )
    reader.close()
    return charge


def _planner(reader: Reader) -> Planner:
    def previous(one: Reader) -> PreviousPlan:
        plan = PreviousPlan(_identity(one), tuple(_spans(one, "slots", _signed_power_span)))
        one.close()
        return plan

    planner = Planner(
        estimate_margin_per_kwh=reader.number("estimate_margin_per_kwh", least=0),
        change_cost=reader.number("change_cost", least=0),
        change_until=_begins(reader, "change_until"),
        previous=tuple(reader.children("previous", previous)),
    )
    _distinct(reader, "previous")
    reader.close()
    return planner


def _begins(reader: Reader, key: str) -> int | None:
    when = reader.instant(key)
    return None if when is None else to_unix_ceil(when)


def _due(reader: Reader, key: str) -> int | None:
    when = reader.instant(key)
    return None if when is None else to_unix_floor(when)


def _past(reader: Reader, key: str, now: datetime | None) -> datetime | None:
    when = reader.instant(key)
    if when is not None and now is not None and when > now:
        reader.fault(key, f"is {reader.raw(key)}, after now; expected a time that has come")
    return when


def _identity(reader: Reader) -> str:
    name = reader.text("id", required=True)
    if name is None:
        return ""
    if not ID.fullmatch(name):
        reader.fault("id", f"is {name!r}; expected 1 to 32 of a-z 0-9 _ -, no _ or - first")
    return name


def _device(reader: Reader, now: datetime | None) -> Device | None:
    kinds: dict[str, Callable[[Reader, datetime | None], Device]] = {
        "flexible": _flexible,
        "program": _program,
        "storage": _storage,
        "thermal": _thermal,
    }
    kind = reader.literal("kind", tuple(kinds))
    if kind is None:
        return None
    device = kinds[kind](reader, now)
    reader.close()
    return device


def _window(reader: Reader) -> tuple[int | None, int | None]:
    earliest, deadline = reader.instant("earliest"), reader.instant("deadline")
    if earliest is not None and deadline is not None and deadline <= earliest:
        reader.fault(
            "deadline",
            f"is {reader.raw('deadline')}, not after earliest {reader.raw('earliest')}",
        )
    return _begins(reader, "earliest"), _due(reader, "deadline")


def _demand(reader: Reader) -> Demand:
    earliest, deadline = _window(reader)
    hard = reader.flag("hard", default=True)
    value = reader.optional_number("value_per_kwh")
    if hard and value is not None:
        reader.fault("value_per_kwh", f"is {value} on a hard demand; expected hard: false with it")
    if hard and reader.raw("deadline") is None:
        reader.fault("deadline", "is missing; a hard demand needs one")
    if not hard and reader.raw("value_per_kwh") is None:
        reader.fault("value_per_kwh", "is missing; a demand with hard: false needs it")
    demand = Demand(
        energy_kwh=reader.number("energy_kwh", required=True, least=0, most=MOST_KWH),
        earliest=earliest,
        deadline=deadline,
        contiguous=reader.flag("contiguous", default=False),
        hard=hard,
        price_cap=reader.optional_number("price_cap"),
        value_per_kwh=value,
        under_way=reader.flag("under_way", default=False),
    )
    if demand.under_way and not demand.contiguous:
        reader.fault("under_way", "is true; expected contiguous: true with it")
    reader.close()
    return demand


def _switching(reader: Reader, now: datetime | None) -> dict[str, Any]:
    """The fields that flexible and thermal devices share, checked against each other."""
    top = reader.number("max_power_w", required=True, least=0)
    least = reader.optional_number("min_power_w", least=0)
    times = {key: reader.seconds(key) for key in ("min_on_s", "min_off_s")}
    start_cost = reader.number("start_cost", least=0)
    if top == 0 and reader.is_number("max_power_w"):
        reader.fault("max_power_w", "is 0; expected more than 0 W")
    elif least is not None and reader.is_number("max_power_w") and top < least:
        reader.fault("max_power_w", f"is {top}, below min_power_w {least}")
    switched = [key for key, value in (*times.items(), ("start_cost", start_cost)) if value]
    if switched and least == 0:
        reader.fault("min_power_w", f"is 0; expected more than 0 W with {' and '.join(switched)}")
    if least is None and switched:
        least = top
    on_since, off_since = _past(reader, "on_since", now), _past(reader, "off_since", now)
    if on_since is not None and off_since is not None:
        reader.fault("off_since", "stands beside on_since; expected one of them at most")
    return {
        "id": _identity(reader),
        "max_power_w": top,
        "min_power_w": least if least is not None else ZERO,
        **times,
        "start_cost": start_cost,
        "on_since": None if on_since is None else to_unix_ceil(on_since),
        "off_since": None if off_since is None else to_unix_ceil(off_since),
        "priority": reader.integer("priority"),
    }


def _flexible(reader: Reader, now: datetime | None) -> Flexible:
    _at_most(reader, "demands", MOST_DEMANDS)
    return Flexible(
        **_switching(reader, now),
        demands=tuple(reader.children("demands", _demand)),
        grid_s=reader.seconds("grid_s"),
    )


def _program(reader: Reader, now: datetime | None) -> Program:
    def segment(one: Reader) -> ProfileSegment:
        part = ProfileSegment(
            one.seconds("duration_s", required=True, least=1),
            one.number("power_w", required=True, least=0),
        )
        one.close()
        return part

    profile = reader.children("profile", segment, required=True)
    if reader.raw("profile") == []:
        reader.fault("profile", "is empty; expected at least one segment")
    earliest, deadline = _window(reader)
    if reader.raw("deadline") is None:
        reader.fault("deadline", "is missing; a program needs one")
    started = _past(reader, "started_at", now)
    return Program(
        id=_identity(reader),
        profile=tuple(profile),
        deadline=deadline or 0,
        earliest=earliest,
        started_at=None if started is None else to_unix_floor(started),
        priority=reader.integer("priority"),
    )


def _storage(reader: Reader, now: datetime | None) -> Storage:
    def target(one: Reader) -> StorageTarget:
        at = one.instant("at", required=True)
        goal = StorageTarget(
            0 if at is None else to_unix_floor(at),
            one.number("energy_kwh", required=True, least=0, most=MOST_KWH),
        )
        one.close()
        return goal

    def efficiency(key: str) -> Decimal:
        value = reader.number(key, Decimal(1), least=0, most=1)
        if value == 0:
            reader.fault(key, "is 0; expected more than 0 and at most 1")
        return value

    least = reader.number("min_kwh", least=0, most=MOST_KWH)
    most = reader.optional_number("max_kwh", least=0, most=MOST_KWH)
    if most is not None and most < least:
        reader.fault("max_kwh", f"is {most}, below min_kwh {least}")
    present = reader.raw("available") is not None
    spans = tuple(
        _spans(
            reader,
            "available",
            lambda r, a, b: Availability(
                a, b, r.optional_number("arrives_kwh", least=0, most=MOST_KWH)
            ),
        )
    )
    targets = reader.children("targets", target)
    return Storage(
        id=_identity(reader),
        capacity_kwh=reader.number("capacity_kwh", required=True, least=0, most=MOST_KWH),
        energy_kwh=reader.number("energy_kwh", required=True, least=0, most=MOST_KWH),
        max_charge_w=reader.number("max_charge_w", required=True, least=0),
        max_discharge_w=reader.number("max_discharge_w", required=True, least=0),
        min_kwh=least,
        max_kwh=most,
        charge_efficiency=efficiency("charge_efficiency"),
        discharge_efficiency=efficiency("discharge_efficiency"),
        wear_per_kwh=reader.number("wear_per_kwh", least=0),
        targets=tuple(sorted(targets, key=lambda goal: goal.at)),
        final_value_per_kwh=reader.optional_number("final_value_per_kwh"),
        grid_charge=reader.flag("grid_charge", default=True),
        export=reader.flag("export", default=False),
        available=spans if present else None,
    )


def _thermal(reader: Reader, now: datetime | None) -> Thermal:
    def comfort(one: Reader, start: int, end: int) -> ComfortSpan:
        low, high = one.optional_number("min_c"), one.optional_number("max_c")
        if low is not None and high is not None and high < low:
            one.fault("max_c", f"is {high}, below min_c {low}")
        return ComfortSpan(start, end, low, high)

    def hygiene(one: Reader) -> Hygiene:
        by = one.instant("by", required=True)
        rule = Hygiene(
            0 if by is None else to_unix_floor(by),
            one.number("temp_c", required=True),
            one.seconds("hold_s"),
        )
        one.close()
        return rule

    capacity = reader.number("capacity_kwh_per_c", required=True, least=0)
    if capacity == 0 and reader.is_number("capacity_kwh_per_c"):
        reader.fault("capacity_kwh_per_c", "is 0; expected more than 0 kWh per degree")
    return Thermal(
        **_switching(reader, now),
        temperature_c=reader.number("temperature_c", required=True),
        capacity_kwh_per_c=capacity,
        control=reader.literal("control", ("power", "sg_ready"), "power") or "power",
        loss_w_per_c=reader.number("loss_w_per_c", least=0),
        gains_w=reader.number("gains_w"),
        draw=tuple(_spans(reader, "draw", _power_span)),
        comfort=tuple(_spans(reader, "comfort", comfort)),
        outdoor=tuple(
            _spans(
                reader,
                "outdoor",
                lambda r, a, b: TemperatureSpan(a, b, r.number("temp_c", required=True)),
            )
        ),
        cop=reader.points("cop"),
        hygiene=reader.child("hygiene", hygiene),
        block_max_s=reader.seconds("block_max_s", 7200),
    )


def situation_document(situation: Situation) -> dict[str, Any]:
    """The JSON document of a Situation; reading it gives the same Situation.

    Numbers are ints and floats: a decimal of more than 17 digits loses its tail.
    """
    document: dict[str, Any] = {"schema": SCHEMA, **_plain(situation)}
    document["now"] = format_early(situation.now, document.pop("now_fraction_us"))
    for device, plain in zip(situation.devices, document["devices"], strict=True):
        plain["kind"] = device.kind
    return document


def _plain(value: object, key: str = "") -> Any:
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: _plain(item, name) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {name: _plain(item, name) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and key in INSTANTS:
        return format_instant(from_unix(value))
    return value
