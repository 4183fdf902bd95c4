"""Which parts still show life, each within its own time: what the watchdog of systemd is fed by."""

import asyncio
import logging
from dataclasses import dataclass, field

from agent.health import Health

log = logging.getLogger(__name__)

PART = "agent"


@dataclass(slots=True)
class _Part:
    allowed_s: float
    beat_at: float


@dataclass(slots=True)
class Liveness:
    """Parts say `beat` from the very loop that does their work, so that one that hangs is noticed
    although the event loop turns. Times are the event loop's.
    """

    health: Health
    _parts: dict[str, _Part] = field(default_factory=dict, init=False)
    _suspected: set[str] = field(default_factory=set, init=False)
    _overdue: tuple[str, ...] = field(default=(), init=False)

    def register(self, name: str, allowed_s: float) -> None:
        """From now on `name` has to beat at least every `allowed_s`; the first time counts too."""
        self._parts[name] = _Part(allowed_s, asyncio.get_running_loop().time())

    def beat(self, name: str) -> None:
        """Signs of life of a part that nobody registered are nobody's business."""
        part = self._parts.get(name)
        if part is not None:
            part.beat_at = asyncio.get_running_loop().time()

    def check(self) -> bool:
        """Are all parts alive? The first time that one is not is logged and named in health."""
        now = asyncio.get_running_loop().time()
        late = [name for name, part in self._parts.items() if now - part.beat_at > part.allowed_s]
        # Twice in a row: after the whole program stood still everybody is late once.
        overdue = tuple(name for name in late if name in self._suspected)
        self._suspected = set(late)
        if overdue != self._overdue:
            self._tell(overdue)
        self._overdue = overdue
        return not overdue

    def _tell(self, overdue: tuple[str, ...]) -> None:
        if not overdue:
            log.warning("%s: alive again", ", ".join(self._overdue))
            self.health.ok(PART)
            return
        why = f"no sign of life from {', '.join(overdue)}"
        log.error("%s; the watchdog is no longer fed", why)
        self.health.failed(
            PART, why, "systemd restarts the service; owner: report it if it repeats"
        )
