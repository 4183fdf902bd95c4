"""FlatPeak Connect from the device's side: begin a session, ask what came of it, summary, end.

The person does the work in a browser on Connect's pages (`connect_url`); the device makes the token
that stands for the session and exchanges it for the location. Nothing has to reach the device.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from agent.energy.connection import (
    SessionResult,
    StartedSession,
    TariffStatus,
    TariffSummary,
)
from agent.energy.rates import Direction
from agent.energy.sentences import sentence
from agent.errors import Malformed, Refused, Unavailable
from integrations.tariffs.flatpeak_client import FlatPeakClient, Pending
from integrations.tariffs.flatpeak_connect_parse import (
    Elements,
    parse_elements,
    parse_location_status,
    parse_pairing,
    parse_result,
    parse_started,
)
from integrations.tariffs.flatpeak_release import Release

CONNECT_WEB = "https://connect-web.flatpeak.com/"
TOKEN_PARAMETER = "fp_cot"
# Codes of a session that is over; every other 422 of the exchange means that it is not.
ENDED_CODES = ("token_expired", "dismiss_login", "dismiss_consent", "error")
EXCHANGES = {
    Release.ZERO: ("/connect/tariff/token",),
    # Its documents still show the older path.
    Release.ANODE: ("/connect/token", "/connect/tariff/token"),
}
PAIR_PATH = "/pair"


class FlatPeakConnect:
    """TariffConnectApi of `agent.ports`. `callback_url` holds where a session brings none."""

    def __init__(
        self,
        client: FlatPeakClient,
        release: Release,
        *,
        connect_url: str = CONNECT_WEB,
        callback_url: str = "",
        pairing: bool = False,
    ) -> None:
        self._client = client
        self._release = release
        self._connect_url = connect_url
        self._callback_url = callback_url or connect_url
        self.pairs = pairing

    async def start(
        self, direction: Direction, *, location_id: str = "", callback_url: str = ""
    ) -> StartedSession:
        callback = callback_url or self._callback_url
        if self._release is Release.ZERO:
            path, body = "/connect/tariff/token", self._zero_body(direction, callback)
        else:
            path, body = "/connect/token", self._anode_body(direction, callback)
        if self._release is Release.BUSBAR:
            if not location_id:
                raise Refused(
                    sentence(
                        "with this version a location has to exist before its tariff is connected: "
                        "give tariff.location_id, or a tariff.version of Zero or Anode"
                    ),
                    "location_required",
                )
            path = "/connect"
            del body["tariff_direction"]
        if location_id:
            body["location_id"] = location_id
        response = await self._client.call("POST", path, body=body)
        token, good_for_s = parse_started(response.text)
        mark = "&" if urlsplit(self._connect_url).query else "?"
        url = f"{self._connect_url}{mark}{urlencode({TOKEN_PARAMETER: token})}"
        return StartedSession(token, url, good_for_s)

    async def result(self, token: str) -> SessionResult | None:
        if self._release is Release.BUSBAR:
            return await self._exchange(f"/connect/{quote(token, safe='')}", {}, token)
        for path in EXCHANGES[self._release]:
            found = await self._exchange(path, {"connect_token": token}, token)
            if found is not None:
                return found
        return None

    async def summary(self, location_id: str) -> Sequence[TariffSummary]:
        """Two calls: the status has no contract's start, which the elements have."""
        path = f"/locations/{quote(location_id, safe='')}/status"
        status = parse_location_status((await self._client.get(path)).text)
        if all(item.status is TariffStatus.NOT_CONNECTED for item in status):
            return status
        try:
            elements = await self._elements(location_id)
        except (Unavailable, Refused, Malformed):
            return status
        return [elements.completed(item) for item in status]

    async def disconnect(self, location_id: str, direction: Direction) -> None:
        elements = await self._elements(location_id)
        for element_id in elements.ids(direction):
            try:
                await self._client.call("DELETE", f"/tariffs/elements/{quote(element_id, safe='')}")
            except Refused as error:
                if error.code != "not_found":
                    raise

    async def pair(self, code: str) -> str:
        """`POST <base_url>/pair` with `{"pairing_code": code}`; 2xx, `{"token": ...}` or nothing.

        No public document says how a maker's backend does this: see `FlatPeakConfig`.
        """
        try:
            response = await self._client.call(
                "POST", PAIR_PATH, body={"pairing_code": code}, secret=code, anonymous=True
            )
        except Refused as error:
            raise Refused(sentence("the pairing code was not accepted"), "pairing_code") from error
        return parse_pairing(response.text)

    async def log_in(self) -> bool:
        return await self._client.log_in()

    def use_token(self, token: str) -> None:
        self._client.use_token(token)

    def _zero_body(self, direction: Direction, callback: str) -> dict[str, Any]:
        return {
            "callback_uri": callback,
            "connect_web_uri": self._connect_url,
            "direction": direction.name,
        }

    def _anode_body(self, direction: Direction, callback: str) -> dict[str, Any]:
        return {
            "callback_url": callback,
            "connect_url": self._connect_url,
            "tariff_direction": direction.name,
        }

    async def _exchange(
        self, path: str, params: Mapping[str, str], token: str
    ) -> SessionResult | None:
        """None for "not yet", which comes as 404 and as 422."""
        try:
            response = await self._client.get(path, params, secret=token)
        except Pending:
            return None
        except Refused as error:
            if error.code.lower() in ENDED_CODES or error.code == "forbidden":
                raise
            return None
        try:
            return parse_result(response.text, token)
        except Malformed as error:
            # Without the text: it holds the token.
            raise Malformed("the answer about the session is not understood") from error

    async def _elements(self, location_id: str) -> Elements:
        response = await self._client.get("/tariffs/elements", {"location_id": location_id})
        return parse_elements(response.text)
