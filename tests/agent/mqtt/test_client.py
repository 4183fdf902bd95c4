"""One attempt at a connection, and what paho's calls make of the event loop."""

import asyncio
import socket
from typing import Any

from agent.mqtt.client import Client


async def test_a_socket_that_was_closed_meanwhile_is_no_error_of_the_loop() -> None:
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))
    client = Client(
        "127.0.0.1",
        1883,
        connect_timeout_s=1.0,
        on_topic=lambda topic, retain: None,
        on_drop=lambda: None,
    )
    ours, theirs = socket.socketpair()
    # As paho does before it writes, from whichever thread; then the broker takes the session away.
    client._on_socket_register_write(client._client, None, ours)
    ours.close()
    theirs.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert found == []
