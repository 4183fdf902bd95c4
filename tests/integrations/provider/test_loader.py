"""Customers and tariffs from CSV: all or nothing, and every fault by file, line and column."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from agent.errors import ConfigError
from integrations.provider.database import Database
from integrations.provider.demo import FILES
from integrations.provider.loader import load_files
from integrations.provider.schema import CONTRACT, CUSTOMER, PRICE, TERM, THROTTLE

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
        (
            [CUSTOMERS, ",a@b,x,A"],
            "file.csv, line 2, column customer: is empty; expected at most 64",
        ),
        ([CUSTOMERS, "C1, ,x,A"], "file.csv, line 2, column login: is empty; expected text of"),
        ([CUSTOMERS, "-C1,a@b,x,A"], "file.csv, line 2, column customer: expected at most 64"),
        ([CUSTOMERS, "C1,a@b,x"], "file.csv, line 2: expected 4 columns, found 3; a comma"),
        ([CUSTOMERS, "C1,a@b,x,A", "C2,A@B,y,B"], "file.csv, line 3, column login: belongs"),
        (
            [CUSTOMERS, "C1,a@b,x,A", "C1,c@d,y,B"],
            "file.csv, line 3, column customer: stands already in",
        ),
        ([CUSTOMERS + ",salary", "C1,a@b,x,A,1"], "file.csv, line 1: unknown columns"),
        (["a,b", "1,2"], "file.csv, line 1: no known header: found a, b. Expected"),
        (
            ["customer,login,pasword,name", "C1,a@b,x,A"],
            "file.csv, line 1: the column password is missing; unknown columns for customers: pasw",
        ),
        (
            ["customer,login,password,name,login", "C1,a@b,x,A,a@b"],
            "file.csv, line 1: the column login stands twice",
        ),
        ([CUSTOMERS, "C1,a@b,x,A", CUSTOMERS], "file.csv, line 3: the header stands here once"),
        (
            [TARIFFS, "t,T,FIXED,EUR,,,,,28.90,"],
            "file.csv, line 2, column price: 28.90 EUR per kWh",
        ),
        ([TARIFFS, "t,T,TIERED,EUR,,,,,0.2,2.500"], "file.csv, line 2, column to_kwh: is it thous"),
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
            [TERMS, "K1,C1,Home,Europe/Berlin,0001-01-01,,t"],
            "file.csv, line 2, column start: expected a date from 1970",
        ),
        (
            [TERMS, "K1,C1,Home,Europe/Berlin,2026-01-01,9999-12-30,t"],
            "file.csv, line 2, column end: expected a date from 1970",
        ),
        (
            [TERMS, "K1,C1,Home,UTC,2026-01-01,,t", "K1,C2,Home,UTC,2027-01-01,,t"],
            "file.csv, line 3, column customer: contract K1 has another one in",
        ),
        (
            [TERMS, "K1,C1,Home,UTC,2026-01-01,,t", "K1,C1,Home,Asia/Tokyo,2027-01-01,,t"],
            "file.csv, line 3, column timezone: contract K1 has another one in",
        ),
        (
            [TERMS, "K1,C1,Home,UTC,2026-01-01,,t", "K1,C1,Home,UTC,2026-01-01,,u"],
            "file.csv, line 3, column start: contract K1: the term in",
        ),
        (
            [
                PRICES,
                "t,2026-01-01T01:00:00Z,2026-01-01T02:00:00Z,2",
                "t,2026-01-01T00:00:00Z,2026-01-01T04:00:00Z,1",
            ],
            "file.csv, line 2, column start: the price in",
        ),
        (
            [TARIFFS, "t,T,FIXED,EUR,,,,,0.2,", "t,T,FIXED,EUR,,,,,0.3,"],
            "file.csv, line 3: tariff t has a price for these hours already in",
        ),
        (
            [TARIFFS, "t,T,FIXED,EUR,,,,12:00,0.2,", "t,T,FIXED,EUR,,,12:00,,0.3,"],
            "file.csv, line 2: tariff t is FIXED: expected one price",
        ),
        (
            [
                TARIFFS,
                "t,T,TIME_OF_DAY,EUR,,All,,,0.2,",
                "t,T,TIME_OF_DAY,EUR,,Weekend,06:00,07:00,0.3,",
            ],
            "file.csv, line 3: tariff t has a price on Jan, Sat, 06:00 already in",
        ),
        (
            [TARIFFS, "t,T,TIERED,EUR,,,,,0.3,", "t,T,TIERED,EUR,,,,,0.2,2500"],
            "file.csv, line 3, column to_kwh: tariff t: expected limits in rising order",
        ),
        (
            [TARIFFS, "t,T,TIERED,EUR,,,,,0.2,2500", "t,T,TIERED,EUR,,,,,0.3,5000"],
            "file.csv, line 3, column to_kwh: tariff t: expected limits in rising order",
        ),
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


async def test_all_that_is_wrong_in_a_row_is_said_at_once(
    database: Database, tmp_path: Path
) -> None:
    said = await faults(
        database,
        tmp_path,
        f"{TERMS},direction,country_code",
        "K1,?,Home,Mars/Base,01.01.2025,,t,IN,Deutschland",
    )
    columns = [line.split("column ")[1].partition(":")[0] for line in said]
    assert columns == ["timezone", "direction", "start", "country_code", "customer"]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffcustomer;login;password;name\r\nC1;a@b;sunny-meadow;Änne Groß\r\n".encode(),
        "customer\tlogin\tpassword\tname\nC1\ta@b\tsunny-meadow\tÄnne Groß\n".encode("utf-16"),
        'sep=|\rcustomer|login|password|name\rC1|a@b|sunny-meadow|"Änne Groß"\r'.encode(),
        "Customer , LOGIN,password,Name,,\n\n,,,,,\nC1,a@b,sunny-meadow,Änne Groß,,\n,\n".encode(),
    ],
    ids=["semicolons", "tabs in UTF-16", "a told separator", "empty rows and columns"],
)
async def test_what_spreadsheets_write_is_read(
    database: Database, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert (await load_files(database, [path])).counts["customers"] == 1
    async with database.reading() as connection:
        names = (await connection.execute(select(CUSTOMER.c.display_name))).scalars().all()
    assert names == ["Änne Groß"]
    await database.close()


async def test_another_code_page_is_said_with_its_line(database: Database, tmp_path: Path) -> None:
    """Which one, nobody can know: an ü would become another letter of somebody's name."""
    path = tmp_path / "file.csv"
    path.write_bytes(f"{CUSTOMERS}\r\nC1,a@b,x,A\r\nC2,c@d,x,Änne\r\n".encode("cp1252"))
    with pytest.raises(ConfigError) as caught:
        await load_files(database, [path])
    assert str(caught.value).endswith("line 3 is no text in UTF-8: save it as CSV UTF-8")
    await database.close()


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
        await load_files(database, FILES)
        await load_files(database, [terms, prices])
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
    assert len(said) == 1
    assert said[0].startswith("file.csv, line 3, column start: contract K-2004: the term in ")


