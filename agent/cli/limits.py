"""`flatpeak-agent limits`: what the grid operator allowed, what was sent, what was measured."""

import sys
from collections.abc import Sequence
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import (
    AS_SERVICE_HELP,
    DATABASE,
    EX_CONFIG,
    EX_NOINPUT,
    EX_OK,
    read_config,
)
from agent.cli.service import Service, find_service
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.energy.instants import format_instant
from agent.paths import config_file, state_directory
from agent.records.limit_log import LimitRecord, read_limits, to_csv
from agent.store import Store

HEAD = f"{'at (UTC)':<20} {'limit':>12} {'devices told':>14} {'measured':>12}"


def main(argv: list[str]) -> int:
    """Exit code 0, also where no limit ever came; 66 without a database to read."""
    parser = CommandParser(
        "limits",
        "The record of every limit on the topic site/limit, kept for two years. "
        "A running agent does not notice.",
    )
    parser.add_argument("--csv", action="store_true", help="as CSV: at,limit_w,sent_w,measured_w")
    parser.add_argument("--state", type=Path, metavar="DIR", help="the folder of the database")
    parser.add_argument("--config", type=Path, help="the config file that names the folder")
    parser.add_argument("--as-service", action="store_true", help=AS_SERVICE_HELP)
    args = parser.parse_args(argv)
    service = find_service() if args.as_service else None
    folder = args.state
    if folder is None:
        try:
            folder = _folder(args.config, service)
        except ValueError:
            return EX_CONFIG
    try:
        records = _records(folder / DATABASE)
    except (OSError, Damaged, NewerSchema, *READ_ERRORS) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        hint = (
            ""
            if args.as_service
            else "; the service's own: sudo flatpeak-agent limits --as-service"
        )
        print(f"flatpeak-agent limits: {folder / DATABASE}: {why}{hint}", file=sys.stderr)
        return EX_NOINPUT
    print(to_csv(records) if args.csv else table(records), end="")
    return EX_OK


def _folder(given: Path | None, service: Service | None) -> Path:
    """Where the agent keeps its database. Raises ValueError for a wrong config, already told."""
    environ = {} if service is None else {"environ": service.environ}
    if given is None and not config_file(None, **environ).exists():
        return state_directory(None, **environ)
    config = read_config(given, service)
    if config is None:
        raise ValueError
    return state_directory(config.state.directory, **environ)


def _records(path: Path) -> Sequence[LimitRecord]:
    """Raises OSError, READ_ERRORS, Damaged, NewerSchema."""
    with path.open("rb"):
        pass  # SQLite would not say whether it is missing or may not be read.
    store = Store.copy_of(path)
    try:
        return read_limits(store)
    finally:
        store.close()


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
