"""How often one may be asked for something: a person a few times in a row, a flood is counted."""

from dataclasses import dataclass
from datetime import datetime

AT_ONCE = 30
A_SECOND = 1.0


@dataclass(slots=True)
class RequestBucket:
    """The first come through, then one a second."""

    _left: float = float(AT_ONCE)
    _at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """True where one more may come through now."""
        since_s = (now - self._at).total_seconds() if self._at else 0.0
        self._at = now
        self._left = min(float(AT_ONCE), self._left + max(0.0, since_s) * A_SECOND)
        if self._left < 1:
            return False
        self._left -= 1
        return True
