"""What every request passes on its way to the application, whatever the application is.

Outside of it aiohttp itself acts on some headers before any page or middleware is asked, and fails
on what is no text.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from agent.serving.connections import Connection
from agent.serving.failures import failure_logger

RequestHandler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def bordered(application: RequestHandler) -> RequestHandler:
    """`application` for requests that can be read. None of its errors goes further than here."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.transport.get_protocol() if request.transport else None
        if isinstance(connection, Connection):
            connection.request_begun()
        if not is_text(request):
            return _plain(400, "Bad Request")
        try:
            return await application(request)
        except web.HTTPException:
            raise
        except Exception:
            # The last door: aiohttp would write each of them down with its whole traceback.
            failure_logger.error("%s %s", request.method, request.rel_url.path, exc_info=True)
            return _plain(500, "Internal Server Error")

    return handle


def is_text(request: web.BaseRequest) -> bool:
    """Are all headers UTF-8? aiohttp gives other bytes as halves of surrogate pairs."""
    return not any(
        "\ud800" <= sign <= "\udfff"
        for pair in request.headers.items()
        for text in pair
        if not text.isascii()
        for sign in text
    )


def _plain(status: int, text: str) -> web.Response:
    response = web.Response(status=status, text=text)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.force_close()
    return response
