"""The joint engine as the portfolio sees it: a process that is asked, and not waited for too long.

The process starts with the first coupled problem, lives from plan to plan while they follow each
other, and is killed when it overruns. While it starts, which takes longer than a plan may on a slow
gateway, plans are made without it. Whatever happens to it, the best that it said in time counts,
and else nothing: other engines have a plan.
"""

import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from threading import Lock
from types import TracebackType

from agent.planning.engine import Deadline, Proposal
from agent.planning.joint_size import is_too_large
from agent.planning.problem import Problem
from agent.planning.segments import Schedule
from agent.solver.frames import LENGTH, Answer, Ready, Request, unpacked, write_frame

log = logging.getLogger(__name__)

# The process ends by itself when it was not asked for so long.
IDLE_S = 60.0
# One that is not ready for so long never will be.
STARTS_WITHIN_S = 60.0
# With less time left nobody is asked.
LEAST_S = 0.05
# What judging and writing the plan take after the answer, and how late an answer may be.
AFTER_S, GRACE_S = 0.05, 0.15
# An answer is never larger.
MOST_BYTES = 1 << 26
# One whose pipe is closed is gone soon, or hangs.
ENDS_WITHIN_S = 0.5


def installed() -> bool:
    """Whether the solver is there at all: it has no wheels for 32-bit machines."""
    return find_spec("highspy") is not None and find_spec("numpy") is not None


class SolverClient:
    """An engine; also a context that ends its process.

    `command` is what is started; whether there is a solver is asked once, by `available`.
    """

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-m", "agent.solver.worker", str(IDLE_S)),
        available: Callable[[], bool] = installed,
    ) -> None:
        self._command = list(command)
        self._available = available
        self._usable: bool | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._ready = False
        self._number = 0
        self._closed = False
        self._lock = Lock()

    def __enter__(self) -> "SolverClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def starting(self) -> bool:
        """Was a plan made without the process, as it was not ready yet?"""
        return self.pid is not None and not self._ready

    def wait_until_ready(self) -> bool:
        """For whoever may wait for it: False where it is not ready within STARTS_WITHIN_S."""
        with self._lock:
            process = self._process
            return process is not None and self._is_ready(process, self._began + STARTS_WITHIN_S)

    def close(self) -> None:
        """End the process, also in the middle of an answer; nobody is asked any more."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._kill()

    def plan(
        self, problem: Problem, deadline: Deadline, incumbent: Schedule | None
    ) -> Proposal | None:
        if self._usable is None:
            self._usable = self._available()
        if not problem.coupled or not self._usable:
            return None
        if is_too_large(problem, deadline.left()):
            return None
        with self._lock:
            ends = time.monotonic() + min(deadline.left(), 3600.0) - AFTER_S
            if self._closed or ends - time.monotonic() < LEAST_S:
                return None
            try:
                return self._ask(problem, ends, incumbent)
            except OSError as error:
                # It died between two requests, or cannot be started.
                self._log_loss("the solver's process is gone: %s", error)
                self._kill()
                return None

    def _ask(self, problem: Problem, ends: float, incumbent: Schedule | None) -> Proposal | None:
        process = self._running()
        if not self._is_ready(process, ends):
            return None
        assert process.stdin is not None
        self._number += 1
        request = Request(self._number, problem.situation, ends, incumbent)
        write_frame(process.stdin, request)
        best: Proposal | None = None
        while True:
            answer = self._message(process, ends + GRACE_S)
            if not isinstance(answer, Answer):
                self._kill()
                return best
            if answer.number != self._number:
                continue
            best = answer.proposal or best
            if answer.last:
                return best

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._kill()
        if self._process is None:
            self._began = time.monotonic()
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                # Keys pressed at a terminal are for the agent, which then ends this one.
                start_new_session=True,
                # One thread plans; more would only cost memory.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        return self._process

    def _is_ready(self, process: subprocess.Popen[bytes], ends: float) -> bool:
        """Whether it has said so by then; one that needs longer goes on starting."""
        if self._ready:
            return True
        assert process.stdout is not None
        left = max(0.0, ends - time.monotonic())
        if not select.select([process.stdout], [], [], left)[0]:
            if time.monotonic() < self._began + STARTS_WITHIN_S:
                log.info("the solver's process is still starting: this plan is made without it")
            else:
                log.warning("the solver's process did not start within %g s", STARTS_WITHIN_S)
                self._kill()
            return False
        self._ready = isinstance(self._message(process, time.monotonic() + GRACE_S), Ready)
        if not self._ready:
            self._kill()
        return self._ready

    def _message(self, process: subprocess.Popen[bytes], ends: float) -> object:
        """None where the process died, wrote nonsense or was too late."""
        head = self._exactly(process, LENGTH.size, ends)
        if head is None or LENGTH.unpack(head)[0] > MOST_BYTES:
            return None
        data = self._exactly(process, LENGTH.unpack(head)[0], ends)
        return None if data is None else unpacked(data)

    def _exactly(self, process: subprocess.Popen[bytes], count: int, ends: float) -> bytes | None:
        assert process.stdout is not None
        out = process.stdout.fileno()
        data = b""
        while len(data) < count:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                # Every large plan ends so: what it found until then counts.
                log.debug("the solver's process was not done in time and is replaced")
                return None
            more = os.read(out, count - len(data))
            if not more:
                # At its end systemd tells all processes of a service at once.
                told = _was_told_to_end(process)
                self._log_loss("the solver's process ended before it answered", expected=told)
                return None
            data += more
        return data

    def _log_loss(self, text: str, *values: object, expected: bool = False) -> None:
        """Who has closed this has ended the process as well."""
        log.log(logging.DEBUG if expected or self._closed else logging.WARNING, text, *values)

    def _kill(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _was_told_to_end(process: subprocess.Popen[bytes]) -> bool:
    try:
        code = process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        return False
    return code in (-signal.SIGTERM, -signal.SIGINT)
