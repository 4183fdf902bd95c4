"""Plain HTTP/1.1 calls over TLS: a bounded body of text and the headers, or one of `agent.errors`.

A connection for each call: there are a few a day. By h11 over asyncio's own streams, since a whole
client library keeps eight megabytes resident for them.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import h11
from aiohappyeyeballs import start_connection

from agent.energy.sentences import sentence
from agent.energy.text import clean_text
from agent.errors import Malformed, Unavailable

# A month of five-minute slots is about 1 MB.
# Thirty days of five minutes are 1.2 MB; what is read takes ten times that in memory.
MAX_BODY_BYTES = 2_000_000
CHUNK_BYTES = 65_536
# As RFC 8305 recommends: an address family that leads nowhere costs this.
NEXT_ADDRESS_AFTER_S = 0.25
USER_AGENT = "flatpeak-edge-agent"


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` by their names in lower case; of several alike the first."""

    status: int
    text: str
    headers: Mapping[str, str]


class HttpClient:
    """Redirects are not followed: they would carry the token to wherever they point."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    async def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Response:
        return await self.request("GET", url, params=params, headers=headers)

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Raises Unavailable where nothing whole came, Malformed where it was too long."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await _exchange(method, url, params or {}, headers or {}, body)
        except TimeoutError as error:
            seconds = f"{self._timeout_s:g}"
            raise Unavailable(sentence("no answer within {seconds} s", seconds=seconds)) from error
        except (h11.ProtocolError, OSError, ValueError) as error:
            reason = clean_text(str(error)) or type(error).__name__
            raise Unavailable(sentence("not reached: {reason}", reason=reason)) from error


async def _exchange(
    method: str,
    url: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
) -> Response:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    query = "&".join(part for part in (parts.query, urlencode(params)) if part)
    sent = {
        "Host": parts.netloc.rpartition("@")[2].encode("idna").decode("ascii"),
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
    }
    if body or method != "GET":
        sent["Content-Length"] = str(len(body))
    target = (parts.path or "/") + (f"?{query}" if query else "")
    request = h11.Request(method=method, target=target, headers=[*sent.items()])
    # Only for the call: the certificates of all authorities are megabytes, and read slowly.
    context = await asyncio.to_thread(ssl.create_default_context) if secure else None
    loop = asyncio.get_running_loop()
    port = parts.port or (443 if secure else 80)
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # Not asyncio's own race, which leaves a socket open where it is cancelled.
    sock = await start_connection(addresses, happy_eyeballs_delay=NEXT_ADDRESS_AFTER_S)
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname=host if secure else None
    )
    try:
        connection = h11.Connection(h11.CLIENT)
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        return await _response(connection, reader)
    finally:
        # What matters was read, and the other side may never take part in a farewell.
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _response(connection: h11.Connection, reader: asyncio.StreamReader) -> Response:
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(CHUNK_BYTES))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY_BYTES:
                raise Malformed(f"the answer is longer than {MAX_BODY_BYTES} bytes")
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            break
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError("the connection was closed before an answer came")
    found: dict[str, str] = {}
    for name, value in head.headers:
        found.setdefault(name.decode("ascii"), value.decode("latin-1"))
    if (coding := found.get("content-encoding", "identity")) != "identity":
        raise Malformed(f"the answer is packed as {clean_text(coding)}, which was not asked for")
    return Response(head.status_code, body.decode("utf-8", "replace"), found)
