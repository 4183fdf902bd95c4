"""`flatpeak-agent connect`: connect the tariff from a terminal, look at it, end the connection."""

import argparse
import asyncio
import logging
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
    EX_USAGE,
    NO_NETWORK,
    OTHER_ADDRESS,
)
from agent.cli.config_options import add_config_options, read_chosen
from agent.cli.connect_access import (
    Access,
    NotWritableError,
    StoreInUse,
    open_access,
)
from agent.cli.connect_text import ENDED, failure_text, local_time, qr_code, status_text
from agent.cli.interrupt import EX_INTERRUPTED
from agent.command_line import own_command_line
from agent.config import Config
from agent.energy.rates import Direction
from agent.errors import Malformed, Refused, Unavailable

# An agent that starts or ends meanwhile is found again within this.
TRIES = 20
TRY_EVERY_S = 0.25
STILL_OPEN = (
    "\nThe session stays open: the same link is good, and this command goes on with it. "
    "A running agent goes on by itself."
)
UNDER_WAY = ("open", "processing")
# Refusals that the owner mends in the config.
CONFIG_CODES = ("no_source", "no_pairing")
CREDENTIALS = "check account_id and api_key, or token, of the section tariff in the config"
LOCATION_WINS = "Note: prices are fetched of the config's tariff.location_id, whatever is connected"
IN_USE = (
    "an agent runs, but does not hear this command: restart it with the config that is there now, "
    "or use its page Tariff"
)


def main(argv: list[str]) -> int:
    """Exit code 0; 64 where nobody can be asked whether to disconnect, 65 where it came to nothing,
    69 where the source cannot be reached, 73 where the state folder cannot be written, 78 where the
    config is faulty or knows no such tariff.
    """
    parser = CommandParser(
        "connect",
        "Connect your tariff: open the link, or scan the code with a phone, and follow the pages. "
        "Works while the agent runs, which then fetches prices at once, and when it does not.",
    )
    parser.add_argument("--export", action="store_true", help="the tariff for what you feed in")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--status", action="store_true", help="show what is connected")
    action.add_argument("--disconnect", action="store_true", help="end the connection")
    action.add_argument("--cancel", action="store_true", help="give an open session up")
    action.add_argument("--new", action="store_true", help="a new session, though one is open")
    parser.add_argument("--pair", metavar="CODE", help="the pairing code of a maker's backend")
    parser.add_argument("--yes", action="store_true", help="disconnect without being asked")
    parser.add_argument("--ascii", action="store_true", help="draw the code with # only")
    add_config_options(parser)
    args = parser.parse_args(argv)
    read = read_chosen(args)
    if read is None:
        return EX_CONFIG
    config, folder = read.config, read.folder
    direction = Direction.EXPORT if args.export else Direction.IMPORT
    # What the database and the source would log is told here.
    logging.disable(logging.ERROR)
    # Asked before the loop begins, where Ctrl-C and Ctrl-D answer too.
    if args.disconnect and not args.yes:
        if sys.stdin is None or not sys.stdin.isatty():
            return _fail("nobody is there to be asked: --yes ends the connection", EX_USAGE)
        if not _is_sure(direction):
            return _fail("not answered with y: nothing was ended", EX_DATAERR)
    try:
        return asyncio.run(_run(args, config, folder, direction))
    except KeyboardInterrupt:
        if not (args.status or args.disconnect):
            print(STILL_OPEN, file=sys.stderr)
        return EX_INTERRUPTED
    except Refused as error:
        hint = f"; {CREDENTIALS}" if error.code == "forbidden" else ""
        code = EX_CONFIG if error.code in CONFIG_CODES else EX_DATAERR
        return _fail(f"{error}{hint}", code)
    except Unavailable as error:
        text = f"{config.tariff.address}: {error}"
        return _fail(f"{text}\n  {NO_NETWORK}", EX_UNAVAILABLE)
    except Malformed as error:
        text = f"{config.tariff.address}: {error}"
        return _fail(f"{text}\n  {OTHER_ADDRESS}", EX_UNAVAILABLE)
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


def _is_sure(direction: Direction) -> bool:
    question = f"End the connection of the {direction} tariff? Its prices are deleted. [y/N] "
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


async def _run(args: argparse.Namespace, config: Config, folder: Path, direction: Direction) -> int:
    line = _Line(config, folder)
    try:
        if args.pair:
            await _pair(line, args.pair)
        if args.status:
            return await _status(line)
        if args.disconnect:
            return await _disconnect(line, direction)
        if args.cancel:
            return await _cancel(line, direction)
        if location := getattr(config.tariff, "location_id", ""):
            print(f"{LOCATION_WINS}: {location}.\n", file=sys.stderr)
        return await _connect(line, args, direction, config.tariff.address)
    finally:
        await line.close()


async def _status(line: _Line) -> int:
    state = (await line.ask(do="refresh"))["state"]
    print(status_text(state))
    return EX_OK


async def _pair(line: _Line, code: str) -> None:
    """Raises Refused."""
    if not (await line.ask(do="status"))["state"]["pairs"]:
        raise Refused(
            "tariff.pairing is not set: only a device maker's backend asks for a code", "no_pairing"
        )
    await line.ask(do="pair", code=code)
    print("Paired.")


async def _cancel(line: _Line, direction: Direction) -> int:
    sessions = (await line.ask(do="status"))["state"]["sessions"]
    if sessions.get(direction, {"state": ""})["state"] not in UNDER_WAY:
        print(f"No session of the {direction} tariff is open.")
        return EX_OK
    await line.ask(do="cancel", direction=direction)
    print(f"The session of the {direction} tariff is given up.")
    return EX_OK


async def _disconnect(line: _Line, direction: Direction) -> int:
    was_connected = direction in (await line.ask(do="status"))["state"]["directions"]
    answer = await line.ask(do="disconnect", direction=direction)
    if not was_connected:
        print(f"No {direction} tariff was connected here.")
        return EX_OK
    print(f"The {direction} tariff is disconnected.")
    if answer["said"]:
        print(f"At FlatPeak it is still connected: {answer['said']}", file=sys.stderr)
    return EX_OK


async def _connect(
    line: _Line, args: argparse.Namespace, direction: Direction, address: str
) -> int:
    state = (await line.ask(do="status"))["state"]
    if state["pairs"] and not state["paired"]:
        pair = own_command_line("connect --pair CODE")
        return _fail(f"pair this gateway first: {pair}", EX_DATAERR)
    state = (await line.ask(do="begin", direction=direction, anew=args.new))["state"]
    session = state["sessions"][direction]
    if session["state"] == "open":
        print(f"Open this link and follow the pages:\n\n  {session['url']}\n")
        print(qr_code(session["url"], sys.stdout, ascii_only=args.ascii))
        until = local_time(session["expires_at"])
        print(f"It is good until {until}. Waiting (Ctrl-C leaves it open) ...")
    shown, was_lost = "", False
    while session["state"] not in ENDED:
        # One that an agent of an earlier version answers says nothing of it.
        is_lost = bool(session.get("failed_checks"))
        if is_lost != was_lost:
            print(f"{address} {'cannot be reached; it is asked again' if is_lost else 'is back'}.")
        was_lost = is_lost
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
