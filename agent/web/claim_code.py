"""The one-time code with which the owner takes the pages into use, or sets a lost password anew.

Its hash lies in a file of the state folder, so that a command can issue a code while the agent
runs: whoever may write there is the owner, and whoever may read there may write. Only the newest
code counts; it is dead after its use, after 15 minutes, and at the next start. Time is that of the
machine's monotonic clock, which every process shares and nobody sets.
"""

import contextlib
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

FILE = "claim-code.json"
VALID_FOR_S = 900.0
MOST_WRONG = 5
# No sign that is taken for another; 31^8 codes.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 8
MOST_BYTES = 1024
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class Answer(StrEnum):
    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"
    LOCKED = "locked"


def issue_claim_code(folder: Path, now_s: float | None = None) -> str:
    """A new code, to be shown to a person; earlier ones are dead.

    `folder` is the agent's state folder. Raises OSError where it cannot be written.
    """
    text = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    salt = secrets.token_hex(16)
    issued = time.monotonic() if now_s is None else now_s
    document = {"salt": salt, "hash": _hash(salt, text), "issued_s": issued}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
        if os.geteuid() == 0:
            # Written by root for a service with a user of its own.
            owner = folder.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(json.dumps(document))
    temporary.replace(folder / FILE)
    return f"{text[:4]}-{text[4:]}"


def discard_claim_code(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / FILE).unlink()


def _hash(salt: str, code: str) -> str:
    # Fast is enough: who can read it can issue a code, and it is dead before 31^8 are tried.
    return hashlib.sha256(f"{salt}:{code}".encode()).hexdigest()


class ClaimCheck:
    """Judges what visitors type. Five wrong tries lock it for as long as the agent runs."""

    def __init__(self, folder: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._now_s = now_s
        self._wrong = 0
        # Many tries at the same moment are judged one after the other, in threads.
        self._turn = threading.Lock()

    @property
    def locked(self) -> bool:
        return self._wrong >= MOST_WRONG

    def judge(self, typed: str) -> Answer:
        """Reads one small file. The right code is dead afterwards."""
        with self._turn:
            return self._judge(typed)

    def _judge(self, typed: str) -> Answer:
        if self.locked:
            return Answer.LOCKED
        code = "".join(sign for sign in typed.upper() if sign in ALPHABET)
        try:
            with (self._folder / FILE).open(encoding="utf-8") as file:
                stored = json.loads(file.read(MOST_BYTES))
            age_s = self._now_s() - float(stored["issued_s"])
            right = secrets.compare_digest(_hash(stored["salt"], code), stored["hash"])
        except FileNotFoundError:
            return Answer.EXPIRED
        except (OSError, *UNREADABLE):
            discard_claim_code(self._folder)
            return Answer.EXPIRED
        if not 0 <= age_s < VALID_FOR_S:
            discard_claim_code(self._folder)
            return Answer.EXPIRED
        if not right:
            self._wrong += 1
            return Answer.LOCKED if self.locked else Answer.WRONG
        discard_claim_code(self._folder)
        return Answer.RIGHT
