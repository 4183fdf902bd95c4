"""Customers and tariffs from CSV: all or nothing, and every fault by file, line and column."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from agent.errors import ConfigError
from integrations.provider.database import Database
from integrations.provider.demo import FILES
from integrations.provider.loader import load_files
from integrations.provider.schema import CONTRACT, CUSTOMER, PRICE, TERM

CUSTOMERS = "customer,login,password,name"
TARIFFS = "tariff,name,structure,currency,months,days,from,to,price,to_kwh"
TERMS = "contract,customer,name,timezone,start,end,tariff"
PRICES = "tariff,start,end,price"


@pytest.fixture
async def database(sqlite_url: str) -> Database:
    database = Database(sqlite_url)
    await database.migrate()
    return database


async def faults(database: Database, folder: Path, *lines: str) -> list[str]:
    path = folder / "file.csv"
    path.write_text("\n".join(lines) + "\n")
    try:
        with pytest.raises(ConfigError) as caught:
            await load_files(database, [path])
    finally:
        await database.close()
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([CUSTOMERS, "C 1,a@b,,A"], "file.csv, line 2, column password: expected a password"),
        ([CUSTOMERS, "C1,a@b,scrypt$1$1$1$x$y,A"], "file.csv, line 2, column password: begins as"),
        ([CUSTOMERS, "C1,a@b,x"], "file.csv, line 2: expected 4 columns"),
        ([CUSTOMERS, "C1,a@b,x,A", "C2,A@B,y,B"], "file.csv, line 3, column login: belongs"),
        (
            [CUSTOMERS, "C1,a@b,x,A", "C1,c@d,y,B"],
            "file.csv, line 3, column customer: stands already in",
        ),
        ([CUSTOMERS + ",salary", "C1,a@b,x,A,1"], "file.csv, line 1: unknown columns"),
        (["a,b", "1,2"], "file.csv, line 1: no known header"),
        ([TARIFFS, "t,T,FLAT,EUR,,,,,0.2,"], "file.csv, line 2, column structure: expected FIXED"),
        ([TARIFFS, 't,T,FIXED,EUR,,,,,"0,2",'], "file.csv, line 2, column price: expected a price"),
        ([TARIFFS, "t,T,FIXED,EUR,,,,,NaN,"], "file.csv, line 2, column price: expected a price"),
        ([TARIFFS, "t,T,TIME_OF_DAY,EUR,,,06:00,22:00,0.2,"], "file.csv, line 2: tariff t has no"),
        ([TARIFFS, "t,T,TIME_OF_DAY,EUR,,,22:10,24:00,0.2,"], "file.csv, line 2, column from:"),
        ([TARIFFS, "t,T,TIME_OF_DAY,EUR,,,22:00,06:00,0.2,"], "file.csv, line 2, column to:"),
        ([TERMS, "K1,C1,Home,Mars/Base,2026-01-01,,t"], "file.csv, line 2, column timezone:"),
        ([TERMS, "K1,C1,Home,Europe/Berlin,1.1.26,,t"], "file.csv, line 2, column start:"),
        ([TERMS, "K1,C1,Home,Europe/Berlin,2026-01-01,,t"], "file.csv, line 2, column customer:"),
        (
            [PRICES, "t,2026-01-01T00:00:00Z,2026-01-01T00:07:00Z,1"],
            "file.csv, line 2, column end:",
        ),
        (
            [PRICES, "t,2026-01-01T00:00:00Z,2026-01-01T00:30:00Z,1"],
            "file.csv, line 2, column tariff:",
        ),
    ],
)
async def test_what_is_wrong_is_said_with_its_place(
    database: Database, tmp_path: Path, lines: list[str], expected: str
) -> None:
    said = await faults(database, tmp_path, *lines)
    assert said[0].startswith(expected)


async def test_one_wrong_row_and_nothing_is_written(database: Database, tmp_path: Path) -> None:
    await faults(database, tmp_path, CUSTOMERS, "C1,a@b,secret,A", "C2,,secret,B")
    assert await count(database, CUSTOMER) == 0


async def test_loading_again_changes_what_is_there(database: Database, tmp_path: Path) -> None:
    await load_files(database, FILES)
    terms = tmp_path / "terms.csv"
    terms.write_text(
        f"{TERMS}\nK-2004,C-1003,Home,Europe/Berlin,2025-01-01,2025-12-31,flat\n"
        "K-2004,C-1003,Home,Europe/Berlin,2026-01-01,,steps\n"
    )
    prices = tmp_path / "prices.csv"
    price = "half-hourly,2026-01-01T00:00:00Z,2026-01-01T00:30:00Z"
    prices.write_text(f"{PRICES}\n{price},-0.05\n")
    for _ in range(2):
        await load_files(database, [*FILES, terms, prices])
    assert await count(database, CUSTOMER) == 4
    assert await count(database, CONTRACT) == 4
    assert await count(database, TERM) == 5
    assert await count(database, PRICE) == 1
    await database.close()


async def test_terms_that_overlap(database: Database, tmp_path: Path) -> None:
    await load_files(database, FILES)
    said = await faults(
        database,
        tmp_path,
        TERMS,
        "K-2004,C-1003,Home,Europe/Berlin,2025-01-01,,flat",
        "K-2004,C-1003,Home,Europe/Berlin,2026-01-01,,steps",
    )
    assert said == ["contract K-2004: a term ends after the next one has begun"]


async def count(database: Database, table: object) -> int:
    async with database.reading() as connection:
        query = select(func.count()).select_from(table)  # type: ignore[arg-type]  # any table
        found = (await connection.execute(query)).scalar_one()
    await database.close()
    return int(found)
