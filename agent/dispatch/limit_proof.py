"""Who has not acknowledged to take less below a limit: until then it is said to be unproven."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.energy.sentences import sentence
from agent.health import Health

PART = "limit"


@dataclass(slots=True)
class LimitProof:
    health: Health
    _missing: set[str] = field(default_factory=set)

    def misses(self, devices: Iterable[str]) -> None:
        self._missing.update(devices)
        if self._missing:
            self._report()

    def has(self, device: str) -> None:
        """It has acknowledged what it counts as following, or follows nothing any more."""
        if device in self._missing:
            self._missing.discard(device)
            self._report()

    def is_not_needed(self) -> None:
        """There is no limit."""
        if self._missing:
            self._missing.clear()
            self._report()

    def _report(self) -> None:
        if not self._missing:
            self.health.ok(PART)
            return
        names = ", ".join(sorted(self._missing))
        why = sentence("unproven: {names} did not acknowledge to take less", names=names)
        self.health.degraded(PART, why, "owner: look at the device")
