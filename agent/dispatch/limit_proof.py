"""Who has not acknowledged to take less below a limit, or refuses to: it is said to be unproven."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.energy.sentences import joined, sentence
from agent.health import Health

PART = "limit"


@dataclass(slots=True)
class LimitProof:
    health: Health
    _missing: set[str] = field(default_factory=set)
    _staying: frozenset[str] = frozenset()

    def misses(self, devices: Iterable[str]) -> None:
        self._missing.update(devices)
        if self._missing:
            self._report()

    def stay(self, devices: Iterable[str]) -> None:
        """These say that they do not take what they are told, and no others."""
        staying = frozenset(devices)
        if staying != self._staying or staying & self._missing:
            self._staying = staying
            self._missing -= staying
            self._report()

    def has(self, device: str) -> None:
        """It has acknowledged what it counts as following, or follows nothing any more."""
        if device in self._missing:
            self._missing.discard(device)
            self._report()

    def is_not_needed(self) -> None:
        """There is no limit."""
        if self._missing or self._staying:
            self._missing.clear()
            self._staying = frozenset()
            self._report()

    def _report(self) -> None:
        parts = []
        if self._missing:
            names = ", ".join(sorted(self._missing))
            parts.append(
                sentence("unproven: {names} did not acknowledge to take less", names=names)
            )
        if self._staying:
            names = ", ".join(sorted(self._staying))
            text = "{names} did not take what it was told: it counts with the most that it may draw"
            parts.append(sentence(text, names=names))
        if not parts:
            self.health.ok(PART)
            return
        self.health.degraded(PART, joined(parts), "owner: look at the device")
