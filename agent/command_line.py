"""What a person on this machine types to reach an agent: the command, with what leads it there.

Every hint that names a command is written here: without `sudo` and `--as-service` it would look
into a service's folders in vain, without `--config` into those of another config.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.paths import APP, CONFIG_VARIABLE

# Shown in place of a path that is nobody else's business.
SOME_FILE = "FILE"


def command_line(words: str, *, as_service: bool, config: str = "") -> str:
    """`words` such as "connect --pair CODE"; `config` where it is not found without being named."""
    command = f"sudo {APP} {words} --as-service" if as_service else f"{APP} {words}"
    return f"{command} --config {shlex.quote(config)}" if config else command


def own_command_line(
    words: str,
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    to_strangers: bool = False,
) -> str:
    """The command that reaches the agent that this process is, or that it speaks for.

    A service is told its folders by systemd (systemd.exec(5), STATE_DIRECTORY). `argv` None: this
    process's own. `to_strangers`: no path is named.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", nargs="?")
    parser.add_argument("--as-service", action="store_true")
    given, _ = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    config = given.config or environ.get(CONFIG_VARIABLE) or ""
    if config:
        config = SOME_FILE if to_strangers else str(Path(config).resolve())
    as_service = given.as_service or "STATE_DIRECTORY" in environ
    return command_line(words, as_service=as_service, config=config)
