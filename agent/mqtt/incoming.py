"""Messages that came and were not looked at yet: bounded, and each topic gets its turn."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.ports import Message

# Who floods loses its own oldest; where thousands of topics come at once the last ones are lost.
MAX_PER_TOPIC = 50
MAX_TOPICS = 2000
MAX_BYTES = 4_000_000


@dataclass(slots=True)
class IncomingBuffer:
    """One device's five hundred messages a second delay another's by one message, not by all.

    Within a topic the order of arrival is kept. `on_drop` is called for each message that is lost.
    """

    on_drop: Callable[[], None]
    _by_topic: dict[str, deque[Message]] = field(default_factory=dict, init=False)
    _bytes: int = field(default=0, init=False)

    def __bool__(self) -> bool:
        return bool(self._by_topic)

    def put(self, message: Message) -> None:
        waiting = self._by_topic.get(message.topic)
        if waiting is not None and len(waiting) >= MAX_PER_TOPIC:
            self._bytes -= _size(waiting.popleft())
            self.on_drop()
        size = _size(message)
        if (
            waiting is None and len(self._by_topic) >= MAX_TOPICS
        ) or self._bytes + size > MAX_BYTES:
            self.on_drop()
            return
        self._bytes += size
        self._by_topic.setdefault(message.topic, deque()).append(message)

    def pop(self) -> Message | None:
        """The oldest of the topic whose turn it is; None where nothing waits."""
        for topic, waiting in self._by_topic.items():
            message = waiting.popleft()
            self._bytes -= _size(message)
            # To the end of the row, where more of it waits.
            del self._by_topic[topic]
            if waiting:
                self._by_topic[topic] = waiting
            return message
        return None


def _size(message: Message) -> int:
    return len(message.topic) + len(message.payload)
