"""`flatpeak-agent provider`: the energy supplier's side. Needs the extra `provider`."""

import argparse
import asyncio
import csv
import errno
import importlib.util
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.arguments import CommandParser, UsageParser, instant, missing_file
from agent.cli.common import (
    EX_CONFIG,
    EX_DATAERR,
    EX_NOINPUT,
    EX_OK,
    EX_UNAVAILABLE,
    print_faults,
    run_until_stopped,
    set_up_logging,
    stop_on_signals,
)
from agent.clock import SystemClock
from agent.errors import AgentError, ConfigError

if TYPE_CHECKING:
    from integrations.provider.settings import ProviderConfig

PARTS = ("aiosqlite", "authlib", "psycopg", "pyotp", "sqlalchemy")
MOST_NOTES = 20


def main(argv: list[str]) -> int:
    """run, load, check or audit; the return value is the exit code."""
    args = _parser().parse_args(argv)
    missing = [name for name in PARTS if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"flatpeak-agent provider: {', '.join(missing)} not installed. The supplier's side is "
            "an extra: pip install -c constraints.txt '.[provider]', in the folder of the source",
            file=sys.stderr,
        )
        return EX_UNAVAILABLE
    from integrations.provider.settings import config_path, read_settings

    path = config_path(args.config).absolute()
    try:
        config = read_settings(path)
    except ConfigError as error:
        print_faults(f"{path}: ", error, "nothing was started")
        return EX_CONFIG
    set_up_logging(config.log.level)
    return run_until_stopped(_run(args, config, path))


async def _run(args: argparse.Namespace, config: "ProviderConfig", path: Path) -> int:
    try:
        if args.action == "run":
            return await _serve(args, config, path)
        if args.action == "load":
            from integrations.provider.csv_file import STDIN

            if missing := missing_file(path for path in args.files if path != STDIN):
                print(f"flatpeak-agent provider: {missing}", file=sys.stderr)
                return EX_NOINPUT
            return await _load(args.files, config)
        if args.action == "audit":
            return await _audit(args.since, config)
        return await _check(config)
    except ConfigError as error:
        print_faults("", error, "nothing was written")
        return EX_DATAERR
    except AgentError as error:
        print(f"flatpeak-agent provider: {error}", file=sys.stderr)
        return EX_UNAVAILABLE


async def _serve(args: argparse.Namespace, config: "ProviderConfig", path: Path) -> int:
    from integrations.provider.serving import serve, stop_with_supervisor, supervise

    stop = asyncio.Event()
    stop_on_signals(stop)
    try:
        if config.http.workers > 1 and not args.worker:
            return await supervise(config, path, stop)
        if args.worker:
            stop_with_supervisor(stop)
        await serve(config, SystemClock(), stop, args.worker)
    except OSError as error:
        where = f"{config.http.host} port {config.http.port}"
        why = error.strerror
        if error.errno == errno.EADDRINUSE:
            why = "another process listens there; is it running already?"
        print(f"flatpeak-agent provider: {where}: {why}", file=sys.stderr)
        return EX_UNAVAILABLE
    return EX_OK


async def _load(files: list[Path], config: "ProviderConfig") -> int:
    from integrations.provider.loader import load_files
    from integrations.provider.serving import open_database

    database = open_database(config)
    try:
        await database.migrate()
        loaded = await load_files(database, files)
    finally:
        await database.close()
    for note in loaded.notes[:MOST_NOTES]:
        print(f"note: {note}", file=sys.stderr)
    if (more := len(loaded.notes) - MOST_NOTES) > 0:
        print(f"note: {more} more of this kind", file=sys.stderr)
    print(
        ", ".join(f"{count} {name}" for name, count in loaded.counts.items() if count) or "nothing"
    )
    return EX_OK


async def _audit(since: datetime | None, config: "ProviderConfig") -> int:
    from integrations.provider.audit import COLUMNS, entries
    from integrations.provider.serving import open_database

    database = open_database(config)
    writer = csv.DictWriter(sys.stdout, COLUMNS)
    try:
        await database.migrate()
        writer.writeheader()
        async for entry in entries(database, since):
            writer.writerow(entry)
    finally:
        await database.close()
    return EX_OK


async def _check(config: "ProviderConfig") -> int:
    from integrations.provider.checks import check

    results = await check(config, SystemClock().now())
    for result in results:
        print(f"{'ok  ' if result.good else 'FAIL'}  {result.what}: {result.found}")
    return EX_OK if all(result.good for result in results) else EX_UNAVAILABLE


def _sockets(text: str) -> list[socket.socket]:
    """The option's value for a worker: those of its supervisor, by their numbers."""
    return [socket.socket(fileno=int(number)) for number in text.split(",")]


def _parser() -> CommandParser:
    parser = CommandParser("provider", "The energy supplier's side of FlatPeak Connect.")
    common = UsageParser(add_help=False)
    common.add_argument("--config", type=Path, metavar="FILE", help="provider.yaml")
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="run|load|check|audit", parser_class=UsageParser
    )
    run = actions.add_parser("run", parents=[common], help="serve pages, tokens and tariffs")
    run.add_argument("--worker", type=_sockets, default=(), help=argparse.SUPPRESS)
    load = actions.add_parser("load", parents=[common], help="customers and tariffs from CSV files")
    load.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.csv", help="- is standard input, once"
    )
    actions.add_parser(
        "check", parents=[common], help="database, FlatPeak and tariffs: what is wrong"
    )
    audit = actions.add_parser("audit", parents=[common], help="the audit log as CSV")
    audit.add_argument("--since", type=instant, metavar="INSTANT", help="2026-04-01T00:00:00Z")
    return parser
