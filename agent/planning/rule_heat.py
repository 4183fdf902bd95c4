"""A heat pump or a tank by rule: just enough power that the comfort minimum holds at cell ends."""

from dataclasses import dataclass, field
from itertools import pairwise
from math import exp

from agent.energy.situation import ComfortSpan, Situation, TemperatureSpan, Thermal
from agent.planning.house import Draw, Span

HOUR_S = 3600


@dataclass(slots=True)
class Heated:
    draws: list[Draw] = field(default_factory=list)
    temperatures: list[float] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    starts: int = 0


def heat(situation: Situation, device: Thermal, rooms: list[tuple[Span, float]]) -> Heated:
    """Cell by cell: off, or between its powers as far as the room under the limit allows."""
    low, high = float(device.min_power_w or 0), float(device.max_power_w)
    preheat = _hygiene_from(situation, device, rooms)
    rule, now = device.hygiene, situation.now
    temperature = float(device.temperature_c)
    on_since = None if device.on_since is None else device.on_since - now
    off_since = None if device.off_since is None else device.off_since - now
    out = Heated()
    for span, room in rooms:
        piece = _comfort(device.comfort, now + span.end)
        least = None if piece is None or piece.min_c is None else float(piece.min_c)
        if rule is not None and preheat is not None and preheat <= span.start < rule.by - now:
            least = max(float(rule.temp_c), least if least is not None else float(rule.temp_c))
        wanted = _needed(situation, device, span, temperature, least)
        power = 0.0
        if wanted > 0:
            power = min(max(wanted, low), high)
        must = on_since is not None and span.start - on_since < device.min_on_s
        barred = (
            on_since is None and off_since is not None and span.start - off_since < device.min_off_s
        )
        if must:
            power = max(power, low)
        elif barred:
            power = 0.0
        if power > room and not must:
            power = room if room >= max(low, 1.0) else 0.0
        if power and on_since is None:
            on_since, off_since = span.start, None
            out.starts += 1
        elif not power and on_since is not None:
            on_since, off_since = None, span.start
        temperature = _after(situation, device, span, temperature, power)
        if power:
            out.draws.append((span.start, span.end, power))
            out.temperatures.append(temperature)
            out.modes.append("normal" if device.control == "power" else "boost")
    return out


def _after(
    situation: Situation, device: Thermal, span: Span, start_c: float, power: float
) -> float:
    """The temperature at the end of a cell."""
    when = situation.now + span.start
    outdoor = _outdoor(device.outdoor, when)
    draw = sum(float(p.power_w) for p in device.draw if p.start <= when < p.end)
    watts = _cop(device, outdoor) * power + float(device.gains_w) - draw
    capacity = float(device.capacity_kwh_per_c) * 1000
    hours = (span.end - span.start) / HOUR_S
    loss = float(device.loss_w_per_c)
    if loss == 0:
        return start_c + watts * hours / capacity
    settled = outdoor + watts / loss
    return settled + (start_c - settled) * exp(-hours * loss / capacity)


def _needed(
    situation: Situation, device: Thermal, span: Span, start_c: float, least_c: float | None
) -> float:
    """The power with which the cell ends just at the least temperature (linear in power)."""
    if least_c is None:
        return 0.0
    idle = _after(situation, device, span, start_c, 0.0)
    lift = _after(situation, device, span, start_c, 1000.0) - idle
    short = least_c - idle
    return short / lift * 1000 if short > 0 and lift > 0 else 0.0


def _hygiene_from(
    situation: Situation, device: Thermal, rooms: list[tuple[Span, float]]
) -> int | None:
    """The latest cell from which full power holds the hygiene temperature long enough."""
    rule = device.hygiene
    if rule is None:
        return None
    by = rule.by - situation.now
    inside = [(span, room) for span, room in rooms if span.end <= by]
    for first in range(len(inside) - 1, -1, -1):
        temperature, held = float(device.temperature_c), 0
        for k, (span, room) in enumerate(inside):
            power = min(float(device.max_power_w), room) if k >= first else 0.0
            temperature = _after(situation, device, span, temperature, power)
            held = held + span.end - span.start if temperature >= float(rule.temp_c) else 0
        if held >= rule.hold_s:
            return inside[first][0].start
    return inside[0][0].start if inside else None


def _comfort(spans: tuple[ComfortSpan, ...], when: int) -> ComfortSpan | None:
    """The piece that holds at an instant; beside all pieces the nearest one."""
    inside = [span for span in spans if span.start <= when < span.end]
    if inside:
        return inside[0]
    return min(spans, key=lambda s: min(abs(s.start - when), abs(s.end - when)), default=None)


def _outdoor(spans: tuple[TemperatureSpan, ...], when: int) -> float:
    inside = [span for span in spans if span.start <= when < span.end]
    if not inside and spans:
        inside = [min(spans, key=lambda s: min(abs(s.start - when), abs(s.end - when)))]
    return float(inside[0].temp_c) if inside else 0.0


def _cop(device: Thermal, outdoor: float) -> float:
    """Linear between its points, flat outside."""
    points = [(float(t), float(c)) for t, c in device.cop]
    if not points:
        return 1.0
    if outdoor <= points[0][0]:
        return points[0][1]
    for (a, low), (b, high) in pairwise(points):
        if outdoor <= b:
            return low + (high - low) * (outdoor - a) / (b - a) if b > a else high
    return points[-1][1]
