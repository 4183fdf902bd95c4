"""What energy costs at the prices that hold, and what starting at once would have cost. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from agent.energy.curve import interpolated
from agent.energy.instants import from_unix
from agent.energy.rates import Rate
from agent.energy.situation import (
    ZERO,
    ComfortSpan,
    Flexible,
    Program,
    Storage,
    TemperatureSpan,
    Thermal,
)
from agent.home.estimates.heat_loss import HeatStore

SpanT = TypeVar("SpanT", ComfortSpan, TemperatureSpan)


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
    """What the device's demands cost without a planner.

    One after the other, each from when it may begin, at full power.
    """
    if device is None or isinstance(device, Storage) or not rates:
        # What a battery would do by itself depends on the house, not on its prices.
        return ZERO
    if isinstance(device, Thermal):
        return _thermostat_cost(device, now, rates)
    if isinstance(device, Program):
        return _program_cost(device, now, rates)
    total, at = ZERO, now
    for demand in device.demands:
        begin = at if demand.earliest is None else max(at, from_unix(demand.earliest))
        total += cost_at_once(demand.energy_kwh, power_w, begin, rates)
        at = begin + timedelta(seconds=float(demand.energy_kwh * 3_600_000 / power_w))
    return total


def _thermostat_cost(device: Thermal, now: datetime, rates: Sequence[Rate]) -> Decimal:
    """What holding the comfort minimum costs, hour by hour as far as prices are known."""
    store = HeatStore(
        float(device.capacity_kwh_per_c), float(device.loss_w_per_c), float(device.gains_w)
    )
    curve = [(float(at), float(number)) for at, number in device.cop] or [(0.0, 1.0)]
    total, at, temperature = ZERO, now, float(device.temperature_c)
    end = max(rate.end for rate in rates)
    while at < end:
        until = at + timedelta(hours=1)
        outdoor = float(_at(device.outdoor, at).temp_c) if device.outdoor else 0.0
        drawn = sum(float(d.power_w) for d in device.draw if d.start <= at.timestamp() < d.end)
        idle = store.after(temperature, outdoor, -drawn, 1.0)
        rise = store.after(temperature, outdoor, 1.0 - drawn, 1.0) - idle
        rise *= interpolated(curve, outdoor)
        least = _at(device.comfort, until).min_c if device.comfort else None
        watts = 0.0 if least is None else max(0.0, (float(least) - idle) / rise)
        watts = min(float(device.max_power_w), watts)
        temperature = idle + rise * watts
        if watts:
            total += cost_of(Decimal(repr(round(watts / 1000, 6))), at, until, rates)
        at = until
    return total


def _at(spans: Sequence[SpanT], when: datetime) -> SpanT:
    """The span that holds then, else the last one before it, else the first."""
    second = when.timestamp()
    return next((span for span in reversed(spans) if span.start <= second), spans[0])


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
