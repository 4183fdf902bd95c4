"""The C follower itself, compiled on this machine and called from Python.

The demo's car obeys it where there is a compiler; elsewhere its Python twin, which the tests hold
against it second by second.
"""

import ctypes
import shutil
import subprocess
from pathlib import Path

from integrations.firmware.follower import Follower
from integrations.firmware.rules import Source

FOLDER = Path(__file__).parent
SOURCES = tuple(FOLDER / name for name in ("follower.c", "fp_json.c", "fp_ack.c"))
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Os", "-fPIC", "-shared")
WORDS = ("REJECTED", "ACCEPTED", "REVOKED", "STARTED", "SUCCEEDED", "ABORTED")
NEVER = 2**32 - 1
# sizeof(fp_follower) is 504 on every ABI that the tests know.
ROOM_BYTES = 1024


def find_compiler() -> str | None:
    """The machine's C compiler, None where there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def compile_follower(folder: Path) -> ctypes.CDLL | None:
    """The follower as a shared library in `folder`; None where it cannot be built here."""
    compiler = find_compiler()
    if compiler is None:
        return None
    library = folder / "follower.so"
    command = [compiler, *FLAGS, *map(str, SOURCES), "-o", str(library)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        loaded = ctypes.CDLL(str(library))
    except (OSError, subprocess.SubprocessError):
        return None
    loaded.fp_value.restype = ctypes.c_int32
    loaded.fp_next_change.restype = ctypes.c_uint32
    loaded.fp_revision.restype = ctypes.c_uint32
    return loaded


class CompiledFollower(Follower):
    """The C follower behind the twin's interface."""

    __slots__ = ("_library", "_room")

    def __init__(self, library: ctypes.CDLL, safe: int, unit: str = "W") -> None:
        super().__init__(safe, unit)
        self._library = library
        self._room = ctypes.create_string_buffer(ROOM_BYTES)
        library.fp_init(self._room, ctypes.c_char(unit.encode()), ctypes.c_int32(safe))

    def take(self, payload: bytes, now: int, uptime: int) -> str:
        code: int = self._library.fp_take(
            self._room, payload, ctypes.c_size_t(len(payload)), *_times(now, uptime)
        )
        return WORDS[code]

    @property
    def revision(self) -> int:
        revision: int = self._library.fp_revision(self._room)
        return revision

    def value(self, now: int, uptime: int) -> int:
        value: int = self._library.fp_value(self._room, *_times(now, uptime))
        return value

    def speaks(self, now: int, uptime: int) -> Source:
        return Source(self._library.fp_speaks(self._room, *_times(now, uptime)))

    def next_change(self, now: int, uptime: int) -> int | None:
        seconds: int = self._library.fp_next_change(self._room, *_times(now, uptime))
        return None if seconds == NEVER else seconds


def _times(now: int, uptime: int) -> tuple[ctypes.c_uint32, ctypes.c_uint32]:
    return ctypes.c_uint32(now), ctypes.c_uint32(uptime)
