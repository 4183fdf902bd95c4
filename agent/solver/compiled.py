"""The lattice's recursion, compiled on the machine that runs it.

Wheels are pure, so the C file comes along as it is. Where there is a compiler, the solver's process
starts it beside its first plans, once for each version of the file; the library stays in the cache
folder. Without compiler, folder or luck everything goes on with arrays, which give the same values.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from agent.planning.joint.recursion import ArrayKernel, Floats, Kernel, Prices, Shape

log = logging.getLogger(__name__)

SOURCE = Path(__file__).with_name("lattice.c")
# Without contraction the values are those of the arrays to the last bit.
FLAGS = ("-O3", "-ffp-contract=off", "-shared", "-fPIC")
# Where wide vectors are no matter of course, those that this processor has: half the time.
OWN_PROCESSOR = {"x86_64": ("-march=native",)}
COMPILERS = ("cc", "gcc", "clang")
# The library has its name only once it is whole, also when whoever asked for it has ended by then.
WHOLE = 'made=$1 kept=$2; shift 2; "$@" && mv -f "$made" "$kept" || { rm -f "$made"; exit 1; }'

_Doubles = ctypes.c_void_p


class _Shape(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("cells", "on_states", "off_states", "first_state")),
        ("exact", ctypes.c_int32),
        *((name, ctypes.c_double) for name in ("least", "most")),
        *((name, ctypes.c_void_p) for name in ("step", "gain", "low", "high")),
        *((name, ctypes.c_void_p) for name in ("first", "last", "on_owed", "off_owed", "offset")),
    )


class _Prices(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("power", "on", "heat", "start", "stop"))


class CompiledKernel:
    """Raises OSError or AttributeError where the file is no such library."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        self._values, self._walk = library.lattice_values, library.lattice_walk
        self._values.restype = ctypes.c_double
        self._values.argtypes = [ctypes.POINTER(_Shape), ctypes.POINTER(_Prices), _Doubles]
        self._walk.restype = None
        self._walk.argtypes = [*self._values.argtypes, _Doubles]

    def values(self, shape: Shape, prices: Prices) -> float:
        value = self._values(_shape(shape), _prices(prices), shape.table.ctypes.data)
        if value != value:
            raise MemoryError("no room for the lattice")
        return float(value)

    def walk(self, shape: Shape, prices: Prices) -> Floats:
        power: Floats = shape.gain * 0.0
        self._walk(_shape(shape), _prices(prices), shape.table.ctypes.data, power.ctypes.data)
        return power


def _shape(shape: Shape) -> _Shape:
    arrays = (shape.step, shape.gain, shape.low, shape.high, shape.first, shape.last)
    counts = (shape.cells, shape.on_states, shape.off_states, shape.first_state, shape.exact)
    more = (shape.on_owed, shape.off_owed, shape.offset)
    pointers = (array.ctypes.data for array in (*arrays, *more))
    return _Shape(*counts, shape.least, shape.most, *pointers)


def _prices(prices: Prices) -> _Prices:
    arrays = (prices.power, prices.on, prices.heat, prices.start, prices.stop)
    return _Prices(*(array.ctypes.data for array in arrays))


class Builder:
    """Has the library made when it is not there yet; `kernel` is what there is by now."""

    def __init__(
        self,
        folder: Path | None,
        environ: Mapping[str, str] = os.environ,
        processor: str | None = None,
    ) -> None:
        """`processor`: what this one can do, as far as the system tells."""
        self._kernel: Kernel = ArrayKernel()
        self._process: subprocess.Popen[bytes] | None = None
        if folder is None or not _own(folder):
            return
        machine = platform.machine()
        processor = _processor() if processor is None else processor
        # A folder may come to another machine, with the card that it lies on.
        flags = (*FLAGS, *(OWN_PROCESSOR.get(machine, ()) if processor else ()))
        made_for = (flags, machine, processor, platform.libc_ver())
        content = SOURCE.read_bytes() + repr(made_for).encode()
        self._path = folder / f"lattice-{hashlib.sha256(content).hexdigest()[:16]}.so"
        if self._path.exists():
            self._load()
            return
        found = (shutil.which(name, path=environ.get("PATH")) for name in COMPILERS)
        compiler = next(filter(None, found), None)
        if compiler is None:
            return
        for old in folder.glob("lattice-*"):
            old.unlink(missing_ok=True)
        made = self._path.with_suffix(f".{os.getpid()}")
        command = [compiler, *flags, "-o", str(made), str(SOURCE), "-lm"]
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", WHOLE, "sh", str(made), str(self._path), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            log.info("the lattice is not compiled: %s", error)

    def kernel(self, wait_s: float = 0.0) -> Kernel:
        """The compiled one as soon as it is there; waits for it at most so long."""
        if self._process is None:
            return self._kernel
        try:
            done = self._process.wait(wait_s) if wait_s else self._process.poll()
        except subprocess.TimeoutExpired:
            return self._kernel
        if done is not None:
            self._process = None
            if done == 0:
                self._load()
            else:
                log.info("the compiler could not make the lattice (%d)", done)
        return self._kernel

    def _load(self) -> None:
        try:
            self._kernel = CompiledKernel(self._path)
        except (OSError, AttributeError) as error:
            # Its folder may forbid code, or the file is damaged: made again next time.
            log.info("the compiled lattice cannot be used: %s", error)
            self._path.unlink(missing_ok=True)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _own(folder: Path) -> bool:
    """Whether code may be kept there: nobody else may write to it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        log.info("no folder for the compiled lattice: %s", error)
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022
