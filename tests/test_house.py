"""Who may know whom: the arrows between the rooms, read from the imports themselves."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "agent").rglob("*.py"), *(ROOT / "integrations").rglob("*.py")])

# A room and what it may import of the project (itself always); the first match counts.
WORDS = {"agent.energy", "agent.errors"}
HALL = {"agent", "integrations"}
SHELL = WORDS | {
    "agent.clock",
    "agent.command_line",
    "agent.connect_ports",
    "agent.health",
    "agent.latest",
    "agent.ports",
    "agent.store",
}
REPORT = {"agent.contracts", "agent.home", "agent.records", "agent.report"}
ROOMS: list[tuple[str, set[str]]] = [
    ("agent.energy", set()),
    ("agent.planning", {"agent.energy"}),
    ("agent.solver", {"agent.energy", "agent.paths", "agent.planning"}),
    ("agent.errors", {"agent.energy.text"}),
    ("agent.clockmonitor", {"agent.clock", "agent.energy", "agent.health"}),
    ("agent.interpreter", {"agent.clock"}),
    ("agent.clock", set()),
    ("agent.latest", set()),
    ("agent.health", {"agent.clock", "agent.energy"}),
    ("agent.paths", set()),
    ("agent.command_line", {"agent.paths"}),
    ("agent.liveness", {"agent.health"}),
    ("agent.systemd", set()),
    ("agent.tasks", set()),
    ("agent.database", WORDS),
    ("agent.store", WORDS | {"agent.database"}),
    ("agent.connect_ports", {"agent.energy"}),
    (
        "agent.ports",
        {"agent.connect_ports", "agent.energy", "agent.health", "agent.latest", "agent.store"},
    ),
    ("agent.contracts", WORDS | {"agent.__version__"}),
    ("agent.config", WORDS | {"agent.paths"}),
    ("agent.tariff", SHELL),
    ("agent.home", WORDS | {"agent.config", "agent.contracts"}),
    ("agent.mqtt", {"agent.config", "agent.energy", "agent.health", "agent.ports"}),
    ("agent.records", SHELL | {"agent.home"}),
    ("agent.report", SHELL | REPORT | {"agent.dispatch.outbox"}),
    ("agent.dispatch", SHELL | REPORT),
    ("agent.control", SHELL | REPORT | {"agent.config", "agent.dispatch"}),
    ("agent.serving", {"agent.energy"}),
    (
        "agent.web",
        SHELL
        | {"agent.__version__", "agent.config", "agent.contracts", "agent.paths", "agent.serving"},
    ),
    ("agent.app_ports", {"agent.health", "agent.ports"}),
    ("agent.wiring", HALL),
    ("agent.app", HALL),
    ("agent.cli", HALL),
    ("agent.__main__", {"agent.cli"}),
    (
        "integrations.registry",
        SHELL
        | {
            "agent.config",
            "agent.home.kinds",
            "agent.web.settings",
            "integrations.devices",
            "integrations.homeassistant",
            "integrations.tariffs",
        },
    ),
    (
        "integrations.homeassistant",
        SHELL | {"agent.__version__", "agent.config", "agent.contracts"},
    ),
    ("integrations.devices", SHELL | {"agent.config", "agent.contracts"}),
    ("integrations.tariffs", SHELL | {"agent.config"}),
    ("integrations.firmware", set()),
    (
        "integrations.provider",
        SHELL
        | {
            "agent.__version__",
            "agent.config.base",
            "agent.config.load",
            "agent.paths",
            "agent.serving",
            "agent.systemd",
        },
    ),
    ("integrations.sandbox", SHELL | {"integrations.firmware"}),
]
# What is nobody's room: only the packages themselves, with nothing in them.
TOPS = ("agent", "integrations")
# Pure: nothing in them waits, reads a clock, a file or a socket.
PURE = (
    "agent.energy",
    "agent.planning.joint",
    "agent.planning",
    "agent.home",
    "agent.contracts",
    "agent.dispatch.blocks",
    "agent.dispatch.finish",
    "agent.dispatch.limit",
    "agent.dispatch.phases",
    "agent.dispatch.schedules",
    "agent.control.boosts",
    "agent.control.plan_cycle",
    "agent.control.plan_timing",
    "agent.records.day_book",
    "agent.records.demand_session",
    "agent.records.device_books",
    "agent.records.hindsight",
    "agent.records.known_prices",
    "agent.records.ledger",
    "agent.records.ledger_rows",
    "agent.records.sums",
    "agent.records.write_budget",
    "agent.report.documents",
    "agent.report.ledger_document",
    "agent.tariff.answer",
    "agent.tariff.connecting.contract_end",
    "agent.tariff.connecting.session",
    "agent.tariff.estimates",
    "agent.tariff.feed",
    "agent.tariff.health",
    "agent.tariff.normalise",
    "agent.tariff.refresh",
)
NO_SHELL = {"asyncio", "socket", "time", "pathlib", "os", "threading", "sqlite3"}
PURE_STANDARD = set(sys.stdlib_module_names) - NO_SHELL
PURE_MAY_IMPORT = {
    "agent.energy": PURE_STANDARD,
    "agent.planning": PURE_STANDARD | {"astral"},
    "agent.planning.joint": PURE_STANDARD | {"highspy", "numpy"},
    "agent.home": PURE_STANDARD | {"astral", "pydantic"},
    "agent.contracts": PURE_STANDARD | {"pydantic"},
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    out: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            out |= {f"{node.module}.{alias.name}" for alias in node.names}
    return out


def room_of(module: str) -> tuple[str, set[str]]:
    found = next((room for room in ROOMS if within(module, room[0])), None)
    assert found is not None or module in TOPS, f"{module} stands in no room: add one to ROOMS"
    return found or (module, set())


def within(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_arrows_point_inward(path: Path) -> None:
    module = module_of(path)
    room, allowed = room_of(module)
    for name in imports_of(path):
        if within(name, "agent") or within(name, "integrations"):
            assert within(name, room) or any(within(name, other) for other in allowed), (
                f"{module} may not import {name}"
            )


PURE_FILES = [path for path in FILES if any(within(module_of(path), pure) for pure in PURE)]


@pytest.mark.parametrize("path", PURE_FILES, ids=module_of)
def test_the_pure_rooms_stay_pure(path: Path) -> None:
    room = next(pure for pure in PURE if within(module_of(path), pure))
    for name in imports_of(path):
        top = name.split(".")[0]
        allowed = PURE_MAY_IMPORT.get(room, PURE_STANDARD)
        assert top == "agent" or top in allowed, f"{path.name} imports {name}"
    tree = ast.parse(path.read_text())
    assert not any(isinstance(node, ast.Await | ast.AsyncFunctionDef) for node in ast.walk(tree))
    calls = [
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    assert not {"now", "utcnow", "today"} & set(calls)


def test_only_the_hall_knows_every_room() -> None:
    whole = {room for room, allowed in ROOMS if allowed == HALL}
    assert whole == {"agent.app", "agent.wiring", "agent.cli"}


def test_only_the_solvers_process_brings_in_the_solver() -> None:
    """highspy and numpy weigh more than the agent, and a 32-bit gateway has neither."""
    light = {"agent.planning.joint.allowances.with_allowances"}
    for path in FILES:
        module = module_of(path)
        if within(module, "agent.planning.joint"):
            continue
        names = imports_of(path)
        tops = {name.split(".")[0] for name in names}
        assert not {"highspy", "numpy"} & tops, f"{module} imports the solver"
        heavy = {name for name in names if within(name, "agent.planning.joint")} - light
        inside = {"agent.solver.worker", "agent.solver.compiled"}
        assert not heavy or module in inside, f"{module} imports {heavy}"
