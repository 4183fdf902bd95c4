"""What works and what does not, per part, since when, why and who acts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from agent.clock import Clock
from agent.energy.sentences import sentence
from agent.energy.text import clean_text

# A sentence or two; whatever others said that is quoted in it was shortened before.
MAX_WHY = 500
THE_OWNER = sentence("the owner")


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Condition:
    """State of one part. `since` (aware UTC) moves only when the state changes.

    `who_acts` is a deed ("owner: look at the device"), or only who, where `why` says what to do.
    """

    state: State
    since: datetime
    why: str = ""
    who_acts: str = ""

    @property
    def deed(self) -> str:
        """What to do; empty where nobody acts, and where only that somebody does is said."""
        return "" if self.who_acts == THE_OWNER else self.who_acts


@dataclass(slots=True)
class Health:
    """The state of every part (tariff, broker, clock, disk, each device).

    `counts` are totals of things that went wrong without changing a state, such as unreadable
    messages. `on_change` callbacks are told the part's name after each change.
    """

    clock: Clock
    parts: dict[str, Condition] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    on_change: list[Callable[[str], None]] = field(default_factory=list)

    def ok(self, part: str, why: str = "") -> None:
        """`why`: what is believed of it where all is well."""
        self._put(part, State.OK, why, "")

    def degraded(self, part: str, why: str, who_acts: str = "") -> None:
        self._put(part, State.DEGRADED, why, who_acts)

    def failed(self, part: str, why: str, who_acts: str = "") -> None:
        self._put(part, State.FAILED, why, who_acts)

    def count(self, what: str) -> int:
        """One more of `what`; the new total."""
        self.counts[what] = self.counts.get(what, 0) + 1
        return self.counts[what]

    def _put(self, part: str, state: State, why: str, who_acts: str) -> None:
        why = clean_text(why, MAX_WHY)
        old = self.parts.get(part)
        if old and (old.state, old.why, old.who_acts) == (state, why, who_acts):
            return
        since = old.since if old and old.state is state else self.clock.now()
        self.parts[part] = Condition(state, since, why, who_acts)
        self._notify(part)

    def _notify(self, part: str) -> None:
        for callback in self.on_change:
            callback(part)
