"""The ledger in words: tables for people, at most 80 columns of ASCII, CSV and JSON for scripts."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.contracts.text import plain_number, wire_json
from agent.energy.instants import format_instant, from_unix
from agent.records.demand_session import DemandSession
from agent.records.ledger import Figures
from agent.records.ledger_rows import date_of
from agent.records.stored_ledger import DayRecord
from agent.records.sums import Sums, total, whole
from agent.report.ledger_document import session_values, sum_values

NAME_WIDTH = 32
SUMS = ("energy_kwh", "cost", "baseline_cost", "saved", "pending_kwh", "estimated")
DAY_HEADER = ("day", "device", "currency", *SUMS)
SESSION_HEADER = (
    *("since", "until", "device", "currency", *SUMS),
    *("planned_kwh", "planned_cost", "best_cost", "regret", "ready_by"),
)
NOTHING_YET = "nothing has been booked yet: it begins with the first energy that a device takes\n"


# --- for scripts ----------------------------------------------------------------------------------


def days_csv(days: Iterable[DayRecord]) -> str:
    return _csv(DAY_HEADER, (day_object(day) for day in days))


def sessions_csv(sessions: Iterable[DemandSession]) -> str:
    """An open session has no `until`."""
    return _csv(SESSION_HEADER, (session_object(session) for session in sessions))


def day_object(day: DayRecord) -> dict[str, object]:
    head = {"day": f"{date_of(day.day)}", "device": day.device, "currency": day.currency}
    return {**head, **sum_values(day.sums)}


def session_object(session: DemandSession) -> dict[str, object]:
    head = {"device": session.device, "currency": session.currency}
    return {**head, **session_values(session)}


def _csv(header: Sequence[str], rows: Iterable[dict[str, object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in header])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return format_instant(value)
    return plain_number(value) if isinstance(value, Decimal) else str(value)


def as_json(document: object) -> str:
    return wire_json(document) + "\n"


# --- for people -----------------------------------------------------------------------------------


def figures_table(figures: Figures, days: Sequence[DayRecord]) -> str:
    """Today, this month and ever, of each device and in all; at most 80 columns wide."""
    if not days:
        return NOTHING_YET
    lines = [f"{figures.currency or 'no currency yet'}, days in {figures.timezone}", ""]
    whole_house = figures.total
    for period, title in (("today", "today"), ("month", "this month"), ("ever", "ever")):
        lines.append(_head(title))
        lines += [
            _line(name, getattr(device.periods, period)) for name, device in figures.devices.items()
        ]
        if len(figures.devices) > 1:
            lines.append(_line("in all", getattr(whole_house, period)))
        lines.append("")
    opened = [
        (name, device.session)
        for name, device in figures.devices.items()
        if device.session is not None and device.session.is_open
    ]
    for name, session in opened:
        lines.append(
            f"{name}: under way since {_local(session.since, ZoneInfo(figures.timezone))}, "
            f"{session.sums.energy_kwh:.1f} of {whole(session.planned):.1f} kWh"
        )
    lines += _notes(whole_house.ever, days, figures.currency)
    return "\n".join(lines).rstrip() + "\n"


def days_table(days: Sequence[DayRecord]) -> str:
    if not days:
        return "nothing was booked in that month\n"
    lines = []
    for currency in dict.fromkeys(day.currency for day in days):
        mine = [day for day in days if day.currency == currency]
        lines.append(_head(currency or "no currency yet"))
        lines += [_line(f"{date_of(day.day)} {day.device}", day.sums) for day in mine]
        lines += [_line("in all", total(day.sums for day in mine)), ""]
        lines += _notes(total(day.sums for day in mine), mine, currency)
    return "\n".join(lines).rstrip() + "\n"


def sessions_table(sessions: Sequence[DemandSession], zone: ZoneInfo) -> str:
    if not sessions:
        return "no session has begun yet\n"
    head = (
        f"{'since':<16} {'device':<15}{'kWh':>8}{'planned':>8}{'cost':>8}{'saved':>8}{'regret':>8}"
    )
    lines = [head]
    for one in sessions:
        best = one.best_cost
        regret = "-" if best is None else f"{whole(one.sums.cost - best):.2f}"
        lines.append(
            f"{_local(one.since, zone)} {one.device[:15]:<15}"
            f"{one.sums.energy_kwh:>8.1f}{whole(one.planned):>8.1f}{one.sums.cost_money:>8.2f}"
            f"{one.sums.saved_money:>8.2f}{'open' if one.is_open else regret:>8}"
        )
    return "\n".join(lines) + "\n"


def _head(title: str) -> str:
    return f"{title:<{NAME_WIDTH}} {'energy':>12} {'cost':>9} {'at once':>9} {'saved':>9}"


def _line(name: str, sums: Sums) -> str:
    mark = "*" if sums.pending or sums.estimated else ""
    return (
        f"{name[:NAME_WIDTH]:<{NAME_WIDTH}} {sums.energy_kwh:>8.1f} kWh {sums.cost_money:>9.2f} "
        f"{sums.baseline_money:>9.2f} {sums.saved_money:>9.2f}{mark}"
    )


def _notes(sums: Sums, days: Sequence[DayRecord], currency: str) -> list[str]:
    lines = []
    if sums.pending:
        kwh = f"{sums.pending_kwh:.1f} kWh"
        lines.append(f"* {kwh} have no known price yet: they are in no cost until it comes.")
    elif sums.estimated:
        lines.append("* some prices are not confirmed yet; what they cost may still change.")
    for other in dict.fromkeys(day.currency for day in days if day.currency != currency):
        ever = total(day.sums for day in days if day.currency == other)
        lines.append(
            f"Before that, in {other or 'no currency'}: {ever.energy_kwh:.1f} kWh for "
            f"{ever.cost_money:.2f}, saved {ever.saved_money:.2f}."
        )
    return lines


def _local(second: int, zone: ZoneInfo) -> str:
    return f"{from_unix(second).astimezone(zone):%Y-%m-%d %H:%M}"
