"""The solver's process: whatever it does, there is a plan in time."""

import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from agent.energy.plan import Engine, Plan
from agent.energy.situation import Situation
from agent.planning import make_plan
from agent.planning.engine import Deadline
from agent.planning.joint_size import MOST_SIZE
from agent.planning.portfolio import ENGINES, Entry
from agent.planning.problem import problem_of
from agent.solver import SolverClient
from agent.solver.client import installed
from tests.agent.planning.joint.homes import battery, home, site, spans
from tests.agent.planning.tale import demand, house, load

# Far more than a plan of this size takes anywhere.
PLENTY_S = 60.0
needs_solver = pytest.mark.skipif(not installed(), reason="no solver on this machine")


def shop() -> Situation:
    """A battery that earns 0.30 by buying cheap."""
    return home([0.10, 0.40], battery(), site=site(base_load=spans(1, 1)))


def plan_with(solver: SolverClient, situation: Situation, limit_s: float = PLENTY_S) -> Plan:
    engines = (*ENGINES, Entry(Engine.JOINT, solver))
    return make_plan(situation, time.monotonic, limit_s, engines)


READY = """
import sys
from agent.solver.frames import Ready, write_frame
write_frame(sys.stdout.buffer, Ready())
"""


def script(tmp_path: Path, text: str, *, ready: str = READY) -> list[str]:
    path = tmp_path / "solver.py"
    path.write_text(ready + text)
    return [sys.executable, str(path)]


@needs_solver
def test_a_process_plans_and_stays_for_the_next_plan() -> None:
    with SolverClient() as solver:
        assert solver.pid is None
        assert float(plan_with(solver, shop()).objective) == pytest.approx(-0.30, abs=1e-5)
        first = solver.pid
        assert first is not None
        own = os.getpriority(os.PRIO_PROCESS, 0)
        # 19 is the lowest there is.
        assert os.getpriority(os.PRIO_PROCESS, first) > min(own, 18)
        assert plan_with(solver, shop()).engine is Engine.JOINT
        assert solver.pid == first
    assert solver.pid is None


@needs_solver
def test_a_device_alone_starts_no_process() -> None:
    with SolverClient() as solver:
        plan_with(solver, house([0.1, 0.2], load(demand(1, 2))))
        assert solver.pid is None


