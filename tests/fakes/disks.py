"""Disks that are full or may not be written, as the kernel makes them; files of older programs."""

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.database.schema import MIGRATIONS


@contextlib.contextmanager
def small_disk(folder: Path, size_kb: int = 512) -> Iterator[Path]:
    """A file system of its own at `folder`; the test is skipped where none may be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_kb}k", "none", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take every byte that is left; the file that does is returned."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


def read_only(folder: Path, *, yes: bool = True) -> None:
    subprocess.run(
        ["mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(folder)],
        check=True,
    )


def database_of_version(path: Path, version: int) -> None:
    """An empty file as an older program made it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {version}")
