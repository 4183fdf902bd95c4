"""A socket in the state folder, by which a command has the running agent connect the tariff.

One JSON object a line, one question a connection. Whoever may open it may write in the folder, and
so is the owner. A command that finds nobody there does the work itself.

    {"do": "status" | "begin" | "cancel" | "disconnect" | "pair" | "refresh", "direction": "import",
     "anew": false, "code": ""}
    {"state": {...}, "said": ""} or {"error": "...", "code": "", "kind": ""}
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.connect_ports import TariffConnection
from agent.energy.connection import ConnectSession, TariffSummary
from agent.energy.instants import format_instant
from agent.energy.rates import Direction
from agent.errors import AgentError, Malformed, Refused, Unavailable

log = logging.getLogger(__name__)

FILE = "connect.sock"
MAX_LINE_BYTES = 65_536
# Longer than a call to the source with a log-in before it.
ANSWER_WITHIN_S = 60.0
READ_WITHIN_S = 5.0
# sockaddr_un(7): what a path may be long.
MAX_PATH_BYTES = 107


async def serve(connection: TariffConnection, folder: Path) -> None:
    """Never ends. Without the socket, on a disk that takes none, the agent goes on."""
    path = folder / FILE
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        log.info("the command connect cannot speak to this agent: %s is too long a path", path)
        await asyncio.get_running_loop().create_future()
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        server = await asyncio.start_unix_server(
            lambda reader, writer: _answer(connection, reader, writer),
            path,
            limit=MAX_LINE_BYTES,
        )
        path.chmod(0o600)
    except OSError as error:
        log.info("the command connect cannot speak to this agent: %s", error)
        await asyncio.get_running_loop().create_future()
        return
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        with contextlib.suppress(OSError):
            path.unlink()


async def ask(folder: Path, question: Mapping[str, object]) -> Mapping[str, Any]:
    """What the running agent answers.

    Raises ConnectionError where no agent listens; Refused, Unavailable, Malformed.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(folder / FILE, limit=MAX_LINE_BYTES)
    except OSError as error:
        raise ConnectionError("no agent listens") from error
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            writer.write(json.dumps(question).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        answer = json.loads(line)
    except TimeoutError as error:
        raise Unavailable("the agent does not answer") from error
    except OSError as error:
        raise ConnectionError("the agent ended") from error
    except ValueError as error:
        if not line:
            raise ConnectionError("the agent ended") from error
        raise Malformed("the agent's answer is not understood") from error
    finally:
        writer.close()
    if "error" not in answer:
        found: Mapping[str, Any] = answer
        return found
    if answer.get("kind") == "unavailable":
        raise Unavailable(str(answer["error"]))
    raise Refused(str(answer["error"]), str(answer.get("code", "")))


def state_of(connection: TariffConnection) -> dict[str, Any]:
    """Everything a command shows, as plain values. It holds the link, which is a secret."""
    return {
        "location_id": connection.location.location_id,
        "directions": [*connection.location.directions],
        "conflict": connection.conflict,
        "pairs": connection.api.pairs,
        "paired": connection.paired,
        "sessions": {name: _session(item) for name, item in connection.sessions.items()},
        "summaries": {item.direction: _summary(item) for item in connection.summaries},
    }


async def act(connection: TariffConnection, question: Mapping[str, Any]) -> str:
    """Do what is asked for; a sentence where there is something to say.

    Raises the errors of `agent.errors`, and ValueError for what is no question.
    """
    what = question.get("do")
    if what == "status":
        return ""
    if what == "refresh":
        await connection.refresh()
        return ""
    if what == "pair":
        await connection.pair(str(question.get("code", "")))
        return ""
    direction = Direction(str(question.get("direction", Direction.IMPORT)))
    if what == "begin":
        await connection.begin(direction, anew=question.get("anew") is True)
    elif what == "cancel":
        connection.cancel(direction)
    elif what == "disconnect":
        return await connection.disconnect(direction)
    else:
        raise ValueError(f"{what!r} is no question")
    return ""


async def _answer(
    connection: TariffConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            line = await reader.readline()
        writer.write(json.dumps(await _reply(connection, line)).encode() + b"\n")
        await writer.drain()
    except (TimeoutError, OSError, ValueError) as error:
        # Too long a line is a ValueError of the reader.
        log.debug("a question on %s was not answered: %s", FILE, error)
    finally:
        writer.close()


async def _reply(connection: TariffConnection, line: bytes) -> dict[str, Any]:
    try:
        question = json.loads(line)
        if not isinstance(question, dict):
            raise ValueError("a question is an object")
        said = await act(connection, question)
    except Unavailable as error:
        return {"error": str(error), "kind": "unavailable"}
    except AgentError as error:
        return {"error": str(error), "code": getattr(error, "code", "")}
    except (ValueError, RecursionError) as error:
        return {"error": str(error), "code": "question"}
    return {"state": state_of(connection), "said": said}


def _session(session: ConnectSession) -> dict[str, object]:
    return {
        "state": session.state,
        "url": session.url,
        "expires_at": format_instant(session.expires_at),
        "failure": session.failure,
        "reason": session.reason,
        "failed_checks": session.failed_checks,
    }


def _summary(summary: TariffSummary) -> dict[str, object]:
    start, end = summary.contract_start, summary.contract_end
    return {
        "status": summary.status,
        "name": summary.name,
        "provider": summary.provider,
        "structure": summary.structure,
        "contract_start": None if start is None else format_instant(start),
        "contract_end": None if end is None else format_instant(end),
    }
