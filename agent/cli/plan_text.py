"""A plan for people: what it costs, a chart of prices with what runs when, the slots, the reasons.

As wide as the terminal, in signs that its encoding has.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.cli.price_chart import chart
from agent.cli.terminal import SIGNS, Signs
from agent.energy.instants import from_unix
from agent.energy.plan import DevicePlan, Plan, Slot, Status
from agent.energy.situation import Situation

LEAST_COLUMNS, MOST_COLUMNS = 60, 120
# The slots of a device that are shown one by one.
MOST_ROWS = 12
# Codes that would make a row too long.
SHORT = {"needed_by_deadline": "needed"}
ZERO = Decimal(0)


def plan_text(situation: Situation, plan: Plan, columns: int = 80, signs: Signs = SIGNS) -> str:
    columns = max(LEAST_COLUMNS, min(MOST_COLUMNS, columns))
    zone = ZoneInfo(situation.timezone)
    blocks = [_head(plan, zone, columns), _devices(situation, plan)]
    blocks.append(chart(situation, plan, columns, signs))
    blocks += [_slots(device, zone, plan.currency) for device in plan.devices if device.slots]
    blocks.append(_why(plan, columns))
    return "\n\n".join(block for block in blocks if block).replace("°C", signs.degrees)


def _local(seconds: int, zone: ZoneInfo) -> datetime:
    return from_unix(seconds).astimezone(zone)


def _clock(seconds: int, zone: ZoneInfo) -> str:
    when = _local(seconds, zone)
    return when.strftime("%a %H:%M:%S" if when.second else "%a %H:%M")


def _span(start: int, end: int, zone: ZoneInfo) -> str:
    """`Fri 22:00 - 23:30`; the second weekday where it is another."""
    last = _clock(end, zone)
    if _local(start, zone).date() == _local(end, zone).date():
        last = last.split(" ", 1)[1]
    return f"{_clock(start, zone)} - {last}"


def _head(plan: Plan, zone: ZoneInfo, columns: int) -> str:
    made = _local(plan.made_at, zone).strftime("%a %Y-%m-%d %H:%M %Z")
    saved, currency = plan.baseline_cost - plan.cost, plan.currency
    known = f"prices known until {_clock(plan.horizon, zone)}"
    if plan.horizon <= plan.made_at:
        known = "no prices known"
    money = f"Costs {plan.cost:.2f} {currency}, {plan.baseline_cost:.2f} without a planner: "
    money += f"saves {saved:.2f} {currency}."
    if saved < 0:
        money = (
            f"Costs {plan.cost:.2f} {currency}, {plan.baseline_cost:.2f} without a planner, "
            "which would keep neither limits nor the plan in force."
        )
    left = plan.objective - plan.bound
    proof = {
        Status.OPTIMAL: "Proved: no plan costs less.",
        Status.BEST_FOUND: f"The best found: at most {left:.2f} {currency} less is possible.",
        Status.RULE: "Made by rule, without a proof.",
    }[plan.status]
    lines = [f"Plan of {made}, {known} ({zone.key})", f"{money} {proof}"]
    return "\n".join(textwrap.fill(line, columns) for line in lines)


def _table(rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    """Columns as wide as they have to be; those in `right` are numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    out = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def _devices(situation: Situation, plan: Plan) -> str:
    if not plan.devices:
        return "No device to plan for."
    kinds = {device.id: device.kind for device in situation.devices}
    rows = [("device", "energy", "cost", "starts", "deadline", "plan")]
    for device in plan.devices:
        met = "met" if kinds.get(device.id) in ("flexible", "program") else "-"
        if not device.deadline_met:
            met = f"missed by {device.shortfall_kwh:.2f} kWh"
        rows.append(
            (
                device.id,
                f"{device.energy_kwh:.2f} kWh",
                f"{device.cost:.2f} {plan.currency}",
                str(device.starts),
                met,
                device.status.value.replace("_", " "),
            )
        )
    return _table(rows, (1, 2, 3))


@dataclass(frozen=True, slots=True)
class _Row:
    """Slots that follow each other with one mode and one reason."""

    start: int
    end: int
    mode: str
    reason: str
    energy_kwh: Decimal
    cost: Decimal
    priced_kwh: Decimal
    worth: Decimal


def _rows(slots: Sequence[Slot]) -> Iterator[_Row]:
    last: _Row | None = None
    for slot in slots:
        energy = slot.power_w * (slot.end - slot.start) / 3_600_000
        priced = ZERO if slot.price is None else abs(energy)
        worth = priced * (slot.price or ZERO)
        row = _Row(slot.start, slot.end, slot.mode, slot.reason, energy, slot.cost, priced, worth)
        if last is not None and (last.end, last.mode, last.reason) == (
            slot.start,
            slot.mode,
            slot.reason,
        ):
            last = replace(
                last,
                end=row.end,
                energy_kwh=last.energy_kwh + row.energy_kwh,
                cost=last.cost + row.cost,
                priced_kwh=last.priced_kwh + row.priced_kwh,
                worth=last.worth + row.worth,
            )
            continue
        if last is not None:
            yield last
        last = row
    if last is not None:
        yield last


def _slots(device: DevicePlan, zone: ZoneInfo, currency: str) -> str:
    rows = list(_rows(device.slots))
    lines = [(device.id, "mode", "kW", "kWh", "price", currency, "why")]
    for row in rows[:MOST_ROWS]:
        kilowatts = row.energy_kwh * 3600 / (row.end - row.start)
        price = f"{row.worth / row.priced_kwh:.4f}" if row.priced_kwh else "-"
        lines.append(
            (
                _span(row.start, row.end, zone),
                row.mode,
                f"{kilowatts:.2f}",
                f"{row.energy_kwh:.2f}",
                price,
                f"{row.cost:.2f}",
                SHORT.get(row.reason, row.reason.replace("_", " ")),
            )
        )
    text = _table(lines, (2, 3, 4, 5))
    more = len(rows) - MOST_ROWS
    return text if more <= 0 else f"{text}\n... and {more} more until {_clock(rows[-1].end, zone)}"


def _why(plan: Plan, columns: int) -> str:
    width = max((len(device.id) for device in plan.devices), default=0)
    lines = []
    for device in plan.devices:
        for index, reason in enumerate(device.why):
            name = device.id if not index else ""
            lines.append(
                textwrap.fill(
                    reason.text,
                    columns,
                    initial_indent=f"  {name.ljust(width)}  ",
                    subsequent_indent=" " * (width + 4),
                    break_on_hyphens=False,
                )
            )
    return "\n".join(["Why:", *lines]) if lines else ""
