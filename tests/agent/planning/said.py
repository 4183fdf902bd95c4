"""Whether what a plan says of itself can all be so: read off plan and Situation, no part of ours.

`contradictions` gives a sentence for each thing that cannot be.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from agent.energy.instants import parse_instant
from agent.energy.plan import DevicePlan, Plan, Reason, SiteSpan, Slot
from agent.energy.situation import Demand, Flexible, Situation

CODE = re.compile(r"[a-z_]{1,20}")
LONGEST_TEXT = 240
SAME_PRICE = Decimal("0.0001")
SAME_KWH = Decimal("0.01")
# What two sentences of one device cannot both say.
APART = (
    {"cheapest", "shortfall"},
    {"cheapest", "late"},
    {"cheapest", "best_found"},
    {"change_kept", "best_found"},
    {"comfort", "shortfall"},
)
# Instants that a person or a device has set may lie anywhere.
GIVEN = {"deadline", "by", "until"}
Span = tuple[int, int]


def contradictions(situation: Situation, plan: Plan) -> list[str]:
    out: list[str] = []
    for device in plan.devices:
        found = [
            *_of_words(situation, plan, device),
            *_of_codes(device),
            *_of_sums(device),
            *_of_cheapest(situation, plan, device),
            *_of_savings(situation, plan, device),
        ]
        out += [f"{device.id}: {one}" for one in found]
    return out


def _of_words(situation: Situation, plan: Plan, device: DevicePlan) -> Iterator[str]:
    texts = [reason.text for reason in device.why]
    if len(set(texts)) != len(texts):
        yield "a sentence stands there twice"
    if not texts:
        yield "nothing is said"
    ends = [plan.horizon, *(slot.end for one in plan.devices for slot in one.slots)]
    last = max([*ends, *(span.end for span in plan.site)])
    for slot in device.slots:
        if not CODE.fullmatch(slot.reason) or slot.reason == "unexplained":
            yield f"the code {slot.reason!r}"
    for reason in device.why:
        if not CODE.fullmatch(reason.code) or not 0 < len(reason.text) <= LONGEST_TEXT:
            yield f"{reason.code!r}: {reason.text!r}"
        if not re.fullmatch(r"[A-Z0-9].*\.", reason.text) or "nan" in reason.text.split():
            yield f"no sentence: {reason.text!r}"
        instants = {key: at for key, at in _instants(reason).items() if key not in GIVEN}
        for key, at in instants.items():
            if not situation.now <= at <= max(last, situation.now):
                yield f"{reason.code}: {key} lies outside the plan"
        if {"start", "end"} <= instants.keys() and instants["end"] <= instants["start"]:
            yield f"{reason.code}: ends before it begins"
        for key in ("saves", "would_save", "would_earn", "change_cost", "energy_kwh"):
            value = reason.numbers.get(key)
            if isinstance(value, Decimal) and value < 0:
                yield f"{reason.code}: {key} is {value}"


def _instants(reason: Reason) -> dict[str, int]:
    out = {}
    for key, value in reason.numbers.items():
        if isinstance(value, str):
            when = parse_instant(value)
            assert isinstance(when, datetime)
            out[key] = round(when.timestamp())
    return out


def _of_codes(device: DevicePlan) -> Iterator[str]:
    codes = {reason.code for reason in device.why}
    for pair in APART:
        if pair <= codes:
            yield f"says {' and '.join(sorted(pair))}"
    if "late" in codes and device.deadline_met:
        yield "says late and meets its deadline"
    if not device.deadline_met and not codes & {"shortfall", "late", "limit"}:
        yield "misses its deadline and does not say so"
    if "waits_for_prices" in codes and device.slots and not any(s.unknown for s in device.slots):
        yield "waits for prices and uses none that are unknown"
    if "cheapest" in codes and device.slots and all(slot.unknown for slot in device.slots):
        yield "is cheapest where no time has a price"
    for reason in device.why:
        n = reason.numbers
        for low, high in (
            ("price_per_kwh", "later_price_per_kwh"),
            ("stored_price_per_kwh", "price_per_kwh"),
            ("would_save", "change_cost"),
            ("value_per_kwh", "price_per_kwh"),
        ):
            if low in n and high in n and Decimal(str(n[low])) > Decimal(str(n[high])):
                yield f"{reason.code}: {low} {n[low]} above {high} {n[high]}"


def _of_sums(device: DevicePlan) -> Iterator[str]:
    for reason in device.why:
        if reason.code == "shortfall" and "shortfall_kwh" in reason.numbers and device.slots:
            said = Decimal(str(reason.numbers["shortfall_kwh"]))
            if not device.deadline_met and abs(said - device.shortfall_kwh) > SAME_KWH:
                yield f"says that {said} kWh are missing, not {device.shortfall_kwh}"
    taken = sum((_kwh(slot) for slot in device.slots if slot.power_w > 0), Decimal(0))
    given = sum((-_kwh(slot) for slot in device.slots if slot.power_w < 0), Decimal(0))
    for codes, most in (
        ({"surplus", "from_storage"}, taken),
        ({"store_ahead"}, taken),
        ({"covers_house", "sells"}, given),
    ):
        said = sum(
            (
                Decimal(str(reason.numbers.get("energy_kwh", 0)))
                for reason in device.why
                if reason.code in codes
            ),
            Decimal(0),
        )
        if said > most + SAME_KWH:
            yield f"{sorted(codes)}: {said} kWh are told of {most}"


def _kwh(slot: Slot) -> Decimal:
    return slot.power_w * (slot.end - slot.start) / 3_600_000


def _of_cheapest(situation: Situation, plan: Plan, device: DevicePlan) -> Iterator[str]:
    """A slot said to be cheapest while its window has time that is free and cheaper."""
    model = next(one for one in situation.devices if one.id == device.id)
    if not isinstance(model, Flexible):
        return
    # Coupled, what is left of a quarter hour that is used in part is not free.
    cell = 900 if _coupled(situation) else 1
    busy = [(one.start // cell * cell, -(-one.end // cell) * cell) for one in device.slots]
    for slot in device.slots:
        if slot.reason != "cheapest" or slot.price is None or len(model.demands) == 0:
            continue
        demand = model.demands[slot.demand or 0]
        paid = _import_price(situation, plan, model, slot)
        if paid is None:
            continue
        for start, end, price in _free(situation, plan, model, demand, busy):
            if price < paid - SAME_PRICE:
                yield f"cheapest at {paid}, but {price} from {start - plan.made_at} s to {end}"
                return


def _import_price(situation: Situation, plan: Plan, model: Flexible, slot: Slot) -> Decimal | None:
    """What its energy costs as it counts for choosing; None where it is not all of the grid."""
    if _coupled(situation):
        spans = [one for one in plan.site if one.start < slot.end and slot.start < one.end]
        if any(span.import_w < slot.power_w for span in spans):
            return None
    return _choice(situation, slot.start)


def _choice(situation: Situation, when: int) -> Decimal | None:
    for rate in situation.import_rates:
        if rate.start <= when < rate.end and rate.confidence > 0:
            margin = situation.planner.estimate_margin_per_kwh * (1 - rate.confidence)
            return rate.price + margin
    return None


def _free(
    situation: Situation, plan: Plan, model: Flexible, demand: Demand, busy: list[Span]
) -> Iterator[tuple[int, int, Decimal]]:
    """Time with a price in the window in which the device is off and may take more."""
    first = max(situation.now, demand.earliest or 0)
    if model.off_since is not None:
        first = max(first, model.off_since + model.min_off_s)
    last = demand.deadline if demand.deadline is not None else plan.horizon
    least = max(model.min_power_w or Decimal(0), model.max_power_w / 20)
    edges = {first, last, *(t for span in busy for t in span)}
    edges |= {t for rate in situation.import_rates for t in (rate.start, rate.end)}
    edges |= {t for span in plan.site for t in (span.start, span.end)}
    edges |= {t for span in situation.site.import_limits for t in (span.start, span.end)}
    marks = sorted(t for t in edges if first <= t <= last)
    for start, end in pairwise(marks):
        price = _choice(situation, start)
        if price is None or any(a < end and start < b for a, b in busy):
            continue
        rate = next(r.price for r in situation.import_rates if r.start <= start < r.end)
        if demand.price_cap is not None and rate > demand.price_cap:
            continue
        if _coupled(situation) and not _has_room(situation, plan, start, least):
            continue
        yield start, end, price


def _coupled(situation: Situation) -> bool:
    return bool(
        situation.site.import_limit_w is not None
        or situation.site.import_limits
        or situation.site.pv
        or situation.site.capacity_charge
        or any(one.kind in ("storage", "thermal") for one in situation.devices)
    )


def _has_room(situation: Situation, plan: Plan, when: int, watts: Decimal) -> bool:
    """Whether so much more may be imported; full powers above means count against it too."""
    span: SiteSpan | None = next((s for s in plan.site if s.start <= when < s.end), None)
    if span is None or span.export_w or span.curtailed_w or not span.import_w:
        return False
    limits = [one.power_w for one in situation.site.import_limits if one.start <= when < one.end]
    if situation.site.import_limit_w is not None:
        limits.append(situation.site.import_limit_w)
    most = sum(
        (
            max(
                (s.power_w for s in one.slots if s.start <= when + 900 and when <= s.end), default=0
            )
            for one in plan.devices
        ),
        Decimal(0),
    )
    return not limits or span.import_w + most + watts <= min(limits)


def _of_savings(situation: Situation, plan: Plan, device: DevicePlan) -> Iterator[str]:
    """Of a single device alone, what it saves against starting at once is all that is saved."""
    if _coupled(situation) or len(situation.devices) != 1:
        return
    model = situation.devices[0]
    if not isinstance(model, Flexible) or model.grid_s or model.on_since or model.min_off_s:
        return
    if any(not one.hard or one.price_cap is not None for one in model.demands) or model.min_on_s:
        return
    said = [
        reason.numbers["saves"]
        for reason in device.why
        if reason.code == "cheapest" and ("saves" in reason.numbers)
    ]
    saved = plan.baseline_cost - plan.cost
    for one in said:
        if abs(Decimal(str(one)) - saved) > Decimal("0.0002"):
            yield f"says that it saves {one}, the plan saves {saved}"
