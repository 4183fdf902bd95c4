"""FlatPeak's answers about a connection as text in, facts out. Pure.

Both shapes of a location's status are understood: kinds nested in `tariff_status`, and beside it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.energy.connection import SessionResult, TariffStatus, TariffSummary
from agent.energy.instants import parse_instant
from agent.energy.rates import Direction
from agent.errors import Malformed, Refused
from integrations.tariffs.flatpeak_parse import MAX_NAME, parse_number, parse_object, parse_text

DEFAULT_LIFE_S = 3600.0
MAX_TOKEN = 400
DISCONNECT = "DISCONNECT"
ID_OR_NONE = r"[!-~]{0,64}"
STATUSES = {
    "connected": TariffStatus.CONNECTED,
    "not_connected": TariffStatus.NOT_CONNECTED,
    "not_supported": TariffStatus.NOT_CONNECTED,
    "error": TariffStatus.ERROR,
}


@dataclass(frozen=True, slots=True)
class Element:
    """One tariff of a location."""

    id: str
    direction: Direction
    contract_start: datetime | None
    contract_end: datetime | None


@dataclass(frozen=True, slots=True)
class Elements:
    """The energy tariffs of a location; grid fees are not the owner's to choose."""

    found: Sequence[Element]

    def ids(self, direction: Direction) -> list[str]:
        return [element.id for element in self.found if element.direction is direction]

    def completed(self, summary: TariffSummary) -> TariffSummary:
        """With the dates that the status does not have."""
        for element in self.found:
            if element.direction is summary.direction:
                return replace(
                    summary,
                    contract_start=summary.contract_start or element.contract_start,
                    contract_end=summary.contract_end or element.contract_end,
                )
        return summary


def parse_started(text: str) -> tuple[str, float]:
    """Token and life in seconds of a new session, in any release. Raises Malformed."""
    try:
        answer = parse_object(text)
    except Malformed as error:
        raise Malformed("the answer to a new session is not JSON") from error
    token = answer.get("connect_token") or answer.get("id")
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN or not token.isprintable():
        raise Malformed("the answer to a new session has no token")
    stated = parse_number(answer.get("expires_in"))
    if stated is not None:
        return token, float(stated)
    created, expires = _instant(answer.get("time_created")), _instant(answer.get("time_expiry"))
    if created is None or expires is None:
        return token, DEFAULT_LIFE_S
    return token, (expires - created).total_seconds()


def parse_result(text: str, token: str) -> SessionResult | None:
    """What came of a session; None where there is no location yet. Raises Malformed, Refused."""
    answer = parse_object(text)
    about = answer.get("id") or answer.get("connect_token")
    if isinstance(about, str) and about.startswith("cot_") and about != token:
        raise Refused("the answer is about another session", "foreign_session")
    location_id = answer.get("location_id") or ""
    if not isinstance(location_id, str) or not re.fullmatch(ID_OR_NONE, location_id):
        # Shortened or cleaned it would be another home's, or nobody's, and is kept for years.
        raise Malformed("the answer's location_id is no id")
    action = parse_text(answer.get("complete_action"), MAX_NAME).upper()
    if "data_available" in answer and answer["data_available"] is not True:
        return None
    if not location_id:
        return None
    ready = answer.get("is_tariff_processed", answer.get("data_available"))
    return SessionResult(
        location_id,
        complete=bool(action) or answer.get("data_available") is True,
        processed=ready if isinstance(ready, bool) else None,
        disconnected=action == DISCONNECT,
    )


def parse_location_status(text: str) -> list[TariffSummary]:
    """Each direction's energy tariff, also where none is connected. Raises Malformed."""
    answer = parse_object(text)
    nested = answer.get("tariff_status")
    kinds = nested if isinstance(nested, dict) else answer
    return [_summary(direction, kinds) for direction in Direction]


def parse_elements(text: str) -> Elements:
    """Raises Malformed where it is no list."""
    items = parse_object(text).get("data")
    if not isinstance(items, list):
        raise Malformed("the answer has no list of tariffs", text)
    return Elements([found for item in items if (found := _element(item)) is not None])


def parse_pairing(text: str) -> str:
    """The gateway's token; empty where the backend gave none. Raises Malformed."""
    if not text.strip():
        return ""
    try:
        token = parse_object(text).get("token", "")
    except Malformed as error:
        raise Malformed("the answer to the pairing code is not JSON") from error
    if not isinstance(token, str) or not token.isascii() or len(token) > MAX_TOKEN * 20:
        raise Malformed("the answer to the pairing code has no token")
    return token


def _summary(direction: Direction, kinds: dict[str, Any]) -> TariffSummary:
    kind = kinds.get(f"commodity_{direction}")
    if not isinstance(kind, dict):
        return TariffSummary(direction, TariffStatus.NOT_CONNECTED)
    tariff, provider = _object(kind.get("tariff")), _object(kind.get("provider"))
    status = parse_text(kind.get("status"), MAX_NAME).lower()
    return TariffSummary(
        direction,
        STATUSES.get(status, TariffStatus.UNKNOWN),
        name=parse_text(tariff.get("display_name")),
        provider=parse_text(provider.get("display_name")),
        structure=parse_text(tariff.get("structure_type"), MAX_NAME).lower(),
        contract_start=_instant(tariff.get("contract_start_date")),
        contract_end=_instant(tariff.get("contract_end_date")),
        tariff_id=parse_text(tariff.get("id"), MAX_NAME),
    )


def _element(item: object) -> Element | None:
    if not isinstance(item, dict) or parse_text(item.get("type"), MAX_NAME) == "NON_COMMODITY":
        return None
    named = parse_text(item.get("direction"), MAX_NAME).lower()
    identity = parse_text(item.get("id"), MAX_NAME)
    if named not in [*Direction] or not identity:
        return None
    start, end = _instant(item.get("contract_start_date")), _instant(item.get("contract_end_date"))
    return Element(identity, Direction(named), start, end)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _instant(value: object) -> datetime | None:
    """Also a plain date, as its first instant in UTC."""
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(f"{value}T00:00:00Z" if len(value) == 10 else value)
    except (ValueError, OverflowError):
        return None
