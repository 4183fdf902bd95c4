"""Every connection before aiohttp has it: how many there may be, and how long one may take.

aiohttp waits for the head of a first request for ever and writes for ever to who does not read.
TLS begins here, too: a handshake costs more than a page, and is for whom we would answer.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from agent.energy.network import network_of
from agent.serving.rates import RequestRates

HEAD_TIMEOUT_S = 10.0
# From one request to the next: body, answer and idling.
REQUEST_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`most` connections in all and `most_of_one` network; it opens `opened_at_once` new ones, and
    `opened_per_s` for ever. Seconds: from the first byte to a whole head, and from one request to
    the next.
    """

    most: int
    most_of_one: int
    opened_at_once: float
    opened_per_s: float
    head_timeout_s: float = HEAD_TIMEOUT_S
    request_timeout_s: float = REQUEST_TIMEOUT_S


class Connections:
    """Makes the protocol of each connection; `make` gives aiohttp's. `tls` None: plain HTTP.

    `accepts` says of a remote and our own address whether that one may connect at all.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        limits: Limits,
        accepts: Callable[[str, str], bool] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.make = make
        self.limits = limits
        self.accepts = accepts
        self.tls = tls
        # Who was accepted last may come after the end.
        self.closed = False
        # The oldest first.
        self.open: dict[Connection, None] = {}
        self.of_one: Counter[str] = Counter()
        self._opened = RequestRates(limits.opened_at_once, limits.opened_per_s)

    def __call__(self) -> "Connection":
        return Connection(self)

    def take(self, connection: "Connection") -> bool:
        """Count it in, if there is room or room can be made."""
        network = connection.network
        if self.closed or not self._opened.take(network):
            return False
        if self.of_one[network] >= self.limits.most_of_one:
            victim = next((item for item in self._headless() if item.network == network), None)
        elif len(self.open) >= self.limits.most:
            victim = self._least_deserving(network)
        else:
            self._count(connection)
            return True
        if victim is None:
            return False
        victim.give_up()
        self._count(connection)
        return True

    def _headless(self) -> Iterator["Connection"]:
        return (item for item in self.open if item.is_headless)

    def _least_deserving(self, network: str) -> "Connection | None":
        """Whose place a connection of `network` is given where all are taken.

        Of the network with most connections that have not sent a head, the one that has had longest
        for it. Where there is none such, of the network that has most, if `network` has less.
        """
        waiting = Counter(item.network for item in self._headless())
        if waiting:
            greatest = waiting.most_common(1)[0][0]
            return next(item for item in self._headless() if item.network == greatest)
        greatest, count = self.of_one.most_common(1)[0]
        if count <= self.of_one[network] + 1:
            return None
        return next(item for item in self.open if item.network == greatest)

    def _count(self, connection: "Connection") -> None:
        self.open[connection] = None
        self.of_one[connection.network] += 1

    def forget(self, connection: "Connection") -> None:
        if connection not in self.open:
            return
        del self.open[connection]
        self.of_one[connection.network] -= 1
        if not self.of_one[connection.network]:
            del self.of_one[connection.network]

    def close(self) -> None:
        """Nobody stays, and nobody is let in any more."""
        self.closed = True
        for connection in list(self.open):
            connection.abort()


class Connection(asyncio.Protocol):
    """Stands between the transport and aiohttp's protocol, which it hands everything to."""

    def __init__(self, all_: Connections) -> None:
        self._all = all_
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.network = ""
        # No whole head of a request has come yet.
        self.is_headless = True
        self._handshake: asyncio.Task[None] | None = None
        # What comes with the end of the handshake, before aiohttp is there.
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        remote, own = _address(transport, "peername"), _address(transport, "sockname")
        self.network = network_of(remote)
        accepts = self._all.accepts
        if (accepts is not None and not accepts(remote, own)) or not self._all.take(self):
            self._transport.abort()
            return
        self._wait_for(self._all.limits.head_timeout_s)
        if self._all.tls is None:
            self._hand_over(self._transport)
            return
        self._transport.pause_reading()
        self._handshake = asyncio.get_running_loop().create_task(
            self._shake_hands(self._transport, self._all.tls)
        )

    async def _shake_hands(self, plain: asyncio.Transport, tls: ssl.SSLContext) -> None:
        loop, within_s = asyncio.get_running_loop(), self._all.limits.head_timeout_s
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
        self.is_headless = False
        self._wait_for(self._all.limits.request_timeout_s)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def give_up(self) -> None:
        """Its place is another's from now on."""
        self._all.forget(self)
        self.abort()

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
        self._all.forget(self)

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
