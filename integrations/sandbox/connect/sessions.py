"""Connect sessions: made for a device, led by a browser, ended by saving, removing or time."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from integrations.sandbox.connect.addresses import with_parameter
from integrations.sandbox.locations import Location, ProviderName, Tariff
from integrations.sandbox.regions import COUNTRIES, Region
from integrations.sandbox.responses import BadRequestError
from integrations.sandbox.series import Series
from integrations.sandbox.state import SandboxState

SESSION_LIFE_S = 86400
YEAR = timedelta(days=365)
SANDBOX_ENERGY = ProviderName()
SAVE, DISCONNECT = "SAVE", "DISCONNECT"


@dataclass(frozen=True, slots=True)
class Choice:
    """A tariff as it was chosen. `series` None: its prices are not known yet.

    `open_ended`: that there is no `contract_end` is known, not left out.
    """

    series: Series | None
    display_name: str
    connection_type: str
    structure_type: str
    provider: ProviderName = SANDBOX_ENERGY
    contract_start: datetime | None = None
    contract_end: datetime | None = None
    tiered: bool = False
    open_ended: bool = False
    on_saved: Callable[[str, str], None] | None = field(default=None, compare=False)


@dataclass(slots=True)
class Session:
    """One session. `answers` holds what was entered so far, by route; `route` the current page."""

    token: str
    live: bool
    created: datetime
    expires: datetime
    direction: str
    type: str
    callback: str
    web: str
    customer_id: str = ""
    customer_reference: str = ""
    location_id: str = ""
    location_reference: str = ""
    tariff_id: str = ""
    device_id: str = ""
    region: Region | None = None
    route: str = ""
    visited: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    complete_action: str = ""

    @property
    def kind(self) -> str:
        return f"{self.type}_{self.direction}".lower()

    @property
    def done_url(self) -> str:
        return with_parameter(self.callback, "fp_cot", self.token)


class Sessions:
    """All sessions by token. `processing_s`: how long a saved tariff takes to have prices."""

    def __init__(
        self, state: SandboxState, *, life_s: float = SESSION_LIFE_S, processing_s: float = 30
    ) -> None:
        self._state = state
        self._life = timedelta(seconds=life_s)
        self._processing = timedelta(seconds=processing_s)
        self._sessions: dict[str, Session] = {}

    def create(self, fields: Mapping[str, Any]) -> Session:
        now = self._state.clock.now()
        # Not one of the numbered ids: whoever has it is whom the session is for.
        token = f"cot_{secrets.token_hex(12)}"
        session = Session(token=token, created=now, expires=now + self._life, **fields)
        if session.location_id:
            place = self._state.locations[session.location_id]
            session.customer_id = place.customer_id
            session.region = session.region or _region_of_location(place)
        self._sessions[token] = session
        return session

    def all(self) -> list[Session]:
        return list(self._sessions.values())

    def find(self, token: str) -> Session | None:
        """Also one that has expired."""
        return self._sessions.get(token)

    def get(self, token: object, context: str = "") -> Session:
        """Raises HTTPNotFound, or BadRequestError `token_expired`."""
        session = self._sessions.get(token) if isinstance(token, str) else None
        if session is None:
            raise web.HTTPNotFound
        if self._state.clock.now() >= session.expires or self._state.faults.consume(
            "connect_expired"
        ):
            raise BadRequestError(
                "token_expired", "The connect token has expired", 422, context, session.token
            )
        return session

    def expire(self, token: str) -> None:
        self.get(token).expires = self._state.clock.now()

    def complete(self, token: str, choice: Choice | None = None) -> Session:
        """Save `choice`, a market tariff where None is given; makes customer and location."""
        session = self.get(token)
        if session.complete_action:
            return session
        state, now = self._state, self._state.clock.now()
        region = session.region or default_region()
        choice = choice or Choice(region.market(), "Market", "MARKET", "MARKET")
        location_id = self._location_of(session, region)
        start, end = choice.contract_start or now, choice.contract_end
        tariff = Tariff(
            state.next_number(),
            choice.display_name,
            choice.connection_type,
            choice.structure_type,
            choice.provider,
            start,
            # Not from a start long past: the contract would be over on the day it is connected.
            end or (None if choice.open_ended else max(start, now) + YEAR),
            ready_at=now + self._processing,
            tiered=choice.tiered,
            created_at=now,
        )
        state.connect(location_id, session.kind, tariff, choice.series)
        if choice.on_saved is not None:
            choice.on_saved(location_id, session.kind)
        self._end(session, SAVE, tariff.id)
        return session

    def disconnect(self, token: str) -> Session:
        """Remove the tariff, if there is one, and end the session."""
        session = self.get(token)
        if session.complete_action:
            return session
        location_id = self._location_of(session, session.region or default_region())
        self._state.disconnect(location_id, session.kind)
        self._end(session, DISCONNECT, session.tariff_id)
        return session

    def keep(self, token: str) -> Session:
        """End the session with the tariff as it was."""
        session = self.get(token)
        if not session.complete_action:
            self._end(session, SAVE, session.tariff_id)
        return session

    def is_processed(self, session: Session) -> bool:
        place = self._state.locations.get(session.location_id)
        tariff = place.tariffs.get(session.kind) if place else None
        if place is None or tariff is None:
            return False
        ready = tariff.ready_at is None or self._state.clock.now() >= tariff.ready_at
        return ready and (session.type != "COMMODITY" or session.direction in place.series)

    def _location_of(self, session: Session, region: Region) -> str:
        if session.location_id:
            return session.location_id
        customer = self._state.customer_of(session.customer_reference)
        session.customer_id = session.customer_id or customer.id
        made = self._state.add_location(region, session.location_reference, session.customer_id)
        session.location_id = made.id
        return made.id

    def _end(self, session: Session, action: str, tariff_id: str) -> None:
        session.complete_action = action
        session.route = "session_complete"
        self._state.raise_event("location.update", session.location_id, tariff_id)
        self._state.raise_event("connect_session.complete", session.location_id, tariff_id)


def default_region() -> Region:
    """Where no address was given."""
    return Region({"city": "Leipzig", "country_code": "DE"}, *COUNTRIES["DE"])


def _region_of_location(place: Location) -> Region:
    address = dict(place.postal_address) or {"city": place.city, "country_code": place.country}
    return Region(address, place.timezone, place.currency)
