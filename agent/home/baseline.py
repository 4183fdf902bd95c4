"""What energy costs at the prices that hold, and what starting at once would have cost. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from agent.energy.instants import from_unix
from agent.energy.rates import Rate
from agent.energy.situation import ZERO, Flexible, Program, Storage, Thermal


def cost_of(energy_kwh: Decimal, start: datetime, end: datetime, rates: Sequence[Rate]) -> Decimal:
    """Cost of energy taken evenly over `[start, end)`; time without a price counts at the mean."""
    total = Decimal(repr((end - start).total_seconds()))
    if total <= 0 or not rates:
        return ZERO
    cost, priced = ZERO, ZERO
    for rate in rates:
        seconds = (min(end, rate.end) - max(start, rate.start)).total_seconds()
        if seconds > 0 and rate.confidence > 0:
            share = Decimal(repr(seconds))
            priced += share
            cost += energy_kwh * share / total * rate.price
    if priced < total:
        cost += energy_kwh * (total - priced) / total * _mean(rates)
    return cost


def with_surplus(
    import_rates: Sequence[Rate],
    export_rates: Sequence[Rate],
    surplus: Sequence[tuple[datetime, datetime]],
) -> list[Rate]:
    """The import rates, but in spans of surplus what is paid for export, else nothing."""
    out: list[Rate] = []
    for rate in import_rates:
        at = rate.start
        for start, end in surplus:
            begin, until = max(at, start), min(rate.end, end)
            if begin >= until:
                continue
            if at < begin:
                out.append(replace(rate, start=at, end=begin))
            out += _export_rates(export_rates, replace(rate, start=begin, end=until))
            at = until
        if at < rate.end:
            out.append(replace(rate, start=at))
    return out


def _export_rates(export_rates: Sequence[Rate], span: Rate) -> list[Rate]:
    out, at = [], span.start
    for rate in export_rates:
        begin, until = max(at, rate.start), min(span.end, rate.end)
        if begin < until:
            if at < begin:
                out.append(replace(span, start=at, end=begin, price=ZERO))
            out.append(replace(rate, start=begin, end=until))
            at = until
    if at < span.end:
        out.append(replace(span, start=at, price=ZERO))
    return out


def cost_at_once(
    energy_kwh: Decimal, power_w: int, now: datetime, rates: Sequence[Rate]
) -> Decimal:
    """What it costs to take that energy at full power from `now` on."""
    seconds = float(energy_kwh * 3_600_000 / power_w)
    return cost_of(energy_kwh, now, now + timedelta(seconds=seconds), rates)


def uncontrolled_cost(
    device: Flexible | Program | Storage | Thermal | None,
    power_w: int,
    now: datetime,
    rates: Sequence[Rate],
) -> Decimal:
    """What the device's demands cost without a planner: one after the other, each from when it

    may begin, at full power.
    """
    if device is None or isinstance(device, Storage | Thermal) or not rates:
        # What a battery would do by itself depends on the house, what a thermostat does on weather.
        return ZERO
    if isinstance(device, Program):
        return _program_cost(device, now, rates)
    total, at = ZERO, now
    for demand in device.demands:
        begin = at if demand.earliest is None else max(at, from_unix(demand.earliest))
        total += cost_at_once(demand.energy_kwh, power_w, begin, rates)
        at = begin + timedelta(seconds=float(demand.energy_kwh * 3_600_000 / power_w))
    return total


def _program_cost(device: Program, now: datetime, rates: Sequence[Rate]) -> Decimal:
    if device.started_at is not None:
        return ZERO
    total, at = ZERO, now
    for part in device.profile:
        end = at + timedelta(seconds=part.duration_s)
        total += cost_of(part.power_w * part.duration_s / 3_600_000, at, end, rates)
        at = end
    return total


def _mean(rates: Sequence[Rate]) -> Decimal:
    known = [rate for rate in rates if rate.confidence > 0]
    seconds = sum((Decimal(repr((r.end - r.start).total_seconds())) for r in known), ZERO)
    if not seconds:
        return ZERO
    weighted = (r.price * Decimal(repr((r.end - r.start).total_seconds())) for r in known)
    return sum(weighted, ZERO) / seconds
