"""`flatpeak-agent plan`: one Situation, or one a line, without a running agent."""

import io
import json
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from agent.cli.arguments import CommandParser, number_to
from agent.cli.plan_text import plan_text
from agent.cli.terminal import signs_for
from agent.contracts.plan import plan_document
from agent.contracts.reader import Refusal
from agent.contracts.situation.reading import parse_situation
from agent.energy.plan import Engine, Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from agent.planning.portfolio import ENGINES, Entry
from agent.solver import SolverClient

EX_DATA = 65
EX_NOINPUT = 66
MOST_SECONDS = 3600
TIME_LIMIT_S = 2.0


def main(argv: Sequence[str]) -> int:
    """Exit code 0; 65 when something was refused; 66 without the file; 64 for wrong usage."""
    parser = CommandParser(
        "plan", "Plan one Situation (a JSON document, schema situation/1), or one a line."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--situation", metavar="FILE", help="the Situation; - reads stdin")
    source.add_argument(
        "--jsonl",
        action="store_true",
        help="read one Situation a line from stdin, answer one line each",
    )
    parser.add_argument("--json", action="store_true", help="the plan as JSON, not for people")
    parser.add_argument(
        "--time-limit",
        type=number_to(MOST_SECONDS),
        default=TIME_LIMIT_S,
        metavar="S",
        help=f"seconds within which a plan is there (default {TIME_LIMIT_S:g})",
    )
    try:
        options = parser.parse_args(argv)
    except SystemExit as ended:
        return int(ended.code or 0)
    with SolverClient() as solver:
        return _planned(options, _Planner(options.time_limit, solver))


def _planned(options: Namespace, planner: "_Planner") -> int:
    if options.jsonl:
        return _lines(planner)
    try:
        text = _read(options.situation)
    except OSError as error:
        print(f"flatpeak-agent plan: {options.situation}: {error.strerror}", file=sys.stderr)
        return EX_NOINPUT
    return _one(text, options.situation, planner, as_json=options.json)


def _read(source: str) -> bytes:
    return _standard_input().read() if source == "-" else Path(source).read_bytes()


def _standard_input() -> BinaryIO:
    """Empty where whoever started us has closed it."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


class _Planner:
    """Plans with the time they took; that in which the solver's process starts is not of it."""

    def __init__(self, time_limit_s: float, solver: SolverClient) -> None:
        self._time_limit_s = time_limit_s
        self._solver = solver
        self._engines = (*ENGINES, Entry(Engine.JOINT, solver))
        self._starts = True

    def plan(self, situation: Situation) -> Plan:
        plan = self._timed(situation)
        if self._starts and self._solver.starting:
            self._starts = self._solver.wait_until_ready()
            plan = self._timed(situation) if self._starts else plan
        return plan

    def _timed(self, situation: Situation) -> Plan:
        begun = time.monotonic()
        plan = make_plan(situation, time.monotonic, self._time_limit_s, self._engines)
        return replace(plan, took_ms=round((time.monotonic() - begun) * 1000))


def _one(text: bytes, source: str, planner: _Planner, *, as_json: bool) -> int:
    try:
        situation = parse_situation(text)
    except Refusal as refusal:
        if as_json:
            print(json.dumps(refused(refusal)))
        for fault in refusal.faults:
            print(f"flatpeak-agent plan: {source}: {fault}", file=sys.stderr)
        return EX_DATA
    plan = planner.plan(situation)
    if as_json:
        print(json.dumps(plan_document(plan)))
    else:
        columns = shutil.get_terminal_size().columns
        print(plan_text(situation, plan, columns, signs_for(sys.stdout)))
    return 0


def refused(refusal: Refusal) -> dict[str, Any]:
    """The answer to a document that was refused."""
    return {
        "error": str(refusal.faults[0]),
        "errors": [{"path": fault.path, "message": fault.message} for fault in refusal.faults],
    }


def _lines(planner: _Planner) -> int:
    code = 0
    for line in _standard_input():
        try:
            situation = parse_situation(line)
            # While it is planned its text is not needed.
            del line
            answer = plan_document(planner.plan(situation))
        except Refusal as refusal:
            answer = refused(refusal)
            code = EX_DATA
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return code
