"""Answers that are no success: both shapes of FlatPeak's errors, and a web page."""

from datetime import datetime

from aiohttp import web


def plain(status: int, message: str) -> web.Response:
    """The older shape of an error."""
    return web.json_response({"message": message}, status=status)


def error_object(status: int, kind: str, code: str, message: str, created: str) -> web.Response:
    """FlatPeak's error object, the newer of its two shapes; `created` as spelled."""
    return web.json_response(
        {
            "object": "error",
            "live_mode": False,
            "context": "api.sandbox",
            "type": kind,
            "code": code,
            "message": message,
            "time_created": created,
        },
        status=status,
    )


def html(status: int, title: str) -> web.Response:
    text = f"<!DOCTYPE html><html><title>{title}</title><h1>{title}</h1></html>"
    return web.Response(text=text, content_type="text/html", status=status)


def error_time(now: datetime, *, naive: bool) -> str:
    """As one sample has it: with milliseconds and no zone."""
    return now.strftime("%Y-%m-%dT%H:%M:%S.123" if naive else "%Y-%m-%dT%H:%M:%SZ")
