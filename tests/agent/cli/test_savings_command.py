"""`flatpeak-agent savings`: what people and scripts read of the ledger, beside a running agent."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from agent.cli import main
from agent.home.planning_input import ActiveNeed
from agent.store import Store
from tests.fakes.disks import database_of_version
from tests.fakes.prices import HOUR, Books, PriceTable

T = datetime(2026, 1, 31, 22, tzinfo=UTC)
DAYS = """day,device,currency,energy_kwh,cost,baseline_cost,saved,pending_kwh,estimated
2026-01-31,ev,EUR,1,0.1,0.25,0.15,0,no
2026-01-31,tank,EUR,2,0.2,0.2,0,0,no
2026-02-01,ev,EUR,3,0.6,0.75,0.15,0,no
2026-02-02,tank,EUR,1,0,0,0,1,no
"""
SESSIONS = (
    "since,until,device,currency,energy_kwh,cost,baseline_cost,saved,pending_kwh,estimated,"
    "planned_kwh,planned_cost,best_cost,regret,ready_by\n"
    "2026-01-31T20:00:00Z,,ev,EUR,4,0.7,1,0.3,0,no,8,,,,2026-02-01T04:00:00Z\n"
)


def fill(folder: Path, facts: Mapping[str, str]) -> None:
    async def go() -> None:
        store = Store.open(folder / "agent.sqlite", T)
        for name, value in facts.items():
            store.set_value(name, value)
        prices = PriceTable()
        prices.hours(T - 2 * HOUR, "0.30", "0.20", "0.10", "0.20")
        books = Books(store, prices, {"ev": None, "tank": None})
        need = ActiveNeed("stay", Decimal(8), 4000, T + 6 * HOUR)
        books.keeper.open_demands("ev", [need], T - 2 * HOUR)
        books.take("ev", T, T + HOUR, 1)
        books.take("ev", T + HOUR, T + 2 * HOUR, 3)
        books.take("tank", T, T + HOUR, 2)
        await books.save(T + 2 * HOUR)
        books.take("tank", T + timedelta(days=2), T + timedelta(days=2) + HOUR / 2, 1)
        await books.save(T + timedelta(days=2))
        store.close()

    asyncio.run(go())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    fill(folder, {"tariff.currency": "EUR", "tariff.timezone": "Europe/Berlin"})
    return folder


def savings(
    capsys: pytest.CaptureFixture[str], *args: str | Path, code: int = 0
) -> tuple[str, str]:
    try:
        ended: object = main(["savings", *map(str, args)])
    except SystemExit as end:
        ended = end.code
    assert ended == code
    said = capsys.readouterr()
    return said.out, said.err


def test_days_and_sessions_as_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {file.name for file in folder.iterdir()}
    assert savings(capsys, "--csv", "--state", folder) == (DAYS, "")
    assert savings(capsys, "--csv", "--sessions", "--state", folder) == (SESSIONS, "")
    lines = DAYS.splitlines(keepends=True)
    args = ("--csv", "--month", "2026-02", "--device", "ev", "--state", folder)
    assert savings(capsys, *args) == (lines[0] + lines[3], "")
    # Whoever looks makes nothing that the agent, as another user, could not write afterwards.
    assert {file.name for file in folder.iterdir()} == files


@pytest.mark.parametrize("args", [(), ("--month", "2026-01"), ("--sessions",), ("--device", "ev")])
def test_for_people_it_fits_a_terminal_of_any_kind(
    folder: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...]
) -> None:
    out, err = savings(capsys, *args, "--state", folder)
    assert err == ""
    assert out.isascii()
    assert max(map(len, out.splitlines())) <= 80


def test_for_people_it_says_what_is_open_and_what_is_not_known_yet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = savings(capsys, "--state", folder)
    ever = out.partition("\never ")[2]
    assert f"{'in all':<32} {'7.0':>8} kWh {'0.90':>9} {'1.20':>9} {'0.30':>9}*" in ever
    assert "ev: under way since 2026-01-31 21:00, 4.0 of 8.0 kWh" in out
    assert "* 1.0 kWh have no known price yet" in out
    assert "open" in savings(capsys, "--sessions", "--state", folder)[0]


def test_an_empty_database_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.open(tmp_path / "agent.sqlite", T).close()
    assert savings(capsys, "--state", tmp_path)[0].startswith("nothing has been booked yet")
    assert savings(capsys, "--csv", "--state", tmp_path)[0] == DAYS.splitlines()[0] + "\n"
    assert savings(capsys, "--sessions", "--state", tmp_path)[0] == "no session has begun yet\n"
    out, _ = savings(capsys, "--month", "2026-01", "--state", tmp_path)
    assert out == "nothing was booked in that month\n"


def test_a_file_of_before_there_was_a_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database_of_version(tmp_path / "agent.sqlite", 2)
    assert savings(capsys, "--state", tmp_path)[0].startswith("nothing has been booked yet")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--month", "2026"), "expected a month such as 2026-01, got '2026'"),
        (("--month", "2026-13"), "expected a month such as 2026-01, got '2026-13'"),
        (("--month", "01-2026"), "expected a month such as 2026-01, got '01-2026'"),
        (("--csv", "--json"), "not allowed with argument"),
        (("--device", "evse"), "of 'evse' nothing was booked; known: ev, tank"),
    ],
)
def test_a_wrong_argument_is_told_with_what_would_be_right(
    folder: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], said: str
) -> None:
    out, err = savings(capsys, *args, "--state", folder, code=64)
    assert out == ""
    assert said in err


def test_without_a_database_it_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = savings(capsys, "--state", tmp_path, code=66)
    assert out == ""
    assert str(tmp_path / "agent.sqlite") in err


def test_totals_of_another_currency_are_not_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, {"tariff.currency": "GBP", "tariff.timezone": "Europe/Berlin"})
    out, _ = savings(capsys, "--state", tmp_path)
    assert "Before that, in EUR: 7.0 kWh for 0.90, saved 0.30." in out
