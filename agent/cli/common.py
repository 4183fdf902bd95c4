"""What several commands share: exit codes, logging, the config with its faults printed."""

import logging
import sys
from pathlib import Path

from agent.config import Config, load_config
from agent.errors import ConfigError
from agent.paths import config_file

EX_OK = 0
EX_USAGE = 64
EX_DATAERR = 65
EX_UNAVAILABLE = 69
EX_CONFIG = 78


def read_config(given: Path | None) -> Config | None:
    """The config, or None after every fault has been printed on stderr."""
    path = config_file(given)
    try:
        return load_config(path)
    except ConfigError as error:
        count = len(error.faults)
        print(
            f"{path}: {count} {'thing is' if count == 1 else 'things are'} wrong, "
            "nothing was started",
            file=sys.stderr,
        )
        for fault in error.faults:
            print(f"  {fault}", file=sys.stderr)
        return None


def set_up_logging(level: str) -> None:
    """One line an event on stderr; under systemd the journal adds the time."""
    logging.basicConfig(
        level=level.upper(), format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr
    )
    for noisy in ("aiomqtt", "mqtt", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
