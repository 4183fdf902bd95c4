"""Answers that are no success: both shapes of FlatPeak's errors, and a web page."""

import json
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from aiohttp import web

# Of the request that is being answered: its bearer's key, or its session's.
live_mode: ContextVar[bool] = ContextVar("live_mode", default=False)


class BadRequestError(Exception):
    """The request makes no sense; what FlatPeak's error object says of it."""

    def __init__(
        self, code: str, message: str, status: int = 400, context: str = "", connect_token: str = ""
    ) -> None:
        self.code = code
        self.status = status
        self.context = context
        self.connect_token = connect_token
        super().__init__(message)


def json_object(body: bytes) -> dict[str, Any]:
    """Raises BadRequestError."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("data_json_invalid", "the body is not JSON", 422) from error
    if not isinstance(parsed, dict):
        raise BadRequestError("data_json_invalid", "the body is not a JSON object", 422)
    return parsed


def plain(status: int, message: str) -> web.Response:
    """The older shape of an error."""
    return web.json_response({"message": message}, status=status)


def error_object(
    status: int,
    kind: str,
    code: str,
    message: str,
    created: str,
    *,
    context: str = "",
    connect_token: str = "",
) -> web.Response:
    """FlatPeak's error object, the newer of its two shapes; `created` as spelled."""
    answer = {
        "object": "error",
        "live_mode": live_mode.get(),
        "context": context or "api.sandbox",
        "type": kind,
        "code": code,
        "message": message,
        "time_created": created,
    }
    if connect_token:
        answer["connect_token"] = connect_token
    return web.json_response(answer, status=status)


def html(status: int, title: str) -> web.Response:
    text = f"<!DOCTYPE html><html><title>{title}</title><h1>{title}</h1></html>"
    return web.Response(text=text, content_type="text/html", status=status)


def error_time(now: datetime, *, naive: bool) -> str:
    """As one sample has it: with milliseconds and no zone."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.123" if naive else "%Y-%m-%dT%H:%M:%SZ")