async def test_what_customer_systems_write_for_no_end(database: Database, tmp_path: Path) -> None:
    await load_files(database, FILES)
    terms = tmp_path / "terms.csv"
    terms.write_text(f"{TERMS}\nK-2004,C-1003,Home,Europe/Berlin,2025-01-01,9999-12-31,flat\n")
    await load_files(database, [terms])
    async with database.reading() as connection:
        query = select(TERM.c.end_at).where(TERM.c.contract_id == "K-2004")
        assert (await connection.execute(query)).scalars().all() == [None]
    await database.close()


async def test_a_contract_does_not_change_hands_in_silence(
    database: Database, tmp_path: Path
) -> None:
    await load_files(database, FILES)
    said = await faults(database, tmp_path, TERMS, "K-2004,C-1001,Home,UTC,2025-01-01,,flat")
    assert said == [
        "file.csv, line 2, column customer: contract K-2004 is another customer's already"
    ]


def hours(count: int, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), step: int = 1) -> str:
    lines = [PRICES]
    for number in range(0, count, step):
        begin, end = start + timedelta(hours=number), start + timedelta(hours=number + step)
        lines.append(f"half-hourly,{begin:%Y-%m-%dT%H:%M:%SZ},{end:%Y-%m-%dT%H:%M:%SZ},0.1")
    return "\n".join(lines) + "\n"


async def test_prices_take_the_place_of_those_of_their_time(
    database: Database, tmp_path: Path
) -> None:
    await load_files(database, FILES)
    path = tmp_path / "prices.csv"
    for text, rows in ((hours(8, step=4), 2), (hours(8), 8), (hours(4, step=4), 5)):
        path.write_text(text)
        await load_files(database, [path])
        assert await count(database, PRICE) == rows
    # A price for an hour of the four that one is stored for leaves a hole, or says two.
    said = await faults(database, tmp_path, *hours(1).splitlines())
    assert said[0].startswith(
        "file.csv, line 2, column start: a price is stored from 2026-01-01T00:00:00Z to "
    )
    assert await count(database, PRICE) == 5


async def test_prices_of_another_structure(database: Database, tmp_path: Path) -> None:
    await load_files(database, FILES)
    line = "flat,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z,0.1"
    said = await faults(database, tmp_path, PRICES, line)
    assert said[0].startswith("file.csv, line 2, column tariff: is FIXED: only a DYNAMIC")


async def test_dynamic_prices_in_cents(database: Database, tmp_path: Path) -> None:
    await load_files(database, FILES)
    span = "2026-01-01T00:00:00Z,2026-01-01T01:00:00Z"
    said = await faults(database, tmp_path, PRICES, f"half-hourly,{span},25.5")
    assert said[0].startswith("file.csv, line 2, column price: 25.5 EUR per kWh is beyond belief")


async def test_who_signs_in_does_not_wait_for_the_end_of_a_load(
    sqlite_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes, as a load beside `provider run` is: each has a connection of its own."""
    # Long enough for a busy machine.
    monkeypatch.setattr("integrations.provider.loader.PAUSE_S", 1.0)
    await load_files(database, FILES)
    path = tmp_path / "prices.csv"
    path.write_text(hours(12_000))
    serving = Database(sqlite_url)
    loading = asyncio.create_task(load_files(database, [path]))
    written_meanwhile, last = 0, 0
    while not loading.done():
        async with serving.writing() as connection:
            key = f"k{uuid4()}"
            await connection.execute(THROTTLE.insert().values(key=key, count=1, until=1))
            query = select(func.count()).select_from(PRICE)
            found = (await connection.execute(query)).scalar_one()
        written_meanwhile += last < found < 12_000
        last = max(last, found)
        await asyncio.sleep(0.01)
    await loading
    assert written_meanwhile
    assert await count(serving, PRICE) == 12_000
    await database.close()


async def count(database: Database, table: object) -> int:
    async with database.reading() as connection:
        query = select(func.count()).select_from(table)  # type: ignore[arg-type]  # any table
        found = (await connection.execute(query)).scalar_one()
    await database.close()
    return int(found)
