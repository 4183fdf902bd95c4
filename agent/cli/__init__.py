"""The front door: `flatpeak-agent COMMAND`. A command's module is imported when it is called."""

import errno
import importlib
import io
import os
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from types import FrameType
from typing import TextIO

from agent import __version__
from agent.cli.interrupt import EX_INTERRUPTED, ending_at_once

COMMANDS = {
    "run": "keep rates, plan, tell the appliances (what the service does)",
    "demo": "see it at work: sandbox, broker and simulated appliances embedded",
    "plan": "plan one Situation, or one a line, without a running agent",
    "situation": "what a plan of the agent's was made from, as JSON for plan",
    "check": "read the configuration, try broker, tariff, folder and clock, say what is wrong",
    "connect": "connect your tariff, show it, or end the connection",
    "claim": "print a one-time code for the local pages: the first password, or a forgotten one",
    "savings": "what each device took, cost and saved: in all, by day, by session, also as CSV",
    "limits": "what the grid operator allowed and what came of it, also as CSV",
    "schema": "write JSON Schemas and AsyncAPI of all topics, and OpenAPI of the local pages' API",
    "dashboard": "a dashboard and the blueprints for Home Assistant, made for the config",
    "uninstall": "before the agent is removed: free every device, leave nothing on the broker",
    "uninstall-discovery": "take back from Home Assistant all that was ever announced",
    "provider": "the energy supplier's side: customers connect their tariff, FlatPeak reads it",
    "sandbox": "a FlatPeak that lives on this machine, with real prices",
}
EX_USAGE = 64
EX_IOERR = 74
# As a shell reports a program that this signal ended.
EX_PIPE = 128 + signal.SIGPIPE
GONE = (errno.EPIPE, errno.EIO)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Commands that end well when they are told to stop, however early.
UNTIL_STOPPED = ("run", "demo", "sandbox", "provider")


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        ["usage: flatpeak-agent COMMAND [options]", "", *lines, "", "Each command knows --help."]
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    sys.stdout, sys.stderr = sys.stdout or _nobody(), sys.stderr or _nobody()
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal's encoding does not have is no reason to end.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        try:
            return _run(sys.argv[1:] if argv is None else argv, is_program=argv is None)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return EX_INTERRUPTED
    except OSError as error:
        if error.errno not in (*GONE, *FULL):
            raise
        # `| head` has seen enough, or the terminal was closed. Python would try once more to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno in GONE:
            return EX_PIPE
        print(f"flatpeak-agent: the output has no room: {error.strerror}", file=sys.stderr)
        return EX_IOERR


def _nobody() -> TextIO:
    """For an output that was closed by whoever started it, `>&-`."""
    return Path(os.devnull).open("w")  # open to the end, as the others are


def _run(args: list[str], *, is_program: bool) -> int:
    if not args or args[0] in ("-h", "--help"):
        print(usage())
        return 0 if args else EX_USAGE
    if args[0] == "--version":
        print(f"flatpeak-agent {__version__}")
        return 0
    if args[0] not in COMMANDS:
        near = get_close_matches(args[0].lower(), COMMANDS, 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        print(
            f"flatpeak-agent: there is no command {args[0]!r}{meant}\n\n{usage()}", file=sys.stderr
        )
        return EX_USAGE
    if args[0] in UNTIL_STOPPED and is_program:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop_before_start)
        # A service is never ended by it, not even this early. `nohup` has ignored it already.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            is_service = args[0] == "run"
            signal.signal(signal.SIGHUP, signal.SIG_IGN if is_service else _stop_before_start)
    with ending_at_once():
        module = importlib.import_module(f"agent.cli.{args[0].replace('-', '_')}")
    code: int = module.main(args[1:])
    return code


def _stop_before_start(_number: int, _frame: FrameType | None) -> None:
    """Told to stop while still importing: there is nothing to take back. The command's own loop
    puts its handlers in this one's place."""
    os._exit(0)
