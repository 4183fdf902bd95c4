"""The port to a supplier's customer system: three calls. A large supplier replaces what is behind.

`customer_database.py` is the one that comes along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

FIXED, TIME_OF_DAY, TIERED, DYNAMIC = STRUCTURES = ("FIXED", "TIME_OF_DAY", "TIERED", "DYNAMIC")
DIRECTIONS = ("IMPORT", "EXPORT")


@dataclass(frozen=True, slots=True)
class Customer:
    """Who may sign in. `totp_secret` is base32, None where there is no second factor."""

    id: str
    display_name: str
    totp_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Contract:
    """One supply. `address` has the keys of FlatPeak's postal address; `end` None: open-ended.

    `start` and `end` (aware UTC) are those of the supply without a gap that runs now, or of the
    nearest one, over however many tariffs: nobody is to be reminded of a change that happens by
    itself.
    """

    id: str
    customer_id: str
    display_name: str
    tariff_name: str
    timezone: str
    direction: str
    start: datetime
    end: datetime | None
    address: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rate:
    """A price per kWh in major units over `[start, end)`, aware UTC."""

    start: datetime
    end: datetime
    value: Decimal


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a contract costs. `schedule` as in FlatPeak's tariff object, empty where dynamic.

    It holds from `schedule_start` until `schedule_end` (None: open-ended), before and after which
    the contract may have another tariff. `rates` are in order and do not overlap; of tiers the
    lowest one.
    """

    contract: Contract
    structure: str
    currency: str
    schedule: Sequence[Mapping[str, Any]]
    schedule_start: datetime
    schedule_end: datetime | None
    rates: Sequence[Rate]


class CustomerSystem(Protocol):
    """Each call may raise Unavailable; nothing of it is logged by whoever calls."""

    async def check_login(self, login: str, password: str) -> Customer | None:
        """The customer, or None where login and password do not belong together."""
        ...

    async def contracts(self, customer_id: str, now: datetime) -> Sequence[Contract]:
        """All contracts of that customer that run at `now` or will, in a lasting order."""
        ...

    async def tariff(
        self, contract_id: str, start: datetime, end: datetime, now: datetime
    ) -> Tariff | None:
        """Rates of that contract over `[start, end)`; None where there is no such contract."""
        ...
