"""The customer system that comes along: the tables customer, contract, tariff and price."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, case, or_, select

from agent.energy.instants import from_unix
from integrations.provider.customers import DYNAMIC, Contract, Customer, Rate, Tariff
from integrations.provider.database import Database
from integrations.provider.schedules import price_at, rates_over
from integrations.provider.schema import CONTRACT, CUSTOMER, PRICE, TARIFF, TERM
from integrations.provider.secrets_kept import PasswordChecker


class DatabaseCustomers:
    """CustomerSystem on our own database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._passwords = PasswordChecker()

    async def check_login(self, login: str, password: str) -> Customer | None:
        typed = normal_login(login)
        query = (
            select(CUSTOMER)
            .where(or_(CUSTOMER.c.login == typed, CUSTOMER.c.id == login.strip()[:64]))
            .order_by(case((CUSTOMER.c.login == typed, 0), else_=1))
            .limit(1)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        good = await self._passwords.check(password, None if row is None else row["password"])
        if row is None or not good:
            return None
        return Customer(row["id"], row["display_name"], row["totp_secret"] or None)

    async def contracts(self, customer_id: str, now: datetime) -> Sequence[Contract]:
        query = _terms().where(CONTRACT.c.customer_id == customer_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).mappings().all()
        by_contract: dict[str, list[RowMapping]] = {}
        for row in rows:
            by_contract.setdefault(row["id"], []).append(row)
        found = (_contract(terms, now) for terms in by_contract.values())
        return [contract for contract in found if contract.end is None or contract.end > now]

    async def tariff(
        self, contract_id: str, start: datetime, end: datetime, now: datetime
    ) -> Tariff | None:
        query = _terms().where(CONTRACT.c.id == contract_id)
        async with self._database.reading() as connection:
            terms = (await connection.execute(query)).mappings().all()
            if not terms:
                return None
            dynamic = {term["tariff_id"] for term in terms if term["structure"] == DYNAMIC}
            prices = select(PRICE).where(
                PRICE.c.tariff_id.in_(dynamic),
                PRICE.c.end_at > int(start.timestamp()),
                PRICE.c.start_at < int(end.timestamp()),
            )
            rows = (await connection.execute(prices.order_by(PRICE.c.start_at))).mappings().all()
        known = {
            name: _Prices([row for row in rows if row["tariff_id"] == name]) for name in dynamic
        }
        term = _counting(terms, now)
        return Tariff(
            contract=_contract(terms, now),
            structure=term["structure"],
            currency=term["currency"],
            schedule=json.loads(term["schedule"]),
            schedule_start=from_unix(term["start_at"]),
            schedule_end=_instant(term["end_at"]),
            rates=_rates(terms, known, start, end),
        )


def normal_login(login: str) -> str:
    """Customers write their address in any case."""
    return login.strip().casefold()[:254]


def _terms() -> Any:
    joined = CONTRACT.join(TERM).join(TARIFF)
    columns = [
        *CONTRACT.c,
        *(TERM.c[name] for name in ("start_at", "end_at", "tariff_id")),
        TARIFF.c.display_name.label("tariff_name"),
        *(TARIFF.c[name] for name in ("structure", "currency", "schedule")),
    ]
    return select(*columns).select_from(joined).order_by(CONTRACT.c.id, TERM.c.start_at)


def _counting(terms: Sequence[RowMapping], now: datetime) -> RowMapping:
    """The term that runs at `now`; else the next one, else the last."""
    seconds = now.timestamp()
    ending = (term for term in terms if term["end_at"] is None or term["end_at"] > seconds)
    return next(ending, terms[-1])


def _contract(terms: Sequence[RowMapping], now: datetime) -> Contract:
    term = _counting(terms, now)
    start_at, end_at = _supply(terms, term)
    return Contract(
        id=term["id"],
        customer_id=term["customer_id"],
        display_name=term["display_name"],
        tariff_name=term["tariff_name"],
        timezone=term["timezone"],
        direction=term["direction"],
        start=from_unix(start_at),
        end=_instant(end_at),
        address=json.loads(term["address"]),
    )


def _supply(terms: Sequence[RowMapping], term: RowMapping) -> tuple[int, int | None]:
    """Of the terms that join on to this one, the first one's start and the last one's end.

    `terms` are in the order of their starts.
    """
    index = terms.index(term)
    start_at, end_at = term["start_at"], term["end_at"]
    for earlier in reversed(terms[:index]):
        if earlier["end_at"] is None or earlier["end_at"] < start_at:
            break
        start_at = earlier["start_at"]
    for later in terms[index + 1 :]:
        if end_at is None or later["start_at"] > end_at:
            break
        end_at = later["end_at"]
    return start_at, end_at


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else from_unix(seconds)


class _Prices:
    """Stored prices of one dynamic tariff, to be looked up by instant."""

    def __init__(self, rows: Sequence[RowMapping]) -> None:
        self._rows = rows
        self._starts = [row["start_at"] for row in rows]

    def at(self, seconds: float) -> Decimal | None:
        index = bisect_right(self._starts, seconds) - 1
        if index < 0 or self._rows[index]["end_at"] <= seconds:
            return None
        return Decimal(self._rows[index]["value"])


def _rates(
    terms: Sequence[RowMapping], known: Mapping[str, _Prices], start: datetime, end: datetime
) -> list[Rate]:
    zone = ZoneInfo(terms[0]["timezone"])
    schedules = {term["tariff_id"]: json.loads(term["schedule"]) for term in terms}

    def price(at: datetime) -> Decimal | None:
        seconds = at.timestamp()
        for term in terms:
            if term["start_at"] <= seconds and (term["end_at"] is None or seconds < term["end_at"]):
                if prices := known.get(term["tariff_id"]):
                    return prices.at(seconds)
                return price_at(schedules[term["tariff_id"]], at.astimezone(zone))
        return None

    return rates_over(start, end, price)
