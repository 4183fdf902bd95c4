"""Values that cannot be: named by the first of them, until they have ceased. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

# One that comes and goes is one fault: come again within this time it stands for as long.
STANDS_FOR = timedelta(minutes=10)


@dataclass(slots=True)
class Doubts:
    """By kind of reading: what is wrong with it, as health says it."""

    _why: dict[str, str] = field(default_factory=dict)
    _at: dict[str, datetime] = field(default_factory=dict)
    _ended: dict[str, datetime] = field(default_factory=dict)
    _again: set[str] = field(default_factory=set)

    def note(self, kind: str, why: str | None, now: datetime) -> None:
        """What is wrong with a value that came; None: nothing."""
        if why is not None:
            ended = self._ended.pop(kind, None)
            if kind not in self._why and ended is not None and now - ended < STANDS_FOR:
                self._again.add(kind)
            self._why.setdefault(kind, why)
            self._at[kind] = now
        elif kind in self._why and (kind not in self._again or now - self._at[kind] >= STANDS_FOR):
            del self._why[kind]
            self._ended[kind] = now
            self._again.discard(kind)

    def has(self, kind: str) -> bool:
        return kind in self._why

    def drop(self, kind: str) -> None:
        self._why.pop(kind, None)

    def clear(self) -> None:
        self._why.clear()

    def texts(self) -> list[str]:
        return [self._why[kind] for kind in sorted(self._why)]
