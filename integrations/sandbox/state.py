"""What the sandbox knows and every part of it shares: clock, faults, locations, what happened."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aiohttp import web

from agent.clock import Clock
from integrations.sandbox.faults import Faults
from integrations.sandbox.locations import PACKAGED_AT, Location, Tariff, object_id
from integrations.sandbox.regions import Region
from integrations.sandbox.responses import error_object, error_time
from integrations.sandbox.series import Series

ACCOUNT_ID = object_id("acc", 1)
CUSTOMER_ID = object_id("cus", 1)
API_KEY = "sk_live_000000000000000000000001"
TEST_API_KEY = "sk_test_000000000000000000000001"
REMEMBERED_CALLS = 20_000
# Contract reminders come seven to ten days ahead.
EXPIRING_AHEAD = timedelta(days=8)
# Numbers of what is made while the sandbox runs start here, above the packaged ones.
FIRST_NUMBER = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request that came in, the sandbox's own pages left out."""

    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    status: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: `kind` in FlatPeak's spelling such as `tariff.expiring`."""

    kind: str
    location_id: str
    at: datetime
    tariff_id: str = ""


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    reference_id: str
    created_at: datetime = PACKAGED_AT


class SandboxState:
    """Locations and customers by id. Locations are replaced, never changed."""

    def __init__(self, clock: Clock, locations: Iterable[Location]) -> None:
        self.clock = clock
        self.faults = Faults()
        self.locations = {location.id: location for location in locations}
        self.customers = {CUSTOMER_ID: Customer(CUSTOMER_ID, "household")}
        self.events: list[Event] = []
        self.calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self._number = FIRST_NUMBER

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def raise_event(self, kind: str, location_id: str, tariff_id: str = "") -> None:
        """Let `GET /events` tell from now on that this happened."""
        self.events.append(Event(kind, location_id, self.clock.now(), tariff_id))

    def customer_of(self, reference_id: str) -> Customer:
        """The customer with this reference, made where there is none; the household's without."""
        if not reference_id:
            return self.customers[CUSTOMER_ID]
        for customer in self.customers.values():
            if customer.reference_id == reference_id:
                return customer
        identity = object_id("cus", self.next_number())
        made = Customer(identity, reference_id, self.clock.now())
        self.customers[made.id] = made
        return made

    def add_location(self, region: Region, reference_id: str, customer_id: str) -> Location:
        made = region.location(self.next_number(), reference_id, customer_id)
        made = replace(made, created_at=self.clock.now())
        self.locations[made.id] = made
        self.raise_event("location.create", made.id)
        return made

    def connect(self, location_id: str, kind: str, tariff: Tariff, series: Series | None) -> None:
        """Let `tariff` be what is connected there. `series` None: prices are not known (yet)."""
        location = self.locations[location_id]
        serves = dict(location.series)
        if kind.startswith("commodity_"):
            serves.pop(_direction(kind), None)
            if series is not None:
                serves[_direction(kind)] = series
        self.locations[location_id] = replace(
            location, series=serves, connected={**location.tariffs, kind: tariff}
        )

    def disconnect(self, location_id: str, kind: str) -> None:
        location = self.locations[location_id]
        serves = dict(location.series)
        if kind.startswith("commodity_"):
            serves.pop(_direction(kind), None)
        kept = {name: tariff for name, tariff in location.tariffs.items() if name != kind}
        self.locations[location_id] = replace(location, series=serves, connected=kept)

    def raise_due_reminders(self) -> None:
        """Contracts near or past their end become events, each once for each end."""
        now = self.clock.now()
        known = {(event.kind, event.tariff_id, event.at) for event in self.events}
        for location in self.locations.values():
            for tariff in location.connected.values():
                if tariff.contract_end is None:
                    continue
                due = {
                    "tariff.expiring": tariff.contract_end - EXPIRING_AHEAD,
                    "tariff.expired": tariff.contract_end,
                }
                for kind, at in due.items():
                    if at <= now and (kind, tariff.id, at) not in known:
                        self.events.append(Event(kind, location.id, at, tariff.id))

    def error(
        self,
        status: int,
        kind: str,
        code: str,
        message: str,
        *,
        context: str = "",
        connect_token: str = "",
    ) -> web.Response:
        naive = self.faults.consume("naive_error_time")
        created = error_time(self.clock.now(), naive=naive)
        return error_object(
            status, kind, code, message, created, context=context, connect_token=connect_token
        )


def _direction(kind: str) -> str:
    return kind.rpartition("_")[2].upper()
