"""Values that cannot be: named by the first of them, until they have ceased. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# One that comes and goes is one fault.
STANDS_FOR = timedelta(minutes=10)


@dataclass(slots=True)
class Doubts:
    """By kind of reading: what is wrong with it, as health says it."""

    _why: dict[str, str] = field(default_factory=dict)
    _at: dict[str, datetime] = field(default_factory=dict)

    def note(self, kind: str, why: str | None, now: datetime) -> None:
        """What is wrong with a value that came; None: nothing."""
        if why is not None:
            self._why.setdefault(kind, why)
            self._at[kind] = now
        elif kind in self._why and now - self._at[kind] >= STANDS_FOR:
            del self._why[kind]

    def drop(self, kind: str) -> None:
        self._why.pop(kind, None)

    def clear(self) -> None:
        self._why.clear()

    def texts(self) -> list[str]:
        return [self._why[kind] for kind in sorted(self._why)]
