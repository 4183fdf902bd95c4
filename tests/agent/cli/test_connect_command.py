"""`flatpeak-agent connect` as a person runs it: with and without an agent beside it."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.cli.connect_text import qr_code, status_text
from agent.clock import SystemClock
from agent.energy.rates import Direction
from agent.errors import Refused
from agent.health import Health
from agent.store import Store
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.connecting.control_socket import FILE, ask
from agent.tariff.records import Records
from tests.fakes.connect_home import ConnectHome, connect_home
from tests.fakes.connect_sandbox import PAIRING_CODE, ConnectSandbox
from tests.fakes.disks import read_only, small_disk

LINK = re.compile(r"http://127\.0\.0\.1:\d+/\?fp_cot=(cot_\w+)")
WITHIN_S = 60
CTRL_C, CTRL_D = "\x03", "\x04"
# What may come of each; a second Ctrl-C may strike while it ends already.
ANSWERS = {"ja\n": (65,), CTRL_D: (65,), CTRL_C: (130, -signal.SIGINT), "y\n": (0,)}


class Command:
    """One run of the program; `seen` is what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen = ""

    async def until(self, pattern: str) -> re.Match[str]:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while (found := re.search(pattern, self.seen)) is None:
                chunk = await self.process.stdout.read(4096)
                assert chunk, self.seen
                self.seen += chunk.decode()
        return found

    async def end(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            self.seen += (await self.process.stdout.read()).decode()
            return await self.process.wait()


@contextlib.asynccontextmanager
async def command(
    folder: Path,
    sandbox: ConnectSandbox,
    *options: str,
    stdin: int = DEVNULL,
    state: Mapping[str, object] | None = None,
    **more: object,
) -> AsyncIterator[Command]:
    """The config is JSON, which YAML is too; `more` goes to its section tariff.

    A terminal as `stdin` becomes the command's own, whose Ctrl-C is for it.
    """
    if "--pair" in options and "pairing" not in more:
        more = {"auth": "bearer", "pairing": True}
    config = folder / "config.yaml"
    text = {
        "tariff": sandbox.tariff(**more),
        "mqtt": {"host": "127.0.0.1"},
        "state": state or {"directory": str(folder)},
        "devices": [],
    }
    config.write_text(json.dumps(text))
    process = await asyncio.create_subprocess_exec(
        *(() if stdin == DEVNULL else ("setsid", "--ctty", "--wait")),
        *(sys.executable, "-m", "agent", "connect", "--config", str(config), *options),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"},
    )
    try:
        yield Command(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def no_agent() -> AsyncIterator[ConnectSandbox]:
    async with ConnectSandbox(SystemClock(), processing_s=2) as sandbox:
        assert isinstance(sandbox, ConnectSandbox)
        yield sandbox


def moved_aside(folder: Path) -> list[Path]:
    return list(folder.glob("*damaged*"))


def kept(folder: Path) -> ConnectionStore:
    clock = SystemClock()
    with contextlib.closing(Store.copy_of(folder / "agent.sqlite")) as store:
        return ConnectionStore(Records(store, Health(clock)))


async def test_without_an_agent_the_command_does_the_work_itself(tmp_path: Path) -> None:
    async with no_agent() as sandbox:
        async with command(tmp_path, sandbox) as first:
            token = (await first.until(LINK.pattern))[1]
            await first.until("Waiting")
            assert "█" in first.seen or "▀" in first.seen
            # Nobody else is kept from the folder while it waits.
            with contextlib.closing(Store.open(tmp_path / "agent.sqlite", SystemClock().now())):
                pass
            first.process.send_signal(signal.SIGINT)
            assert await first.end() == 130
            assert "stays open" in first.seen
        async with command(tmp_path, sandbox, "--ascii") as second:
            assert (await second.until(LINK.pattern))[1] == token
            await second.until("##")
            sandbox.finish(token)
            assert await second.end() == 0
            assert "Demo <b>Energy</b>, market, connected" in second.seen
    found = kept(tmp_path).location
    assert (found.location_id, found.directions) == (sandbox.home_id, (Direction.IMPORT,))


async def test_status_export_and_disconnect(tmp_path: Path) -> None:
    async with no_agent() as sandbox:
        async with command(tmp_path, sandbox, "--status") as status:
            assert await status.end() == 0
            assert "import: not connected" in status.seen
        async with command(tmp_path, sandbox, "--export") as export:
            sandbox.finish((await export.until(LINK.pattern))[1])
            assert await export.end() == 0
        assert sandbox.connected == {"commodity_export"}
        async with command(tmp_path, sandbox, "--disconnect", "--export", "--yes") as end:
            assert await end.end() == 0
        assert sandbox.connected == set()
        assert kept(tmp_path).location.location_id == ""


async def test_whoever_only_looks_makes_no_database_and_begins_none_anew(tmp_path: Path) -> None:
    path = tmp_path / "agent.sqlite"
    async with no_agent() as sandbox:
        async with command(tmp_path, sandbox, "--status") as status:
            assert await status.end() == 0
        assert not path.exists()
        path.write_bytes(b"x" * 4096)
        async with command(tmp_path, sandbox, "--status") as status:
            assert await status.end() == 73
            assert "moves it aside at its start" in status.seen
    assert path.read_bytes() == b"x" * 4096
    assert moved_aside(tmp_path) == []


async def test_what_is_not_there_is_not_said_to_have_ended(tmp_path: Path) -> None:
    async with no_agent() as sandbox:
        async with command(tmp_path, sandbox, "--cancel") as cancel:
            assert await cancel.end() == 0
            assert cancel.seen == "No session of the import tariff is open.\n"
        async with command(tmp_path, sandbox, "--disconnect", "--yes") as end:
            assert await end.end() == 0
            assert end.seen == "No import tariff was connected here.\n"
        async with command(tmp_path, sandbox) as begun:
            await begun.until("Waiting")
        async with command(tmp_path, sandbox, "--cancel") as cancel:
            assert await cancel.end() == 0
            assert cancel.seen == "The session of the import tariff is given up.\n"


async def test_nothing_ends_where_nobody_said_yes(tmp_path: Path) -> None:
    async with no_agent() as sandbox:
        async with command(tmp_path, sandbox) as begun:
            sandbox.finish((await begun.until(LINK.pattern))[1])
            assert await begun.end() == 0
        connected = set(sandbox.connected)
        async with command(tmp_path, sandbox, "--disconnect") as unasked:
            assert await unasked.end() == 64
            assert "nobody is there to be asked: --yes" in unasked.seen
        for answer, codes in ANSWERS.items():
            assert sandbox.connected == connected
            ours, theirs = pty.openpty()
            async with command(tmp_path, sandbox, "--disconnect", stdin=theirs) as asked:
                os.close(theirs)
                await asked.until(r"\[y/N\] ")
                os.write(ours, answer.encode())
                ending = asyncio.create_task(asked.end())
                while not (await asyncio.wait([ending], timeout=0.5))[0] and answer == CTRL_C:
                    # Between its question and its waiting for an answer no Ctrl-C is heard.
                    os.write(ours, answer.encode())
                assert await ending in codes, asked.seen
                assert "Traceback" not in asked.seen
            os.close(ours)
        assert sandbox.connected == set()


async def test_a_wrong_key_is_told_with_the_keys_of_the_config(tmp_path: Path) -> None:
    async with no_agent() as sandbox:
        async with command(tmp_path, sandbox, "--new", api_key="sk_live_wrong") as wrong:
            assert await wrong.end() == 65
        assert "check account_id and api_key, or token, of the section tariff" in wrong.seen
        async with command(tmp_path, sandbox, "--pair", "ABC", pairing=False) as unpaired:
            assert await unpaired.end() == 78
        assert "tariff.pairing is not set" in unpaired.seen


async def test_a_folder_that_takes_nothing_is_looked_at_and_nothing_is_begun(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "state") as disk:
        async with no_agent() as sandbox:
            state = {"directory": str(disk)}
            async with command(tmp_path, sandbox, state=state) as begun:
                sandbox.finish((await begun.until(LINK.pattern))[1])
                assert await begun.end() == 0
            read_only(disk)
            sessions = len(sandbox.sessions.all())
            async with command(tmp_path, sandbox, "--status", state=state) as status:
                assert await status.end() == 0
                assert status.seen.startswith("import: Agile, Demo <b>Energy</b>")
            for option in ("--new", "--disconnect"):
                async with command(tmp_path, sandbox, option, "--yes", state=state) as refused:
                    assert await refused.end() == 73
                    assert refused.seen.count("the disk is mounted to be read only") == 1
            assert len(sandbox.sessions.all()) == sessions
            assert sandbox.connected


async def test_a_source_that_is_away_is_said_while_it_waits(tmp_path: Path) -> None:
    async with no_agent() as sandbox, command(tmp_path, sandbox) as begun:
        token = (await begun.until(LINK.pattern))[1]
        sandbox.down = True
        await begun.until("cannot be reached; it is asked again")
        sandbox.down = False
        await begun.until("is back")
        sandbox.finish(token)
        assert await begun.end() == 0


async def test_a_location_of_the_config_is_said_to_win(tmp_path: Path) -> None:
    async with (
        no_agent() as sandbox,
        command(tmp_path, sandbox, location_id="loc_of_another") as begun,
    ):
        await begun.until("tariff.location_id, whatever is connected")


async def test_what_goes_wrong_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    async with no_agent() as sandbox:
        sandbox.down = True
        async with command(tmp_path, sandbox) as down:
            assert await down.end() == 69
            assert "503" in down.seen
            assert "this machine's network" in down.seen
        async with command(tmp_path, sandbox, "--pair", "wrong") as wrong:
            assert await wrong.end() == 65
            assert "pairing code was not accepted" in wrong.seen
        sandbox.down = False
        async with command(tmp_path, sandbox, "--pair", PAIRING_CODE) as late:
            sandbox.sessions.expire((await late.until(LINK.pattern))[1])
            assert await late.end() == 65
            assert "not used in time" in late.seen


async def test_beside_a_running_agent_it_only_watches(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house:
        with house.disk() as store:
            async with house.agent(store):
                async with command(tmp_path, house.sandbox) as beside:
                    token = (await beside.until(LINK.pattern))[1]
                    await beside.until("Waiting")
                    beside.process.send_signal(signal.SIGINT)
                    assert await beside.end() == 130
                # The agent goes on by itself, and fetches at once.
                house.sandbox.finish(token)
                await house.until_part("tariff")
                answer = await ask(tmp_path, {"do": "status"})
                assert answer["state"]["directions"] == ["import"]
                await _nonsense_is_answered(house)
        assert not (tmp_path / FILE).exists()


async def _nonsense_is_answered(house: ConnectHome) -> None:
    questions: list[dict[str, Any]] = [
        {"do": "explode"},
        {"do": "begin", "direction": "up"},
        {},
        {"do": ["begin"]},
    ]
    for question in questions:
        with pytest.raises(Refused):
            await ask(house.folder, question)


async def test_an_agent_that_starts_meanwhile_takes_over(tmp_path: Path) -> None:
    async with connect_home(tmp_path) as house, command(tmp_path, house.sandbox) as alone:
        token = (await alone.until(LINK.pattern))[1]
        await alone.until("Waiting")
        with house.disk() as store:
            async with house.agent(store):
                house.sandbox.finish(token)
                assert await alone.end() == 0
                assert "import: " in alone.seen


def test_the_code_is_drawn_with_whatever_the_terminal_has() -> None:
    class Plain:
        encoding = "ascii"

    drawn = qr_code("https://connect.example/?fp_cot=cot_1", Plain())  # type: ignore[arg-type]
    assert set(drawn) == {"#", " ", "\n"}
    assert len({len(line) for line in drawn.splitlines()}) == 1


def test_a_status_says_what_to_do() -> None:
    session = {"state": "failed", "failure": "expired", "reason": "", "url": ""}
    state = {
        "location_id": "loc_1",
        "directions": ["import"],
        "conflict": "two of them",
        "sessions": {"export": session},
        "summaries": {},
    }
    text = status_text(state)
    summary = {
        **dict.fromkeys(("name", "provider"), ""),
        "structure": "fixed",
        "status": "connected",
        "contract_start": "2025-02-01T12:00:00Z",
        "contract_end": "2026-02-01T12:00:00Z",
    }
    end = datetime(2026, 2, 1, 12, tzinfo=UTC).astimezone()
    contract = status_text({**state, "summaries": {"import": summary}})
    assert f"since 2025-02-01, contract until {end:%Y-%m-%d %H:%M}" in contract
    assert "import: connected" in text
    assert "connect again for a new one" in text
    assert "note: two of them" in text
