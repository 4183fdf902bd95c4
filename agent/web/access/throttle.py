"""How often one may try: a few times at once, then after ever longer pauses."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_KEYS = 512


@dataclass(slots=True)
class Throttle:
    """After `free` tries that failed the next waits `base_s`, then twice that, to `most_s`.

    A try counts as failed from its beginning until `succeeded`, so that many at the same moment
    are not many free ones. What failed is forgotten `forget_s` after the last try.
    """

    free: int
    base_s: float
    most_s: float
    forget_s: float = 3600.0
    now_s: Callable[[], float] = time.monotonic
    _tries: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def wait_s(self, key: str) -> float:
        """Seconds until the next try is heard; 0 for now."""
        count, last = self._tries.get(key, (0, 0.0))
        passed = self.now_s() - last
        if count < self.free or passed > self.forget_s:
            return 0.0
        pause = min(self.most_s, self.base_s * 2.0 ** min(count - self.free, 30))
        return max(0.0, pause - passed)

    def tried(self, key: str) -> None:
        count, last = self._tries.pop(key, (0, 0.0))
        now = self.now_s()
        self._tries[key] = (1 if now - last > self.forget_s else count + 1), now
        while len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)

    def failed(self, key: str) -> None:
        """The pause begins with the answer."""
        if key in self._tries:
            self._tries[key] = self._tries[key][0], self.now_s()

    def succeeded(self, key: str) -> None:
        self._tries.pop(key, None)
