"""The rates of a FlatPeak location as a tariff source, by any of the releases of its HTTP API.

Release Zero is asked by `GET /tariffs/rates/{location}`, Anode by `POST /prices/{location}`, Busbar
by `POST /prices`; which one, `version` says. The later ones name no `next_update`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from agent.clock import Clock
from agent.command_line import own_command_line
from agent.energy.instants import format_instant
from agent.energy.rates import Direction
from agent.energy.sentences import sentence
from agent.errors import Refused
from agent.ports import FetchedRates, TariffEvent
from integrations.tariffs.flatpeak_client import (
    BASE_URL,
    TIMEOUT_S,
    Auth,
    BasicLogin,
    Bearer,
    FlatPeakClient,
    NoAuth,
)
from integrations.tariffs.flatpeak_connect import CONNECT_WEB, FlatPeakConnect
from integrations.tariffs.flatpeak_parse import parse_events, parse_http_date, parse_rates
from integrations.tariffs.flatpeak_release import Release, release_of
from integrations.tariffs.http_client import Response

VERSION = "2024-08-24.zero"
EVENTS_LIMIT = 100


class FlatPeakTariff:
    """The rates of one FlatPeak location, for each connected direction.

    `location_id` and `directions` are the owner's, from the config, and win; what they leave open
    (empty, None) is what was connected, told by `use_connection`. Nothing connected: every call is
    refused with the code `not_connected`, without any request.
    """

    def __init__(
        self,
        location_id: str,
        auth: Auth,
        clock: Clock,
        *,
        directions: Sequence[Direction] | None = (Direction.IMPORT,),
        base_url: str = BASE_URL,
        version: str = VERSION,
        include_carbon: bool = False,
        timeout_s: float = TIMEOUT_S,
        connect_url: str = CONNECT_WEB,
        callback_url: str = "",
        pairing: bool = False,
    ) -> None:
        self.configured_location = location_id
        self._configured_directions = directions
        self._location_id = location_id
        self.directions: Sequence[Direction] = tuple(directions or (Direction.IMPORT,))
        self._include_carbon = include_carbon
        self._release = release_of(version)
        self._client = FlatPeakClient(auth, clock, base_url, version, timeout_s)
        self.connect_api = FlatPeakConnect(
            self._client,
            self._release,
            connect_url=connect_url,
            callback_url=callback_url,
            pairing=pairing,
        )

    @property
    def identity(self) -> str:
        return f"flatpeak:{self._location_id}"

    def use_connection(self, location_id: str, directions: Sequence[Direction]) -> None:
        """What was connected; no effect on what the config gives."""
        self._location_id = self.configured_location or location_id
        chosen = self._configured_directions
        if chosen is None and self._location_id == location_id:
            chosen = directions
        self.directions = tuple(chosen or (Direction.IMPORT,))

    async def fetch(self, direction: Direction, start: datetime, end: datetime) -> FetchedRates:
        """The rates over `[start, end)`, asked for in `Z`. Raises the errors of `agent.errors`."""
        response = await self._ask_rates(direction, self._location(), start, end)
        fetched = parse_rates(response.text, direction, self._location_id)
        return replace(fetched, server_time=parse_http_date(response.headers.get("date", "")))

    async def _ask_rates(
        self, direction: Direction, location_id: str, start: datetime, end: datetime
    ) -> Response:
        window = {"start_time": format_instant(start), "end_time": format_instant(end)}
        place = quote(location_id, safe="")
        if self._release is Release.ZERO:
            carbon = "true" if self._include_carbon else "false"
            params = {"direction": direction.name, "include_tariff": "true"}
            return await self._client.get(
                f"/tariffs/rates/{place}", {**window, **params, "include_carbon": carbon}
            )
        body = {**window, "tariff_direction": direction.name}
        if self._release is Release.ANODE:
            return await self._client.call("POST", f"/prices/{place}", body=body)
        return await self._client.call("POST", "/prices", body={"location_id": location_id, **body})

    async def fetch_events(self) -> Sequence[TariffEvent]:
        """The newest events of the location's contract. Raises the errors of `agent.errors`."""
        location_id = self._location()
        params = {"object_id": location_id, "limit": str(EVENTS_LIMIT)}
        response = await self._client.get("/events", params)
        return parse_events(response.text, location_id)

    async def close(self) -> None:
        """Nothing is kept open between calls."""

    def _location(self) -> str:
        if not self._location_id:
            why = sentence(
                "no tariff is connected yet: connect one on the page Tariff or by {command}",
                command=own_command_line("connect"),
            )
            raise Refused(why, "not_connected")
        return self._location_id


__all__ = ["Auth", "BasicLogin", "Bearer", "FlatPeakTariff", "NoAuth", "parse_rates"]
