"""The devices of a Situation, a reader for each kind."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from agent.contracts.reader import Reader
from agent.contracts.situation.checks import (
    COLDEST_C,
    HOTTEST_C,
    MOST_KWH,
    at_most,
    begins,
    due,
    identity,
    past,
    power_span,
    read_spans,
)
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.situation import (
    ZERO,
    Availability,
    ComfortSpan,
    Demand,
    Device,
    Flexible,
    Hygiene,
    ProfileSegment,
    Program,
    Storage,
    StorageTarget,
    TemperatureSpan,
    Thermal,
)

MOST_DEMANDS = 64


def read_device(reader: Reader, now: datetime | None) -> Device | None:
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
    return begins(reader, "earliest"), due(reader, "deadline")


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
    on_since, off_since = past(reader, "on_since", now), past(reader, "off_since", now)
    if on_since is not None and off_since is not None:
        reader.fault("off_since", "stands beside on_since; expected one of them at most")
    return {
        "id": identity(reader),
        "max_power_w": top,
        "min_power_w": least if least is not None else ZERO,
        **times,
        "start_cost": start_cost,
        "on_since": None if on_since is None else to_unix_ceil(on_since),
        "off_since": None if off_since is None else to_unix_ceil(off_since),
        "priority": reader.integer("priority"),
    }


def _flexible(reader: Reader, now: datetime | None) -> Flexible:
    at_most(reader, "demands", MOST_DEMANDS)
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
    started = past(reader, "started_at", now)
    return Program(
        id=identity(reader),
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
    capacity = reader.number("capacity_kwh", required=True, least=0, most=MOST_KWH)
    sound = reader.is_number("capacity_kwh")
    if sound and most is not None and most > capacity:
        reader.fault("max_kwh", f"is {most}, above capacity_kwh {capacity}")

    def stay(one: Reader, start: int, end: int) -> Availability:
        arrives = one.optional_number("arrives_kwh", least=0, most=MOST_KWH)
        if sound and arrives is not None and arrives > capacity:
            one.fault("arrives_kwh", f"is {arrives}, above capacity_kwh {capacity}")
        return Availability(start, end, arrives)

    present = reader.raw("available") is not None
    spans = tuple(read_spans(reader, "available", stay))
    targets = reader.children("targets", target)
    return Storage(
        id=identity(reader),
        capacity_kwh=capacity,
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


def celsius(reader: Reader, key: str) -> Decimal:
    return reader.number(key, required=True, least=COLDEST_C, most=HOTTEST_C)


def _thermal(reader: Reader, now: datetime | None) -> Thermal:
    def comfort(one: Reader, start: int, end: int) -> ComfortSpan:
        low, high = (
            one.optional_number(key, least=COLDEST_C, most=HOTTEST_C) for key in ("min_c", "max_c")
        )
        if low is not None and high is not None and high < low:
            one.fault("max_c", f"is {high}, below min_c {low}")
        return ComfortSpan(start, end, low, high)

    def hygiene(one: Reader) -> Hygiene:
        by = one.instant("by", required=True)
        rule = Hygiene(
            0 if by is None else to_unix_floor(by),
            celsius(one, "temp_c"),
            one.seconds("hold_s"),
        )
        one.close()
        return rule

    capacity = reader.number("capacity_kwh_per_c", required=True, least=0)
    if capacity == 0 and reader.is_number("capacity_kwh_per_c"):
        reader.fault("capacity_kwh_per_c", "is 0; expected more than 0 kWh per degree")
    return Thermal(
        **_switching(reader, now),
        temperature_c=celsius(reader, "temperature_c"),
        capacity_kwh_per_c=capacity,
        control=reader.literal("control", ("power", "sg_ready"), "power") or "power",
        loss_w_per_c=reader.number("loss_w_per_c", least=0),
        gains_w=reader.number("gains_w"),
        draw=tuple(read_spans(reader, "draw", power_span)),
        comfort=tuple(read_spans(reader, "comfort", comfort)),
        outdoor=tuple(
            read_spans(
                reader,
                "outdoor",
                lambda r, a, b: TemperatureSpan(a, b, celsius(r, "temp_c")),
            )
        ),
        cop=reader.points("cop"),
        hygiene=reader.child("hygiene", hygiene),
        block_max_s=reader.seconds("block_max_s", 7200),
    )
