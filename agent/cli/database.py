"""The database for commands that only look: where it lies, and a copy of what it holds now."""

import argparse
import sys
from pathlib import Path

from agent.cli.common import (
    DATABASE,
    EX_CONFIG,
    EX_NOINPUT,
    read_config,
)
from agent.cli.config_options import add_config_options
from agent.cli.service import Service, find_service
from agent.command_line import command_line
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.paths import config_file, state_directory
from agent.store import Store


def add_folder_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, metavar="DIR", help="the folder of the database")
    add_config_options(parser, "the config file that names the folder")


def copied(command: str, args: argparse.Namespace) -> Store | int:
    """What the database holds now, to be closed; or the exit code after it was said why not.

    A running agent does not notice, and nothing is made that it could not write afterwards.
    """
    service = find_service() if args.as_service else None
    folder: Path | None = args.state
    if folder is None:
        try:
            folder = _folder(args.config, service)
        except ValueError:
            return EX_CONFIG
    path = folder / DATABASE
    try:
        with path.open("rb"):
            pass  # SQLite would not say whether it is missing or may not be read.
        return Store.copy_of(path)
    except (OSError, Damaged, NewerSchema, *READ_ERRORS) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        hint = f"; the service's own: {command_line(command, as_service=True)}"
        said = f"flatpeak-agent {command}: {path}: {why}{'' if args.as_service else hint}"
        print(said, file=sys.stderr)
        return EX_NOINPUT


def _folder(given: Path | None, service: Service | None) -> Path:
    """Where the agent keeps its database. Raises ValueError for a wrong config, already told."""
    environ = {} if service is None else {"environ": service.environ}
    if given is None and not config_file(None, **environ).exists():
        return state_directory(None, **environ)
    config = read_config(given, service)
    if config is None:
        raise ValueError
    return state_directory(config.state.directory, **environ)
