"""`flatpeak-agent savings`: what each device took, what that cost, what starting at once would."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.cli.arguments import CommandParser
from agent.cli.common import EX_OK, EX_USAGE
from agent.cli.database import add_folder_options, copied
from agent.cli.savings_text import (
    as_json,
    day_object,
    days_csv,
    days_table,
    figures_table,
    session_object,
    sessions_csv,
    sessions_table,
)
from agent.clock import SystemClock
from agent.energy.instants import from_unix
from agent.records.ledger import Figures
from agent.records.ledger_rows import number_of
from agent.records.stored_ledger import DayRecord, read_days, read_sessions, stored_figures
from agent.report.ledger_document import ledger_values
from agent.store import Store
from agent.tariff.identity import CURRENCY, TIMEZONE


def main(argv: list[str]) -> int:
    """Exit code 0, also where nothing was booked yet; 66 without a database to read."""
    parser = CommandParser(
        "savings",
        "Energy, cost and what starting at once would have cost: today, this month and ever, or "
        "the days of a month. A running agent does not notice; it writes every half hour.",
    )
    parser.add_argument("--month", type=_month, metavar="YYYY-MM", help="the days of that month")
    parser.add_argument("--device", metavar="ID", help="of that device alone")
    parser.add_argument("--sessions", action="store_true", help="by stay, run and window of heat")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="every day (or session) as CSV")
    form.add_argument("--json", action="store_true", help="as JSON, like the topic ledger")
    add_folder_options(parser)
    args = parser.parse_args(argv)
    store = copied("savings", args)
    if isinstance(store, int):
        return store
    try:
        return _print(store, args)
    finally:
        store.close()


def _print(store: Store, args: argparse.Namespace) -> int:
    now, zone = SystemClock().now(), _zone(store)
    days = read_days(store)
    known = sorted({day.device for day in days})
    if args.device is not None and args.device not in known:
        which = ", ".join(known) or "none yet"
        print(
            f"flatpeak-agent savings: of {args.device!r} nothing was booked; known: {which}",
            file=sys.stderr,
        )
        return EX_USAGE
    days = [day for day in days if _wanted(args, day.device, day.day)]
    sessions = [
        session
        for session in (read_sessions(store) if args.sessions else ())
        if _wanted(args, session.device, _day(session.since, zone))
    ]
    if args.csv:
        text = sessions_csv(sessions) if args.sessions else days_csv(days)
    elif args.json and args.sessions:
        text = as_json({"sessions": [session_object(session) for session in sessions]})
    elif args.json and args.month is not None:
        text = as_json({"days": [day_object(day) for day in days]})
    elif args.json:
        figures = _only(args.device, stored_figures(store, _currency(store, days), zone, now))
        text = as_json({"at": now, **ledger_values(figures)})
    elif args.sessions:
        text = sessions_table(sessions, zone)
    elif args.month is not None:
        text = days_table(days)
    else:
        figures = stored_figures(store, _currency(store, days), zone, now)
        text = figures_table(_only(args.device, figures), days)
    print(text, end="")
    return EX_OK


def _wanted(args: argparse.Namespace, device: str, day: int) -> bool:
    return args.device in (None, device) and args.month in (None, day // 100)


def _only(device: str | None, figures: Figures) -> Figures:
    kept = {name: one for name, one in figures.devices.items() if device in (None, name)}
    return Figures(figures.currency, figures.timezone, kept)


def _month(text: str) -> int:
    try:
        if len(text) != 7:
            raise ValueError
        when = datetime.strptime(f"{text}-01 +0000", "%Y-%m-%d %z")
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a month such as 2026-01, got {text!r}"
        ) from None
    return number_of(when.date()) // 100


def _zone(store: Store) -> ZoneInfo:
    """Where the days of the ledger are those of."""
    try:
        return ZoneInfo(store.get_value(TIMEZONE) or "UTC")
    except (LookupError, ValueError, OSError):
        return ZoneInfo("UTC")


def _currency(store: Store, days: Sequence[DayRecord]) -> str:
    return store.get_value(CURRENCY) or (days[-1].currency if days else "")


def _day(second: int, zone: ZoneInfo) -> int:
    return number_of(from_unix(second).astimezone(zone).date())
