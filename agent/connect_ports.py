"""The sockets for connecting a tariff: at its source, and as pages and commands use it."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from agent.energy.connection import (
    ConnectedLocation,
    ConnectSession,
    SessionResult,
    StartedSession,
    TariffSummary,
)
from agent.energy.rates import Direction


class TariffConnectApi(Protocol):
    """How a person connects a tariff at the source. Raises the errors of `agent.errors`.

    `start`: for `location_id` where it is not empty; the person's browser is sent to
    `callback_url` at the end, where one is given. `result` is None until there is something to
    tell; Refused with a code ends the session. `disconnect` takes the tariff away there.
    `pair` tells a maker's backend the code that it gave the owner; the answer is the gateway's
    token, empty where none is needed. `log_in` shows the credentials and asks for nothing: True
    where they were accepted, False where there is no login of its own. `pairs`: whether it is to
    be asked for a code at all.
    """

    @property
    def pairs(self) -> bool: ...

    async def start(
        self, direction: Direction, *, location_id: str = "", callback_url: str = ""
    ) -> StartedSession: ...

    async def result(self, token: str) -> SessionResult | None: ...

    async def summary(self, location_id: str) -> Sequence[TariffSummary]: ...

    async def disconnect(self, location_id: str, direction: Direction) -> None: ...

    async def pair(self, code: str) -> str: ...

    async def log_in(self) -> bool: ...

    def use_token(self, token: str) -> None: ...


@runtime_checkable
class ConnectableSource(Protocol):
    """What a tariff source may have besides: a person connects its tariff while the agent runs.

    `configured_location` is the owner's and wins over what is told by `use_connection`.
    """

    @property
    def configured_location(self) -> str: ...

    @property
    def connect_api(self) -> TariffConnectApi: ...

    def use_connection(self, location_id: str, directions: Sequence[Direction]) -> None: ...


class TariffConnection(Protocol):
    """The connection of the tariff as pages and commands use it; `connector.py` is it.

    `begin` gives the session that is open, or a new one (`anew`: in any case), `returned` the one
    that a browser's token stands for, None for a foreign token. `disconnect` gives a sentence where
    the source kept the tariff. `refresh` has the source asked for `summaries` again.
    `conflict` says that the config and what was connected differ; else it is empty.
    """

    @property
    def api(self) -> TariffConnectApi: ...

    @property
    def paired(self) -> bool: ...

    @property
    def sessions(self) -> Mapping[Direction, ConnectSession]: ...

    @property
    def location(self) -> ConnectedLocation: ...

    @property
    def summaries(self) -> Sequence[TariffSummary]: ...

    @property
    def conflict(self) -> str: ...

    async def begin(
        self, direction: Direction, callback_url: str = "", *, anew: bool = False
    ) -> ConnectSession: ...

    def returned(self, token: str, failure: str = "") -> ConnectSession | None: ...

    def cancel(self, direction: Direction) -> None: ...

    async def disconnect(self, direction: Direction) -> str: ...

    async def pair(self, code: str) -> None: ...

    async def refresh(self) -> None: ...
