"""Plain GETs over HTTPS: a bounded body of text and the headers, or one of `agent.errors`.

Connections are closed after each call: there are a few a day. aiohttp is imported here and nowhere
else, so whoever needs no network does not pay for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from agent.energy.text import clean_text
from agent.errors import Malformed, Unavailable

# A month of five-minute slots is about 1 MB.
MAX_BODY_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` by their names, in any case."""

    status: int
    text: str
    headers: Mapping[str, str]


class HttpClient:
    """`get` may be called again after `close`."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def get(
        self, url: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Response:
        """Raises Unavailable where nothing whole came, Malformed where it was too long."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            )
        try:
            # A redirect is not followed: it would carry the token to wherever it points.
            async with self._session.get(
                url, params=params, headers=headers, allow_redirects=False
            ) as response:
                body = await _read_limited(response)
                return Response(response.status, body.decode("utf-8", "replace"), response.headers)
        except TimeoutError as error:
            raise Unavailable(f"no answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = clean_text(str(error)) or type(error).__name__
            raise Unavailable(f"not reached: {reason}") from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Malformed(f"the answer is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)
