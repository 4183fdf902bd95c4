"""`flatpeak-agent limits`: what the grid operator allowed, what was sent, what was measured."""

from collections.abc import Sequence

from agent.cli.arguments import CommandParser
from agent.cli.common import EX_OK
from agent.cli.database import add_folder_options, copied
from agent.energy.instants import format_instant
from agent.records.limit_log import HEADER, LimitRecord, read_limits, to_csv

HEAD = f"{'at (UTC)':<20} {'limit':>12} {'devices told':>14} {'measured':>12}"


def main(argv: list[str]) -> int:
    """Exit code 0, also where no limit ever came; 66 without a database to read."""
    parser = CommandParser(
        "limits",
        "The record of every limit on the topic site/limit, kept for two years. "
        "A running agent does not notice.",
    )
    parser.add_argument("--csv", action="store_true", help=f"as CSV: {','.join(HEADER)}")
    add_folder_options(parser)
    args = parser.parse_args(argv)
    store = copied("limits", args)
    if isinstance(store, int):
        return store
    try:
        records = read_limits(store)
    finally:
        store.close()
    print(to_csv(records) if args.csv else table(records), end="")
    return EX_OK


def table(records: Sequence[LimitRecord]) -> str:
    """For people: one line a limit."""
    if not records:
        return "no limit has come yet\n"
    lines = [HEAD]
    for item in records:
        limit = "lifted" if item.limit_w is None else _watts(item.limit_w)
        lines.append(
            f"{format_instant(item.at):<20} {limit:>12} {_watts(item.sent_w):>14} "
            f"{_watts(item.measured_w):>12}"
        )
    return "\n".join(lines) + "\n"


def _watts(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} W"
