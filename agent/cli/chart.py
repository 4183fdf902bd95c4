"""A plan for people: a table, a price chart over time with what runs when, and the reasons."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix
from agent.energy.plan import DevicePlan, Plan, Slot
from agent.energy.situation import Situation

BARS = "▁▂▃▄▅▆▇█"
COLUMNS = 96
STEPS_S = (900, 1800, 3600, 7200, 14400, 28800, 86400)


def plan_text(situation: Situation, plan: Plan) -> str:
    zone = ZoneInfo(situation.timezone)
    blocks = [_head(plan, zone), _table(plan), _chart(situation, plan, zone)]
    blocks += [_slots(device, zone, plan.currency) for device in plan.devices if device.slots]
    blocks.append(_why(plan))
    return "\n\n".join(block for block in blocks if block)


def _local(seconds: int, zone: ZoneInfo) -> datetime:
    return from_unix(seconds).astimezone(zone)


def _clock(seconds: int, zone: ZoneInfo) -> str:
    when = _local(seconds, zone)
    return when.strftime("%a %H:%M:%S" if when.second else "%a %H:%M")


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:.2f} {currency}"


def _head(plan: Plan, zone: ZoneInfo) -> str:
    made = _local(plan.made_at, zone).strftime("%a %Y-%m-%d %H:%M %Z")
    saved = plan.baseline_cost - plan.cost
    proof = {
        "optimal": "proved: no plan costs less",
        "best_found": f"the best found, at most {100 * plan.gap:.2f} % from the best there is",
        "rule": "made by rule, without a proof",
    }[plan.status.value]
    return "\n".join(
        [
            f"Plan of {made}, prices known until {_clock(plan.horizon, zone)} ({zone.key})",
            f"Cost {_money(plan.cost, plan.currency)}, "
            f"without a planner {_money(plan.baseline_cost, plan.currency)}, "
            f"saved {_money(saved, plan.currency)}; {proof}.",
        ]
    )


def _table(plan: Plan) -> str:
    if not plan.devices:
        return "No device to plan for."
    rows = [("device", "energy", "cost", "starts", "deadline", "plan")]
    for device in plan.devices:
        met = "met" if device.deadline_met else f"missed by {device.shortfall_kwh:.2f} kWh"
        rows.append(
            (
                device.id,
                f"{device.energy_kwh:.2f} kWh",
                _money(device.cost, plan.currency),
                str(device.starts),
                met,
                device.status.value.replace("_", " "),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    out = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in (1, 2, 3) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    out.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(out)


def _chart(situation: Situation, plan: Plan, zone: ZoneInfo) -> str:
    end = max([plan.horizon, *(slot.end for device in plan.devices for slot in device.slots)])
    if end <= plan.made_at:
        return ""
    step = next((s for s in STEPS_S if (end - plan.made_at) / s <= COLUMNS), STEPS_S[-1])
    first = plan.made_at - plan.made_at % step
    columns = min(COLUMNS, -(-(end - first) // step))
    starts = [first + column * step for column in range(columns)]
    prices = [_price(situation, start, start + step) for start in starts]
    known = [price for price in prices if price is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    name = max([5, *(len(device.id) for device in plan.devices)])
    lines = [
        " " * name + "  " + _hours(starts, zone),
        "price".ljust(name) + "  " + "".join(_bar(price, low, high) for price in prices),
    ]
    for device in plan.devices:
        row = "".join(_mark(device.slots, start, start + step) for start in starts)
        lines.append(device.id.ljust(name) + "  " + row)
    scale = f"prices {low:.4f} (▁) to {high:.4f} (█) {plan.currency}/kWh" if known else "no prices"
    lines.append(
        " " * name
        + f"  one column is {step // 60} min; {scale}; █ on, ▒ part of the column, ? unknown"
    )
    return "\n".join(lines)


def _hours(starts: Sequence[int], zone: ZoneInfo) -> str:
    """Local clock times above the columns, as many as there is room for."""
    line = ""
    for column, start in enumerate(starts):
        when = _local(start, zone)
        day_begins = column == 0 or when.date() != _local(starts[column - 1], zone).date()
        label = when.strftime("%a %H:%M") if day_begins else when.strftime("%H:%M")
        if (day_begins or (when.minute == 0 and when.hour % 3 == 0)) and len(line) <= column:
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


def _bar(price: float | None, low: float, high: float) -> str:
    if price is None:
        return "?"
    share = (price - low) / (high - low) if high > low else 0.0
    return BARS[min(len(BARS) - 1, int(share * len(BARS)))]


def _mark(slots: Sequence[Slot], start: int, end: int) -> str:
    on = sum(max(0, min(end, s.end) - max(start, s.start)) for s in slots if s.power_w)
    if on <= 0:
        return "·"
    return "█" if 2 * on > (end - start) else "▒"


def _slots(device: DevicePlan, zone: ZoneInfo, currency: str) -> str:
    lines = [f"{device.id}:"]
    for slot in device.slots:
        price = "price unknown" if slot.price is None else f"{slot.price:.4f} {currency}/kWh"
        span = f"{_clock(slot.start, zone)} - {_clock(slot.end, zone)}"
        lines.append(
            f"  {span:<28} {slot.mode:<9} {slot.power_w:>8.0f} W  {price:<20} "
            f"{_money(slot.cost, currency):>12}  {slot.reason}"
        )
    return "\n".join(lines)


def _why(plan: Plan) -> str:
    lines = [f"  {device.id}: {reason.text}" for device in plan.devices for reason in device.why]
    return "\n".join(["Why:", *lines]) if lines else ""
