"""What the commands' options have in common: the words about a wrong one, and the exit code."""

import argparse
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from agent.energy.instants import parse_instant

EX_USAGE = 64


class UsageParser(argparse.ArgumentParser):
    """Wrong usage ends with 64, not argparse's 2."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(EX_USAGE, f"{self.prog}: {message}\n")


class CommandParser(UsageParser):
    """The options of `flatpeak-agent COMMAND`."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(prog=f"flatpeak-agent {command}", description=description)


def number_to(most: float) -> Callable[[str], float]:
    """An option's type: a number above 0 and at most `most`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number above 0, at most {most:,.0f}, got {text!r}"
            )
        return value

    return read


def missing_file(paths: Iterable[Path]) -> str:
    """Which of the files a command shall read cannot be read, and why; empty where all can."""
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as error:
            return f"{path}: {error.strerror}"
    return ""


def time_zone(text: str) -> str:
    """An option's type: an IANA time zone."""
    # Imported here: options are read without the models of the config.
    from agent.config.base import zone_name

    try:
        return zone_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time zone; {error}") from error


def instant(text: str) -> datetime:
    """An option's type: an instant of UTC."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected an instant such as 2026-01-16T10:00:00Z, got {text!r}"
        ) from error


def port(text: str) -> int:
    """An option's type: a TCP port; 0 lets the system choose."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, got {text!r}")
    return int(text)
