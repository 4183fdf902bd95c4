"""How much one machine of the network may ask: its own share of the event loop and no more."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_KEYS = 256


@dataclass(slots=True)
class RequestRates:
    """A bucket a network address; the least used is forgotten."""

    burst: float
    per_s: float
    now_s: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, key: str) -> bool:
        now = self.now_s()
        left, at = self._left.pop(key, (self.burst, now))
        left = min(self.burst, left + (now - at) * self.per_s)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left), now
        while len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
        return allowed
