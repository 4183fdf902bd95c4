"""Ctrl-C before a command has begun: it ends at once and says nothing, wherever it strikes."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.fakes.command import ROOT, command

INTERRUPTED = 128 + signal.SIGINT
# Interrupts the process from within a finaliser, where an exception would be lost, as it imports.
STRIKING = """
import os, signal, sys

class Struck:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "pydantic":
            sys.meta_path.remove(self)
            Struck()
        return None

sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("args", [("check",), ("claim",), ("limits",), ("schema", "/nowhere")])
async def test_while_it_imports(tmp_path: Path, args: tuple[str, ...]) -> None:
    (tmp_path / "sitecustomize.py").write_text(STRIKING)
    async with command(*args, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}) as running:
        code, out, err, _ = await running.ended()
    assert (code, out, err) == (INTERRUPTED, "", "")


async def test_while_it_reads_its_config(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    os.mkfifo(path)
    async with command("check", "--config", path) as running:
        # Opens once the command has opened it too, which then waits for what is written.
        writing = await asyncio.to_thread(os.open, path, os.O_WRONLY)
        code, out, err, _ = await running.stopped_by(signal.SIGINT)
        os.close(writing)
    assert (code, out, err) == (INTERRUPTED, "", "")
