"""Every connection before aiohttp has it: how many there may be, and how long one may take.

aiohttp waits for the head of a first request for ever and writes for ever to who does not read.
TLS begins here, too: a handshake costs more than a page, and is for whom we would answer.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from agent.energy.network import network_of
from agent.web.guard.hosts import is_near
from agent.web.guard.rates import RequestRates

MOST_CONNECTIONS = 64
# A browser opens six.
MOST_OF_ONE = 20
# New ones that one network may open at once, and a second for ever: as many as requests.
OPENED_AT_ONCE, OPENED_PER_S = 150.0, 15.0
HEAD_TIMEOUT_S = 10.0
# From one request to the next: body, answer and idling.
REQUEST_TIMEOUT_S = 60.0


@dataclass(slots=True)
class Connections:
    """Makes the protocol of each connection; `make` gives aiohttp's. `tls` None: plain HTTP."""

    make: Callable[[], asyncio.Protocol]
    lan_only: bool
    tls: ssl.SSLContext | None = None
    head_timeout_s: float = HEAD_TIMEOUT_S
    request_timeout_s: float = REQUEST_TIMEOUT_S
    most: int = MOST_CONNECTIONS
    most_of_one: int = MOST_OF_ONE
    open: set["Connection"] = field(default_factory=set)
    of_one: Counter[str] = field(default_factory=Counter)
    opened: RequestRates = field(default_factory=lambda: RequestRates(OPENED_AT_ONCE, OPENED_PER_S))

    def __call__(self) -> "Connection":
        return Connection(self)

    def takes(self, network: str) -> bool:
        is_room = len(self.open) < self.most and self.of_one[network] < self.most_of_one
        return is_room and self.opened.take(network)

    def abort_all(self) -> None:
        for connection in list(self.open):
            connection.abort()


class Connection(asyncio.Protocol):
    """Stands between the transport and aiohttp's protocol, which it hands everything to."""

    def __init__(self, all_: Connections) -> None:
        self._all = all_
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._network = ""
        self._handshake: asyncio.Task[None] | None = None
        # What comes with the end of the handshake, before aiohttp is there.
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        remote, own = _address(transport, "peername"), _address(transport, "sockname")
        self._network = network_of(remote)
        far = self._all.lan_only and not is_near(remote, own)
        if far or not self._all.takes(self._network):
            self._transport.abort()
            return
        self._all.open.add(self)
        self._all.of_one[self._network] += 1
        self._wait_for(self._all.head_timeout_s)
        if self._all.tls is None:
            self._hand_over(self._transport)
            return
        self._transport.pause_reading()
        self._handshake = asyncio.get_running_loop().create_task(
            self._shake_hands(self._transport, self._all.tls)
        )

    async def _shake_hands(self, plain: asyncio.Transport, tls: ssl.SSLContext) -> None:
        loop, within_s = asyncio.get_running_loop(), self._all.head_timeout_s
        try:
            secured = await loop.start_tls(
                plain, self, tls, server_side=True, ssl_handshake_timeout=within_s
            )
        except OSError:
            # No TLS, or none of ours; ssl's errors and time-outs are of this kind.
            secured = None
        if secured is None or secured.is_closing():
            plain.abort()
            self._forget()
            return
        self._transport = secured
        self._hand_over(secured)
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._inner = self._all.make()
        self._inner.connection_made(transport)

    def request_begun(self) -> None:
        """The head of a request is there: time for the rest, and for the next."""
        self._wait_for(self._all.request_timeout_s)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _wait_for(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self not in self._all.open:
            return
        self._all.open.discard(self)
        self._all.of_one[self._network] -= 1
        if not self._all.of_one[self._network]:
            del self._all.of_one[self._network]

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
        elif self._handshake is not None:
            self._early += data

    def eof_received(self) -> bool | None:
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()


def _address(transport: asyncio.BaseTransport, name: str) -> str:
    found: Any = transport.get_extra_info(name)
    return str(found[0]) if found else ""
