"""The C follower in a process of its own beside its Python twin: every answer must be the same."""

import json
import subprocess
from dataclasses import dataclass

from integrations.firmware.compiled import NEVER, WORDS
from integrations.firmware.follower import Follower, parse_time
from integrations.firmware.rules import Source

START = 1_768_521_600


def write_compact(**changes: object) -> bytes:
    """The contract's own example; `...` leaves a key out."""
    body: dict[str, object] = {
        "r": START,
        "s": START,
        "u": "W",
        "p": [[0, 0], [5400, 7400], [14400, 0]],
        "e": 86_400,
        "d": 0,
        "o": [900, 3700],
    }
    body.update(changes)
    given = {key: value for key, value in body.items() if value is not ...}
    return json.dumps(given, separators=(",", ":")).encode()


@dataclass
class Both:
    """The C follower in its own process, and the twin."""

    process: "subprocess.Popen[str]"
    twin: Follower

    def ask(self, line: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.process.stderr.read() if self.process.stderr else ""
        return answer.removesuffix("\n")

    def take(self, payload: bytes, now: int = START, uptime: int = 1000) -> str:
        word = self.twin.take(payload, now, uptime)
        code, revision = self.ask(f"t {now} {uptime} {payload.hex()}").split()
        assert (WORDS[int(code)], int(revision)) == (word, self.twin.revision), payload
        return word

    def look(self, now: int = START, uptime: int = 1000) -> tuple[int, Source, int | None]:
        twin = (
            self.twin.value(now, uptime),
            self.twin.speaks(now, uptime),
            self.twin.next_change(now, uptime),
        )
        value, source, seconds = map(int, self.ask(f"v {now} {uptime}").split())
        left_s = None if seconds == NEVER else seconds
        assert (value, Source(source), left_s) == twin
        return twin

    def value(self, now: int = START, uptime: int = 1000) -> int:
        return self.look(now, uptime)[0]

    def time(self, payload: bytes) -> int | None:
        seconds = int(self.ask(f"c {payload.hex()}")) or None
        assert seconds == parse_time(payload), payload
        return seconds

    def ack(self, word: str, diagnostic: bytes = b"", size: int = 80) -> str:
        length, _, text = self.ask(f"a {WORDS.index(word)} {size} {diagnostic.hex()}").partition(
            " "
        )
        assert int(length) == len(text)
        return text
