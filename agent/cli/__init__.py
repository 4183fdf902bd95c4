"""The front door: `flatpeak-agent COMMAND`. A command's module is imported when it is called."""

import importlib
import os
import signal
import sys
from types import FrameType

from agent import __version__

COMMANDS = {
    "run": "keep rates, plan, tell the appliances (what the service does)",
    "demo": "see it at work: sandbox, broker and simulated appliances embedded",
    "plan": "plan one Situation, or one a line, without a running agent",
    "check": "read the configuration, try broker, tariff, folder and clock, say what is wrong",
    "limits": "what the grid operator allowed and what came of it, also as CSV",
    "schema": "write the JSON Schemas and the AsyncAPI document of every topic",
    "sandbox": "a FlatPeak that lives on this machine, with real prices",
}
EX_USAGE = 64
# Commands that end well when they are told to stop, however early.
UNTIL_STOPPED = ("run", "demo", "sandbox")


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        ["usage: flatpeak-agent COMMAND [options]", "", *lines, "", "Each command knows --help."]
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command; the return value is the exit code."""
    args = sys.argv[1:] if argv is None else argv
    if not args or args[0] in ("-h", "--help"):
        print(usage())
        return 0 if args else EX_USAGE
    if args[0] == "--version":
        print(f"flatpeak-agent {__version__}")
        return 0
    if args[0] not in COMMANDS:
        print(f"flatpeak-agent: there is no command {args[0]!r}\n\n{usage()}", file=sys.stderr)
        return EX_USAGE
    if args[0] in UNTIL_STOPPED and argv is None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _nothing_has_begun)
        # Never an end, not even this early; what it means instead the command says.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    module = importlib.import_module(f"agent.cli.{args[0]}")
    code: int = module.main(args[1:])
    return code


def _nothing_has_begun(_number: int, _frame: FrameType | None) -> None:
    """Told to stop while still importing: there is nothing to take back. The command's own loop
    puts its handlers in this one's place."""
    os._exit(0)
