"""`flatpeak-agent` as a process of its own, as systemd or a terminal would start it."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.brokers import Watcher

ROOT = Path(__file__).parents[2]
# Everything waited for is an event; this only ends a test that hangs, however busy the machine is.
PATIENCE_S = 120.0


@dataclass
class Command:
    """A running command. `ended` gives exit code, stdout, stderr and the seconds it took."""

    process: asyncio.subprocess.Process

    async def ended(self) -> tuple[int, str, str, float]:
        began = time.monotonic()
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), err.decode(), time.monotonic() - began

    async def stopped_by(self, number: signal.Signals) -> tuple[int, str, str, float]:
        self.process.send_signal(number)
        return await self.ended()

    async def until_it_has_handlers(self) -> None:
        """The kernel's word that the program catches SIGTERM by now (SIGINT Python always does)."""
        bit = 1 << (signal.SIGTERM - 1)
        async with asyncio.timeout(PATIENCE_S):
            while not self._caught_signals() & bit:
                await asyncio.sleep(0.002)

    def _caught_signals(self) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("SigCgt")).split()[1], 16)


@contextlib.asynccontextmanager
async def command(
    *args: str | Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Command]:
    """`flatpeak-agent ARGS` in a session of its own; killed with its children at the end."""
    clean = {key: value for key, value in os.environ.items() if "FLATPEAK" not in key}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agent",
        *map(str, args),
        env={**clean, "PYTHONPATH": str(ROOT), **(env or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield Command(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


class NotifySocket:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    async def until(self, word: str, times: int = 1) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE_S):
            while self.heard.count(word) < times:
                self.heard.append((await loop.sock_recv(self._socket, 200)).decode())

    def pending(self) -> int:
        """How many words came that nobody has looked at; they are heard now."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self._socket.recv(200).decode())
                count += 1
        return count

    def close(self) -> None:
        self._socket.close()


@contextlib.asynccontextmanager
async def agent_life(config: Path, other: Watcher, wanted: Set[str]) -> AsyncIterator[None]:
    """One life of `run`: from when those topics have something on them to SIGTERM, well ended."""
    heard = len(other.heard)
    async with command("run", "--config", config) as running:
        await other.until(
            lambda all_of_it: wanted <= {item.topic for item in all_of_it[heard:] if item.payload}
        )
        yield
        code, _, err, _ = await running.stopped_by(signal.SIGTERM)
        assert code == 0, err
