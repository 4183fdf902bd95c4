"""`--config` and `--as-service`: which config a command reads, and whose folders it looks into."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from agent.cli.common import AS_SERVICE_HELP, read_config
from agent.cli.service import Service, find_service
from agent.config import Config
from agent.paths import config_file, state_directory

SERVICES_CONFIG = "the installed service has one of its own: --as-service reads it, with sudo"
# Said where a folder cannot be used by whoever gave the command.
OTHERS_FOLDER = "; for the installed service: --as-service, with sudo"


@dataclass(frozen=True, slots=True)
class ConfigRead:
    """`service` None: read as whoever gave the command; `path` is the file."""

    config: Config
    path: Path
    service: Service | None

    @property
    def folder(self) -> Path:
        """Where the agent of this config keeps its state."""
        environ = os.environ if self.service is None else self.service.environ
        return state_directory(self.config.state.directory, environ)

    @property
    def hint(self) -> str:
        """What to do where that folder cannot be used."""
        return OTHERS_FOLDER if self.service is None else ""


def add_config_options(
    parser: argparse.ArgumentParser, what: str = "the config file to read"
) -> None:
    parser.add_argument("--config", type=Path, help=what)
    parser.add_argument("--as-service", action="store_true", help=AS_SERVICE_HELP)


def read_chosen(args: argparse.Namespace) -> ConfigRead | None:
    """None after every fault has been printed on stderr."""
    service = find_service() if args.as_service else None
    config = read_config(args.config, service)
    if config is None:
        if service is None and args.config is None and not config_file(None).exists():
            print(f"  {SERVICES_CONFIG}", file=sys.stderr)
        return None
    environ = os.environ if service is None else service.environ
    return ConfigRead(config, config_file(args.config, environ), service)
