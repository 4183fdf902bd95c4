"""The C follower itself, compiled on this machine and called from Python.

The demo's car obeys it where there is a compiler; elsewhere its Python twin, which the tests hold
against it second by second.
"""

import ctypes
import shutil
import subprocess
from pathlib import Path

from integrations.firmware.follower import Follower

SOURCE = Path(__file__).parent / "follower.c"
FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-Os", "-fPIC", "-shared")
WORDS = ("REJECTED", "ACCEPTED", "REVOKED")
# sizeof(fp_follower) is about 600 on every ABI.
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
    command = [compiler, *FLAGS, str(SOURCE), "-o", str(library)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        loaded = ctypes.CDLL(str(library))
    except (OSError, subprocess.SubprocessError):
        return None
    loaded.fp_value.restype = ctypes.c_int32
    return loaded


class CompiledFollower(Follower):
    """The C follower behind the twin's interface."""

    __slots__ = ("_library", "_room")

    def __init__(self, library: ctypes.CDLL, safe: int) -> None:
        super().__init__(safe)
        self._library = library
        self._room = ctypes.create_string_buffer(ROOM_BYTES)
        library.fp_init(self._room, ctypes.c_int32(safe))

    def take(self, payload: bytes, now: int, uptime: int) -> str:
        code: int = self._library.fp_take(
            self._room,
            payload,
            ctypes.c_size_t(len(payload)),
            ctypes.c_uint32(now),
            ctypes.c_uint32(uptime),
        )
        return WORDS[code]

    @property
    def revision(self) -> int:
        return ctypes.c_uint32.from_buffer(self._room).value

    def value(self, now: int, uptime: int) -> int:
        value: int = self._library.fp_value(
            self._room, ctypes.c_uint32(now), ctypes.c_uint32(uptime)
        )
        return value
