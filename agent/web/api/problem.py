"""Errors of the API as problem documents (RFC 9457)."""

from http import HTTPStatus

from aiohttp import web

from agent.contracts.text import wire_json

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str) -> web.Response:
    """`detail` is a sentence for a person."""
    body = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    return web.Response(status=status, text=wire_json(body), content_type=MEDIA_TYPE)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
