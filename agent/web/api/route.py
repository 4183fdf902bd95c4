"""What a part of the API is. A new one is one of these in a file, and that file in `ROUTES`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from agent.web.visit import Visit

# JSON bodies are requests of the owner: as long as one over MQTT.
MOST_BODY_BYTES = 4096


class JsonText(str):
    """JSON that was published and is handed on as it is: a plan is large."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address below `/api/v1`.

    `handle` is given the visit and the JSON object of the body (None where `has_body` is False),
    and gives plain values for `wire_json`, or a JsonText. It may raise Refused (422), Unavailable
    (503) and aiohttp's HTTPException. The models stand by `name` in `models.py`, which only the
    OpenAPI document needs. `is_open`: also for who is not logged in.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Callable[[Visit, dict[str, Any] | None], Awaitable[object]]
    has_body: bool = False
    status: int = 200
    is_open: bool = False
