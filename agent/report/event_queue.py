"""Events: what has just happened, told once. One device says one of a kind a minute."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from agent.clock import Clock
from agent.energy.text import clean_text
from agent.energy.view import EventView
from agent.health import Health
from agent.ports import OutgoingMessage
from agent.report.documents import event_document

SAME_KIND_EVERY = timedelta(minutes=1)
# There are two tariffs, import and export, and what is said of one is no repetition of the other.
TARIFF = "tariff_"
MOST_TEXT = 300
MOST_KEPT = 100


@dataclass(slots=True)
class EventQueue:
    """`publish` brings a message out. What comes too often is counted, not said.

    `recent` are the last that were said since the start.
    """

    clock: Clock
    health: Health
    topic: str
    publish: Callable[[OutgoingMessage], None]
    recent: deque[EventView] = field(default_factory=lambda: deque(maxlen=MOST_KEPT), init=False)
    _last: dict[tuple[str, str], float] = field(default_factory=dict, init=False)

    def event(self, kind: str, device: str | None, text: str) -> None:
        """Say it, unless the same device has said one of its kind within the last minute."""
        now = self.clock.now()
        at, every_s = now.timestamp(), SAME_KIND_EVERY.total_seconds()
        self._last = {key: last for key, last in self._last.items() if 0 <= at - last < every_s}
        key = kind, device or (text if kind.startswith(TARIFF) else "")
        if key in self._last:
            self.health.count("events_not_repeated")
            return
        self._last[key] = at
        text = clean_text(text, MOST_TEXT)
        self.recent.append(EventView(now, kind, device, text))
        document = event_document(now, kind, device, text)
        self.publish(OutgoingMessage(self.topic, document, retain=False))
