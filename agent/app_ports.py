"""How the hall gets its connection: the real one, or a broker within a test."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from agent.health import Health
from agent.ports import Message, MqttPublisher


class BrokerConnection(MqttPublisher, Protocol):
    """A publisher with a life of its own."""

    async def run(self) -> None: ...

    async def publish_offline(self, payload: str, timeout_s: float) -> None: ...


class ConnectionFactory(Protocol):
    """`subscriptions` are asked for at each connect, `on_connect` is awaited after it.

    `on_alive` hears that the connection's own loop turns, `on_refused` the topic of each message
    that the broker's rules forbid, before `publish` answers.
    """

    def __call__(
        self,
        *,
        will_topic: str,
        client_id: str,
        health: Health,
        subscriptions: Callable[[], Sequence[str]],
        on_message: Callable[[Message], None],
        on_connect: Callable[[], Awaitable[None]],
        on_alive: Callable[[], None],
        on_refused: Callable[[str], None],
    ) -> BrokerConnection: ...
