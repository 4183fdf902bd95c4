"""What a part of the API is. A new one is one of these in a file, and that file in `ROUTES`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agent.web.visit import Visit

# JSON bodies are requests of the owner: as long as one over MQTT.
MOST_BODY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Route:
    """`handle` is given the visit and the JSON object of the body (None for GET), and gives plain

    values for `wire_json`. It may raise Refused (422), Unavailable (503) and aiohttp's
    HTTPException. `path` lies below `/api/v1`, `answer` and `body` are the models of its JSON, by
    which the OpenAPI document describes it. `is_open`: also for who is not logged in.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Callable[[Visit, dict[str, Any] | None], Awaitable[object]]
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    status: int = 200
    is_open: bool = False
