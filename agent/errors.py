"""Errors say who acts. An error of a library is translated into one of these at the border."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.energy.text import clean_text


class AgentError(Exception):
    """Base of all errors that the agent raises on purpose."""

    @property
    def sentence(self) -> str:
        """As `str(self)`, but one of `agent.energy.sentences` stays one."""
        return self.args[0] if self.args else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in an input: where it stands and what would be right."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(AgentError):
    """The owner edits the file. Holds every fault at once, not just the first."""

    def __init__(self, faults: Sequence[Fault], source: str = "") -> None:
        self.faults = tuple(faults)
        self.source = source
        super().__init__("; ".join(str(fault) for fault in self.faults))


class Unavailable(AgentError):
    """Try again; `retry_at` (aware UTC) where the other side said when."""

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        self.retry_at = retry_at
        super().__init__(message)


class Misdirected(Unavailable):
    """Somebody else answered: a log-in page of the network, or the address is wrong.

    The owner looks after that; until then it is tried again.
    """


class Refused(AgentError):
    """Trying again will not help until a person acts. `code` is the other side's word for it."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class Malformed(AgentError):
    """An answer that cannot be understood; keeps what was received, cleaned and shortened."""

    def __init__(self, message: str, received: str = "") -> None:
        self.received = clean_text(received)
        super().__init__(f"{message}: {self.received}" if self.received else message)
