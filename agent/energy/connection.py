"""The connection of a tariff in words: a session in which a person connects it, what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agent.energy.rates import Direction


class SessionState(StrEnum):
    """`OPEN`: the person is on the source's pages. `PROCESSING`: it is connected there, its prices
    are not ready yet. The others are ends.
    """

    OPEN = "open"
    PROCESSING = "processing"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    CANCELLED = "cancelled"
    FAILED = "failed"


LIVE = (SessionState.OPEN, SessionState.PROCESSING)


class Failure(StrEnum):
    """Why a session failed; each has words of its own wherever it is shown."""

    NONE = ""
    LOGIN_DISMISSED = "login_dismissed"
    CONSENT_DISMISSED = "consent_dismissed"
    PROVIDER_ERROR = "provider_error"
    EXPIRED = "expired"
    NOT_PROCESSED = "not_processed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ConnectSession:
    """One attempt for one direction.

    `token` stands for the session and `url`, which holds it, is where the person goes: both are
    secrets until `expires_at`. `for_location`: one that is known already and whose tariff is to
    change. `location_id` is what came of it. `returned_at`: when the person's browser came back.
    `reason` is the other side's own sentence, in its language. `not_before`: it asked not to be
    asked sooner.
    """

    direction: Direction
    state: SessionState
    started_at: datetime
    expires_at: datetime
    token: str = field(repr=False)
    url: str = field(repr=False)
    changed_at: datetime
    for_location: str = ""
    location_id: str = ""
    failure: Failure = Failure.NONE
    reason: str = ""
    checked_at: datetime | None = None
    returned_at: datetime | None = None
    failed_checks: int = 0
    not_before: datetime | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


@dataclass(frozen=True, slots=True)
class StartedSession:
    """What the source gave for a new session: where to send the person, how long it is good."""

    token: str = field(repr=False)
    url: str = field(repr=False)
    good_for_s: float


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What the source says of a session; `processed` None where it does not say.

    `complete`: it says that the person has finished. Not every release says so, but a session for
    a location that is known already has one from its beginning.
    """

    location_id: str
    complete: bool = False
    processed: bool | None = None
    disconnected: bool = False


@dataclass(frozen=True, slots=True)
class ConnectedLocation:
    """The home at the source, and for which directions a tariff was connected there."""

    location_id: str = ""
    directions: Sequence[Direction] = ()


class TariffStatus(StrEnum):
    CONNECTED = "connected"
    NOT_CONNECTED = "not_connected"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TariffSummary:
    """What the source says of one direction's tariff; text is empty where it does not say.

    `structure` is one of fixed, time_of_day, market, dynamic, or another word of the source's,
    `tariff_id` its name for the tariff.
    """

    direction: Direction
    status: TariffStatus
    name: str = ""
    provider: str = ""
    structure: str = ""
    contract_start: datetime | None = None
    contract_end: datetime | None = None
    tariff_id: str = ""
