"""Comfort that the plan in force misses by no more than anybody feels counts as held. Pure.

An old plan keeps a limit to a hair, and no price beats comfort: the next reading, a hundredth of a
degree off, would move runs. So where what is left of it reaches a little beyond a limit, the limit
has that slack. Where it is further off, comfort is as it was asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from agent.energy.curve import interpolated
from agent.energy.situation import ComfortSpan, PowerSpan, TemperatureSpan, Thermal
from agent.home.estimates.heat_loss import HeatStore

QUARTER_S = 900
# A planner rounds powers and temperatures, and its plans reach limits exactly.
ROUNDING_C = 0.002


def with_slack(
    device: Thermal, plan: Sequence[PowerSpan], now: int, slack_c: float, until: int
) -> Thermal:
    """`plan`: what it does by the plan in force, `until`: as far as anything is planned."""
    slack, felt_c = Decimal(repr(slack_c)), slack_c - ROUNDING_C
    out: list[ComfortSpan] = []
    for start, end, reached_c in _reached(device, plan, now, until):
        piece = next((one for one in device.comfort if one.start <= start < one.end), None)
        if piece is None:
            return device
        least, most = piece.min_c, piece.max_c
        if least is not None and -ROUNDING_C < float(least) - reached_c < felt_c:
            least -= slack
        if most is not None and -ROUNDING_C < reached_c - float(most) < felt_c:
            most += slack
        out.append(ComfortSpan(start, end, least, most))
    last = out[-1].end
    rest = [replace(one, start=max(one.start, last)) for one in device.comfort if one.end > last]
    return replace(device, comfort=tuple(_joined([*out, *rest])))


def _reached(
    device: Thermal, plan: Sequence[PowerSpan], now: int, until: int
) -> Iterator[tuple[int, int, float]]:
    """Spans, and the temperature where they begin: comfort is judged at the end of a cell, by the
    piece that begins there."""
    store = HeatStore(
        float(device.capacity_kwh_per_c), float(device.loss_w_per_c), float(device.gains_w)
    )
    curve = [(float(at), float(cop)) for at, cop in device.cop]
    cuts: tuple[PowerSpan | TemperatureSpan | ComfortSpan, ...]
    cuts = (*plan, *device.draw, *device.outdoor, *device.comfort)
    edges = {edge for one in cuts for edge in (one.start, one.end)}
    edges |= {*range(now - now % QUARTER_S, until + QUARTER_S, QUARTER_S)}
    inside = [now, *sorted(edge for edge in edges if now < edge < until), until]
    temperature = float(device.temperature_c)
    for start, end in pairwise(inside):
        yield start, end, temperature
        outdoor = _outdoor(device.outdoor, start)
        heat_w = _power(plan, start) * (interpolated(curve, outdoor) if curve else 1.0)
        heat_w -= _power(device.draw, start)
        temperature = store.after(temperature, outdoor, heat_w, (end - start) / 3600)
    yield until, until + QUARTER_S, temperature


def _power(spans: Sequence[PowerSpan], at: int) -> float:
    return next((float(one.power_w) for one in spans if one.start <= at < one.end), 0.0)


def _outdoor(spans: Sequence[TemperatureSpan], at: int) -> float:
    before = [one for one in spans if one.start <= at] or list(spans[:1])
    return float(before[-1].temp_c) if before else 0.0


def _joined(pieces: Sequence[ComfortSpan]) -> list[ComfortSpan]:
    out: list[ComfortSpan] = []
    for one in pieces:
        last = out[-1] if out else None
        if last is not None and (last.min_c, last.max_c) == (one.min_c, one.max_c):
            out[-1] = replace(last, end=one.end)
        else:
            out.append(one)
    return out
