"""Which message on `site/limit` is news, and which one the broker kept and gives again. Pure.

Of two senders only one may have his messages kept: what the broker then gives at each connect is no
news, however much has been said since. A live message does not tell whether it was kept; what the
broker hands out at a connect does, for the one with that content.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_HEARD, MOST_KEPT = 64, 8


class Standing(StrEnum):
    """Of a message that was handed out at a connect.

    `DOUBTFUL`: heard before, and another since; it may be older than what holds, or said anew while
    nobody listened.
    """

    NEWS = "news"
    DOUBTFUL = "doubtful"


@dataclass(slots=True)
class HeardLimits:
    """The last messages by their digests, the newest last.

    `kept`: those that the broker has handed out, so that whoever says them has them kept. `given`
    was handed out last; so many as `since` says of the newest were heard live after that.
    """

    digests: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    given: str | None = None
    since: int = 0

    def note(self, payload: bytes) -> None:
        """It came live: it is the newest."""
        digest = _digest(payload)
        if digest not in self._heard_since:
            self.since = min(self.since + 1, MOST_HEARD)
        self.digests = _with_newest(self.digests, digest, MOST_HEARD)
        if not payload.strip():
            # Nobody says nothing but to have the broker keep nothing.
            self.kept = _with_newest(self.kept, digest, MOST_KEPT)

    def hand_out(self, payload: bytes) -> Standing:
        """The broker gives it at a connect."""
        digest = _digest(payload)
        newest = self.digests[-1] if self.digests else None
        doubtful = (
            digest in self.digests
            and digest != newest
            # What is kept came after the newest, where that one was kept itself.
            and newest not in self.kept
            # It was not there when last seen, and was not heard since.
            and (digest == self.given or digest in self._heard_since)
        )
        self.kept = _with_newest(self.kept, digest, MOST_KEPT)
        self.given, self.since = digest, 0
        if doubtful:
            return Standing.DOUBTFUL
        self.digests = _with_newest(self.digests, digest, MOST_HEARD)
        return Standing.NEWS

    @property
    def _heard_since(self) -> list[str]:
        return self.digests[len(self.digests) - self.since :]

    def to_stored(self) -> dict[str, Any]:
        return {
            "heard": self.digests,
            "kept": self.kept,
            "given": self.given,
            "since": self.since,
        }

    @classmethod
    def from_stored(cls, raw: Mapping[str, Any]) -> "HeardLimits":
        """What cannot be read is taken for not heard. Of an earlier version `heard` alone."""
        digests = _texts(raw.get("heard"))
        given, since = raw.get("given"), raw.get("since")
        if not isinstance(since, int) or not 0 <= since <= len(digests):
            # All of it may have been live.
            since = len(digests)
        return cls(
            digests, _texts(raw.get("kept")), given if isinstance(given, str) else None, since
        )


def _with_newest(digests: list[str], digest: str, most: int) -> list[str]:
    others = [item for item in digests if item != digest]
    return [*others[1 - most :], digest]


def _texts(found: object) -> list[str]:
    items = found if isinstance(found, list) else []
    return [item for item in items if isinstance(item, str)][-MOST_HEARD:]


def _digest(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()[:16]
