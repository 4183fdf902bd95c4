"""Sessions, the connected location and what pairing gave, in the database: over any restart.

What the disk does not take is kept in memory; `Records` counts it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime

from agent.energy.connection import (
    ConnectedLocation,
    ConnectSession,
    Failure,
    SessionState,
    TariffStatus,
    TariffSummary,
)
from agent.energy.instants import format_instant, parse_instant
from agent.energy.rates import Direction
from agent.tariff.records import Record, Records

SUMMARY = "summary"
SUMMARY_FIELDS = (
    "status",
    "name",
    "provider",
    "structure",
    "contract_start",
    "contract_end",
    "tariff_id",
)
LOCATION, PAIRED, REMINDED, HEARD = "location", "paired", "reminded", "heard"
TOKEN = "tariff.pairing_token"
# A contract of each direction, and those that followed.
MOST_HEARD = 4


class ConnectionStore:
    def __init__(self, kept: Records) -> None:
        self._kept = kept
        self._sessions: dict[Direction, ConnectSession] = {}
        for direction in Direction:
            session = _session(direction, kept.get_record(_name(direction)))
            if session is not None:
                self._sessions[direction] = session
        self._location = _location(kept.get_record(LOCATION))
        self._token = kept.get_value(TOKEN) or ""
        self._paired = kept.get_record(PAIRED).instant("at") is not None

    @property
    def sessions(self) -> Mapping[Direction, ConnectSession]:
        return self._sessions

    @property
    def location(self) -> ConnectedLocation:
        return self._location

    @property
    def pairing_token(self) -> str:
        return self._token

    def put(self, session: ConnectSession) -> None:
        """On disk only where more than the times of asking changed."""
        old = self._sessions.get(session.direction)
        self._sessions[session.direction] = session
        values = _values(session)
        if old is None or _values(old) != values:
            self._kept.set_record(_name(session.direction), values)

    def set_location(self, location: ConnectedLocation) -> None:
        self._location = location
        values = {"id": location.location_id, "directions": [*location.directions]}
        self._kept.set_record(LOCATION, values)

    @property
    def paired(self) -> bool:
        return self._paired

    def set_paired(self, token: str, now: datetime) -> None:
        """`token` is empty where the backend knows this gateway without one."""
        self._token, self._paired = token, True
        self._kept.set_value(TOKEN, token)
        self._kept.set_record(PAIRED, {"at": now})

    @property
    def summary_at(self) -> datetime | None:
        """When the summaries were asked for."""
        return self._kept.get_record(SUMMARY).instant("asked_at")

    def summaries(self) -> tuple[TariffSummary, ...]:
        found = (_summary(each, self._kept.get_record(f"{SUMMARY}.{each}")) for each in Direction)
        return tuple(summary for summary in found if summary is not None)

    def set_summaries(self, summaries: Sequence[TariffSummary], asked_at: datetime) -> None:
        """What nobody tells any more goes."""
        self._kept.set_record(SUMMARY, {"asked_at": asked_at})
        told = {summary.direction: summary for summary in summaries}
        for direction in Direction:
            values: dict[str, object] = {}
            if (summary := told.get(direction)) is not None:
                values = {name: getattr(summary, name) for name in SUMMARY_FIELDS}
            self._kept.set_record(f"{SUMMARY}.{direction}", values)

    def reminded_of(self, direction: Direction) -> date | None:
        """The end of a contract of which the owner was reminded."""
        return self._kept.get_record(REMINDED).day(direction)

    def set_reminded(self, direction: Direction, end: date) -> None:
        kept = self._kept.get_record(REMINDED)
        days: dict[str, object] = {other: kept.day(other) for other in Direction}
        self._kept.set_record(REMINDED, {**days, direction: end})

    def heard(self) -> list[tuple[datetime, str]]:
        """When the source said that a contract ends soon, and of which tariff; the newest last."""
        out = []
        for line in self._kept.get_record(HEARD).lines("lines"):
            at, _, tariff_id = line.partition(" ")
            with suppress(ValueError):
                out.append((parse_instant(at), tariff_id))
        return out

    def add_heard(self, at: datetime, tariff_id: str) -> None:
        lines = [
            f"{format_instant(when)} {name}" for when, name in [*self.heard(), (at, tariff_id)]
        ]
        self._kept.set_record(HEARD, {"lines": lines[-MOST_HEARD:]})


def _name(direction: Direction) -> str:
    return f"connect.{direction}"


def _values(session: ConnectSession) -> dict[str, object]:
    return {
        "state": session.state,
        "started_at": session.started_at,
        "expires_at": session.expires_at,
        "token": session.token,
        "url": session.url,
        "changed_at": session.changed_at,
        "for_location": session.for_location,
        "location_id": session.location_id,
        "failure": session.failure,
        "reason": session.reason,
        "returned_at": session.returned_at,
    }


def _session(direction: Direction, kept: Record) -> ConnectSession | None:
    """None where there is none, or none that can be read."""
    started, expires = kept.instant("started_at"), kept.instant("expires_at")
    changed = kept.instant("changed_at")
    if started is None or expires is None or changed is None:
        return None
    try:
        state, failure = SessionState(kept.text("state")), Failure(kept.text("failure"))
    except ValueError:
        return None
    return ConnectSession(
        direction,
        state,
        started,
        expires,
        kept.text("token"),
        kept.text("url"),
        changed,
        kept.text("for_location"),
        kept.text("location_id"),
        failure,
        kept.text("reason"),
        returned_at=kept.instant("returned_at"),
    )


def _location(kept: Record) -> ConnectedLocation:
    known = {direction.value: direction for direction in Direction}
    directions = tuple(known[line] for line in kept.lines("directions") if line in known)
    return ConnectedLocation(kept.text("id"), directions)


def _summary(direction: Direction, kept: Record) -> TariffSummary | None:
    try:
        status = TariffStatus(kept.text("status"))
    except ValueError:
        return None
    return TariffSummary(
        direction,
        status,
        kept.text("name"),
        kept.text("provider"),
        kept.text("structure"),
        kept.instant("contract_start"),
        kept.instant("contract_end"),
        kept.text("tariff_id"),
    )
