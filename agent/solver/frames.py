"""Messages between the agent and its solver: a length, then a pickle, over pipes of our own.

Both ends are one installation and one user, so that pickles are safe here.
"""

import pickle
import struct
from dataclasses import dataclass
from typing import IO

from agent.energy.situation import Situation
from agent.planning.engine import Proposal
from agent.planning.segments import Schedule

LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Request:
    """`ends`: on the monotonic clock, which all processes of a machine share."""

    number: int
    situation: Situation
    ends: float
    incumbent: Schedule | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One proposal for a request; more and better ones follow until one is the `last`."""

    number: int
    proposal: Proposal | None
    last: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has read its own code and waits for requests."""


def write_frame(stream: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def unpacked(data: bytes) -> object:
    return pickle.loads(data)
