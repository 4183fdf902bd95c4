"""Prices over time as bars, and below them what each device does when."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.cli.terminal import Signs
from agent.energy.instants import from_unix
from agent.energy.plan import Plan, Slot
from agent.energy.situation import Situation

STEPS_S = (900, 1800, 3600, 7200, 14400, 28800, 86400)


def chart(situation: Situation, plan: Plan, columns: int, signs: Signs) -> str:
    """Empty where there is no time to show."""
    zone = ZoneInfo(situation.timezone)
    name = max([5, *(len(device.id) for device in plan.devices)])
    room = columns - name - 2
    end = max([plan.horizon, *(slot.end for device in plan.devices for slot in device.slots)])
    if end <= plan.made_at:
        return ""
    step = next((s for s in STEPS_S if (end - plan.made_at) / s <= room - 1), STEPS_S[-1])
    first = plan.made_at - plan.made_at % step
    count = min(room, -(-(end - first) // step))
    starts = [first + column * step for column in range(count)]
    prices = [_price(situation, start, start + step) for start in starts]
    known = [price for price in prices if price is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    bars = "".join(_bar(price, low, high, signs.bars[1:]) for price in prices)
    lines = [f"{' ' * name}  {_hours(starts, zone)}", f"{'price'.ljust(name)}  {bars}"]
    for device in plan.devices:
        row = "".join(_mark(device.slots, start, start + step, signs) for start in starts)
        lines.append(f"{device.id.ljust(name)}  {row}")
    scale = "no prices"
    if known:
        scale = f"{signs.bars[1]} {low:.4f}  {signs.bars[-1]} {high:.4f} {plan.currency}/kWh"
    lines.append(f"{' ' * name}  {_minutes(step)} a column; {scale}")
    gives = any(slot.power_w < 0 for device in plan.devices for slot in device.slots)
    legend = [f"{signs.on} on", f"{signs.part} in part"]
    legend += [f"{signs.gives} gives"] if gives else []
    legend += ["? no price"] if len(known) < len(prices) else []
    lines.append(f"{' ' * name}  {'  '.join(legend)}")
    return "\n".join(lines)


def _minutes(step: int) -> str:
    return f"{step // 60} min" if step < 3600 else f"{step // 3600} h"


def _hours(starts: Sequence[int], zone: ZoneInfo) -> str:
    """Local clock times above the columns, as many as there is room for."""

    def local(column: int) -> datetime:
        return from_unix(starts[column]).astimezone(zone)

    line = ""
    for column in range(len(starts)):
        when = local(column)
        day_begins = column == 0 or when.date() != local(column - 1).date()
        label = when.strftime("%a %H:%M" if day_begins else "%H:%M")
        even = when.minute == 0 and when.hour % 3 == 0
        if (day_begins or even) and len(line) <= column and column + len(label) <= len(starts):
            line += " " * (column - len(line)) + label + " "
    return line.rstrip()


def _price(situation: Situation, start: int, end: int) -> float | None:
    """The mean price of a column over its known part."""
    worth, length = 0.0, 0
    for rate in situation.import_rates:
        span = min(end, rate.end) - max(start, rate.start)
        if span > 0 and rate.confidence > 0:
            worth += float(rate.price) * span
            length += span
    return worth / length if length else None


def _bar(price: float | None, low: float, high: float, bars: str) -> str:
    if price is None:
        return "?"
    share = (price - low) / (high - low) if high > low else 0.0
    return bars[min(len(bars) - 1, int(share * len(bars)))]


def _mark(slots: Sequence[Slot], start: int, end: int, signs: Signs) -> str:
    on = gives = 0
    for slot in slots:
        span = max(0, min(end, slot.end) - max(start, slot.start))
        on += span if slot.power_w > 0 else 0
        gives += span if slot.power_w < 0 else 0
    if gives > on:
        return signs.gives
    if not on:
        return signs.off
    return signs.on if 2 * on > end - start else signs.part