@needs_solver
def test_years_of_prices_start_no_process() -> None:
    with SolverClient() as solver:
        problem = problem_of(home([0.1, 0.4] * (MOST_SIZE // 8 + 1), battery()))
        assert solver.plan(problem, Deadline.never(), None) is None
        assert solver.pid is None


@needs_solver
def test_a_killed_process_is_replaced() -> None:
    with SolverClient() as solver:
        plan_with(solver, shop())
        assert solver.pid is not None
        os.kill(solver.pid, 9)
        assert plan_with(solver, shop()).engine is not Engine.EXACT
        assert float(plan_with(solver, shop()).objective) == pytest.approx(-0.30, abs=1e-5)


@needs_solver
def test_it_ends_by_itself_when_nobody_asks() -> None:
    with SolverClient((sys.executable, "-m", "agent.solver.worker", "0.2")) as solver:
        plan_with(solver, shop())
        process = solver._process
        assert process is not None
        assert process.wait(timeout=PLENTY_S) == 0
        assert solver.pid is None
        assert plan_with(solver, shop()).engine is Engine.JOINT


@needs_solver
def test_a_process_that_has_too_little_memory_leaves_the_rules_plan(
    caplog: pytest.LogCaptureFixture,
) -> None:
    command = (sys.executable, "-m", "agent.solver.worker", "60", "24")
    with SolverClient(command) as solver, caplog.at_level(logging.INFO):
        assert plan_with(solver, shop()).engine is Engine.RULE
        process = solver._process
        assert process is not None
        assert process.wait(timeout=PLENTY_S) == 0
    assert not caplog.records


@pytest.mark.parametrize(
    "text",
    [
        "raise SystemExit(3)",
        "import sys; sys.stdin.buffer.read(4)",
        "print('HiGHS says good morning', flush=True); import sys; sys.stdin.read()",
    ],
    ids=["ends at once", "dies while it is asked", "writes nonsense"],
)
def test_a_process_that_fails_leaves_the_rules_plan(tmp_path: Path, text: str) -> None:
    with SolverClient(script(tmp_path, text), available=lambda: True) as solver:
        plan = plan_with(solver, shop())
        assert plan.engine is Engine.RULE
        assert plan.devices[0].id == "battery"
        assert solver.pid is None


@needs_solver
def test_one_that_starts_slowly_is_kept_and_plans_when_it_is_ready(tmp_path: Path) -> None:
    """As on a slow gateway, where reading its code takes longer than a plan may."""
    go = tmp_path / "go"
    os.mkfifo(go)
    slow = ["sh", "-c", f"read line < {go}; exec {sys.executable} -m agent.solver.worker 60"]
    with SolverClient(slow) as solver:
        assert plan_with(solver, shop(), 0.5).engine is Engine.RULE
        first = solver.pid
        assert first is not None
        assert solver.starting
        assert plan_with(solver, shop(), 0.5).engine is Engine.RULE
        go.write_text("go\n")
        assert solver.wait_until_ready()
        assert not solver.starting
        assert plan_with(solver, shop()).engine is Engine.JOINT
        assert solver.pid == first


def test_one_that_dies_while_it_starts_is_not_waited_for(tmp_path: Path) -> None:
    command = script(tmp_path, "raise SystemExit(3)", ready="")
    with SolverClient(command, available=lambda: True) as solver:
        assert plan_with(solver, shop()).engine is Engine.RULE
        assert not solver.starting
        assert not solver.wait_until_ready()


def test_a_process_that_overruns_is_killed_and_the_rules_plan_is_there(tmp_path: Path) -> None:
    stuck = script(tmp_path, "import time\nwhile True: time.sleep(1)")
    with SolverClient(stuck, available=lambda: True) as solver:
        assert plan_with(solver, shop(), 1.0).engine is Engine.RULE
        if solver.starting:
            assert solver.wait_until_ready()
            assert plan_with(solver, shop(), 1.0).engine is Engine.RULE
        assert solver.pid is None


def test_closed_in_the_middle_of_an_answer_it_leaves_no_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = tmp_path / "said"
    stuck = script(tmp_path, f"open({str(said)!r}, 'w').close()\nimport time\ntime.sleep(3600)")
    solver = SolverClient(stuck, available=lambda: True)
    with ThreadPoolExecutor(1) as pool:
        planned = pool.submit(plan_with, solver, shop(), 3000)
        while not said.exists() and not planned.done():
            os.sched_yield()
        solver.close()
        assert planned.result(PLENTY_S).engine is Engine.RULE
    assert solver.pid is None
    # Nobody has to act where the agent ends.
    assert not [item for item in caplog.records if item.levelno >= logging.WARNING]
    # A plan that was asked for before and begins only now starts no other.
    assert plan_with(solver, shop()).engine is Engine.RULE
    assert solver.pid is None


def test_without_the_solver_everything_is_planned_all_the_same() -> None:
    with SolverClient(available=lambda: False) as solver:
        plan = plan_with(solver, shop())
        assert plan.engine is Engine.RULE
        assert solver.pid is None
        alone = plan_with(solver, house([0.1, 0.2], load(demand(1, 2))))
        assert alone.engine is Engine.EXACT
        assert alone.cost == Decimal("0.1")


@pytest.mark.parametrize(("number", "faults"), [("SIGTERM", 0), ("SIGKILL", 1)])
def test_a_process_that_was_told_to_end_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, number: str, faults: int
) -> None:
    text = (
        f"import os, signal, sys; sys.stdin.buffer.read(1); os.kill(os.getpid(), signal.{number})"
    )
    with SolverClient(script(tmp_path, text), available=lambda: True) as solver:
        assert plan_with(solver, shop()).devices
    found = [item for item in caplog.records if item.levelno >= logging.WARNING]
    assert len(found) == faults
