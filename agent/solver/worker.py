"""The solver's process: requests on stdin, answers on what was stdout when it began.

    python -m agent.solver.worker IDLE_S [MOST_MB]

It says when it is ready and gives way to everything else on the machine. It ends when its stdin
does, when nothing was asked for `IDLE_S` seconds, and when a plan needs more memory than it may
have. HiGHS greets on stdout whatever it is told, so stdout goes nowhere.
"""

import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from typing import IO

from agent.paths import cache_directory
from agent.planning.engine import Deadline, Proposal
from agent.planning.exact.allowances import with_allowances
from agent.planning.joint.engine import JointEngine
from agent.planning.joint.memory import Memory
from agent.planning.joint.recursion import Kernel
from agent.planning.problem import problem_of
from agent.solver.compiled import Builder
from agent.solver.frames import LENGTH, Answer, Ready, Request, unpacked, write_frame

NICE = 10
# Of data, more than twice what the largest homes take: a gateway has other things to do.
MOST_MB = 256
# One that took so much of the processor to start is on a gateway where plans would find it cold for
# ever: it waits so many times as long, and so does each one for its first request.
SLOW_START_S, PATIENT = 2.0, 10


def main() -> int:
    idle_s = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    most = (int(sys.argv[2]) if len(sys.argv) > 2 else MOST_MB) << 20
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # A service may be forbidden to set priorities.
    with suppress(PermissionError):
        os.nice(NICE)
    requests = os.fdopen(0, "rb", buffering=0)
    builder, memory = Builder(cache_directory()), Memory()
    patient_s = idle_s * PATIENT
    write_frame(answers, Ready())
    usual_s = patient_s if time.process_time() > SLOW_START_S else idle_s
    wait_s = patient_s
    while select.select([requests], [], [], wait_s)[0]:
        wait_s = usual_s
        request = _read(requests)
        if request is None:
            break
        try:
            _serve(request, answers, builder.kernel(), memory)
        except MemoryError:
            # What was found until then has been said; the next one begins with an empty process.
            write_frame(answers, Answer(request.number, None, last=True))
            break
    return 0


def _read(stream: IO[bytes]) -> Request | None:
    head = _exactly(stream, LENGTH.size)
    if head is None:
        return None
    data = _exactly(stream, LENGTH.unpack(head)[0])
    message = None if data is None else unpacked(data)
    return message if isinstance(message, Request) else None


def _exactly(stream: IO[bytes], count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            return None
        data += more
    return data


def _serve(request: Request, answers: IO[bytes], kernel: Kernel, memory: Memory) -> None:
    deadline = Deadline(time.monotonic, request.ends)
    problem = with_allowances(problem_of(request.situation), deadline)

    def report(proposal: Proposal) -> None:
        write_frame(answers, Answer(request.number, proposal, last=False))

    proposal = JointEngine(report, kernel, memory).plan(problem, deadline, request.incumbent)
    write_frame(answers, Answer(request.number, proposal, last=True))


if __name__ == "__main__":
    raise SystemExit(main())
