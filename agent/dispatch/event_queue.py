"""What waits to be said: events, and documents on retained topics. Plain calls put it here."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent.clock import Clock
from agent.dispatch.documents import event_document
from agent.dispatch.outbox import Outbox
from agent.ports import OutgoingMessage


@dataclass(slots=True)
class EventQueue:
    """`on_new` is called when there is something to say; `flush` says it."""

    clock: Clock
    outbox: Outbox
    event_topic: str
    on_new: Callable[[], None] = lambda: None
    _documents: list[OutgoingMessage] = field(default_factory=list)
    _events: list[str] = field(default_factory=list)

    def put(self, *messages: OutgoingMessage) -> None:
        self._documents += messages
        self.on_new()

    def event(self, kind: str, device: str | None, text: str) -> None:
        self._events.append(event_document(self.clock.now(), kind, device, text))
        self.on_new()

    async def flush(self) -> None:
        documents, self._documents = self._documents, []
        await self.outbox.put(*documents)
        events, self._events = self._events, []
        for text in events:
            await self.outbox.post.publish(self.event_topic, text, retain=False)
