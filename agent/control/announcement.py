"""What is published at every connect, in the order that devices rely on."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.contracts.topics import Topics
from agent.dispatch.outbox import COMPANIONS, LARGE, STATUS, Outbox, in_lanes, is_device_lane
from agent.dispatch.setpoints import SetpointSender
from agent.ports import OutgoingMessage


@dataclass(slots=True)
class Announcement:
    """`send_time()` publishes the time; `online` is set once the first announcement is through."""

    topics: Topics
    outbox: Outbox
    setpoints: SetpointSender
    send_time: Callable[[], Awaitable[None]]
    online: asyncio.Event

    async def announce(self) -> None:
        """What is true now, then `online`, then the time, then what is large."""
        outbox = self.outbox
        outbox.connected()
        self.setpoints.connected()
        await outbox.resend_all(is_device_lane)
        outbox.set(STATUS, OutgoingMessage(self.topics.status, "online"))
        await outbox.resend_all(in_lanes([STATUS]))
        await self.send_time()
        self.online.set()
        last = (LARGE, COMPANIONS)
        await outbox.resend_all(lambda lane: not is_device_lane(lane) and lane not in last)
        await outbox.resend_all(lambda lane: lane == LARGE)
        await outbox.resend_all(lambda lane: lane == COMPANIONS)

    async def repeat_status(self) -> None:
        """Say once more that the agent is there, where that was said before."""
        if self.online.is_set():
            self.outbox.repeat([self.topics.status])
            await self.outbox.drained(in_lanes([STATUS]))
