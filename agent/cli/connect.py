"""`flatpeak-agent connect`: connect the tariff from a terminal, look at it, end the connection."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.cli.arguments import CommandParser
from agent.cli.common import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_DATAERR,
    EX_OK,
    EX_UNAVAILABLE,
)
from agent.cli.config_options import add_config_options, read_chosen
from agent.cli.connect_access import (
    Access,
    NotWritableError,
    StoreInUse,
    open_access,
)
from agent.cli.connect_text import ENDED, failure_text, qr_code, status_text
from agent.config import Config
from agent.energy.rates import Direction
from agent.errors import Malformed, Refused, Unavailable

EX_INTERRUPTED = 130
# An agent that starts or ends meanwhile is found again within this.
TRIES = 20
TRY_EVERY_S = 0.25
STILL_OPEN = (
    "\nThe session stays open: the same link is good, and this command goes on with it. "
    "A running agent goes on by itself."
)
IN_USE = (
    "an agent runs, but does not hear this command: restart it with the config that is there now, "
    "or use its page Tariff"
)


def main(argv: list[str]) -> int:
    """Exit code 0; 65 where it came to nothing, 69 where the source cannot be reached, 73 where the
    state folder cannot be written, 78 where the config is faulty or knows no such tariff.
    """
    parser = CommandParser(
        "connect",
        "Connect your tariff: open the link, or scan the code with a phone, and follow the pages. "
        "Works while the agent runs, which then fetches prices at once, and when it does not.",
    )
    parser.add_argument("--export", action="store_true", help="the tariff for what you feed in")
    parser.add_argument("--status", action="store_true", help="show what is connected")
    parser.add_argument("--disconnect", action="store_true", help="end the connection")
    parser.add_argument("--cancel", action="store_true", help="give an open session up")
    parser.add_argument("--new", action="store_true", help="a new session, though one is open")
    parser.add_argument("--pair", metavar="CODE", help="the pairing code of a maker's backend")
    parser.add_argument("--yes", action="store_true", help="disconnect without being asked")
    parser.add_argument("--ascii", action="store_true", help="draw the code with # only")
    add_config_options(parser)
    args = parser.parse_args(argv)
    read = read_chosen(args)
    if read is None:
        return EX_CONFIG
    config, folder = read.config, read.folder
    try:
        return asyncio.run(_run(args, config, folder))
    except KeyboardInterrupt:
        if not (args.status or args.disconnect):
            print(STILL_OPEN, file=sys.stderr)
        return EX_INTERRUPTED
    except Refused as error:
        return _fail(str(error), EX_CONFIG if error.code == "no_source" else EX_DATAERR)
    except (Unavailable, Malformed) as error:
        return _fail(f"{config.tariff.address}: {error}", EX_UNAVAILABLE)
    except NotWritableError as error:
        return _fail(f"{folder}: {error}{read.hint}", EX_CANTCREAT)
    except StoreInUse:
        return _fail(IN_USE, EX_UNAVAILABLE)


class _Line:
    """To whoever does the work now; found again where that changes."""

    def __init__(self, config: Config, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._access: Access | None = None

    async def ask(self, **question: object) -> Mapping[str, Any]:
        for _ in range(TRIES):
            try:
                if self._access is None:
                    self._access = await open_access(self._config, self._folder)
                return await self._access.ask(question)
            except (ConnectionError, StoreInUse):
                await self._lost()
            except OSError as error:
                # Here, where nothing is printed: an output that takes nothing is another matter.
                raise NotWritableError(str(error)) from error
        raise StoreInUse(IN_USE)

    async def wait(self) -> None:
        try:
            if self._access is not None:
                await self._access.wait()
        except (ConnectionError, StoreInUse):
            await self._lost()
        except OSError as error:
            raise NotWritableError(str(error)) from error

    async def close(self) -> None:
        if self._access is not None:
            await self._access.close()

    async def _lost(self) -> None:
        await self.close()
        self._access = None
        await asyncio.sleep(TRY_EVERY_S)


async def _run(args: argparse.Namespace, config: Config, folder: Path) -> int:
    line = _Line(config, folder)
    direction = Direction.EXPORT if args.export else Direction.IMPORT
    try:
        if args.pair:
            await line.ask(do="pair", code=args.pair)
            print("Paired.")
        if args.status:
            return await _status(line)
        if args.disconnect:
            return await _disconnect(line, direction, sure=args.yes)
        if args.cancel:
            await line.ask(do="cancel", direction=direction)
            return EX_OK
        return await _connect(line, args, direction)
    finally:
        await line.close()


async def _status(line: _Line) -> int:
    state = (await line.ask(do="refresh"))["state"]
    print(status_text(state))
    return EX_OK


async def _disconnect(line: _Line, direction: Direction, *, sure: bool) -> int:
    if not sure and sys.stdin.isatty():
        question = f"End the connection of the {direction} tariff? Its prices are deleted. [y/N] "
        if (await asyncio.to_thread(input, question)).strip().lower() not in ("y", "yes"):
            return EX_DATAERR
    answer = await line.ask(do="disconnect", direction=direction)
    print(f"The {direction} tariff is disconnected.")
    if answer["said"]:
        print(f"At FlatPeak it is still connected: {answer['said']}", file=sys.stderr)
    return EX_OK


async def _connect(line: _Line, args: argparse.Namespace, direction: Direction) -> int:
    state = (await line.ask(do="status"))["state"]
    if state["pairs"] and not state["paired"]:
        return _fail("pair this gateway first: flatpeak-agent connect --pair CODE", EX_DATAERR)
    state = (await line.ask(do="begin", direction=direction, anew=args.new))["state"]
    session = state["sessions"][direction]
    if session["state"] == "open":
        print(f"Open this link and follow the pages:\n\n  {session['url']}\n")
        print(qr_code(session["url"], sys.stdout, ascii_only=args.ascii))
        print(f"It is good until {session['expires_at']}. Waiting (Ctrl-C leaves it open) ...")
    shown = ""
    while session["state"] not in ENDED:
        if session["state"] != shown and session["state"] == "processing":
            print("Connected; waiting until its prices are ready ...")
        shown = session["state"]
        sys.stdout.flush()
        await line.wait()
        state = (await line.ask(do="status"))["state"]
        session = state["sessions"][direction]
    if session["state"] == "connected":
        await line.ask(do="refresh")
        print(status_text((await line.ask(do="status"))["state"]))
        return EX_OK
    print(failure_text(session), file=sys.stderr)
    return EX_OK if session["state"] == "disconnected" else EX_DATAERR


def _fail(text: str, code: int) -> int:
    print(f"flatpeak-agent connect: {text}", file=sys.stderr)
    return code
