"""The C follower under the sanitizers, held against its Python twin and against the contract."""

import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integrations.firmware.compiled import SOURCE, WORDS, find_compiler
from integrations.firmware.follower import OWN, Follower, parse

START = 1_768_521_600
WEEK = 7 * 86_400


def compact(**changes: object) -> bytes:
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
    return json.dumps({key: value for key, value in body.items() if value is not ...}).encode()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = find_compiler()
    assert compiler, "a C compiler is needed: apt-get install gcc"
    out = tmp_path_factory.mktemp("follower") / "harness"
    harness = Path(__file__).parent / "harness.c"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wpedantic", "-O1", "-g"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{SOURCE.parent}"]
    subprocess.run([compiler, *flags, str(harness), str(SOURCE), "-o", str(out)], check=True)
    return out


@dataclass
class Both:
    """The C follower in its own process, and the twin; every answer must be the same."""

    process: "subprocess.Popen[str]"
    twin: Follower

    def _ask(self, line: str) -> list[int]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.process.stderr.read() if self.process.stderr else ""
        return [int(number) for number in answer.split()]

    def take(self, payload: bytes, now: int = START, uptime: int = 1000) -> str:
        word = self.twin.take(payload, now, uptime)
        code, revision = self._ask(f"t {now} {uptime} {payload.hex()}")
        assert (WORDS[code], revision) == (word, self.twin.revision), payload
        return word

    def value(self, now: int = START, uptime: int = 1000) -> int:
        value = self.twin.value(now, uptime)
        assert self._ask(f"v {now} {uptime}") == [value]
        return value


@pytest.fixture
def both(program: Path) -> Iterator[Both]:
    with subprocess.Popen(
        [str(program), "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield Both(process, Follower(0))
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


def test_the_code_is_small_enough_for_small_firmware(tmp_path: Path) -> None:
    compiler = find_compiler()
    assert compiler
    out = tmp_path / "follower.o"
    subprocess.run([compiler, "-std=c99", "-Os", "-c", str(SOURCE), "-o", str(out)], check=True)
    text = subprocess.run(["size", str(out)], check=True, capture_output=True, text=True).stdout
    assert int(text.splitlines()[1].split()[0]) < 4096


def test_without_a_schedule_it_waits_safely_then_leaves_the_device_alone(both: Both) -> None:
    assert both.value(0, 0) == 0
    assert both.value(0, 299) == 0
    assert both.value(0, 300) == OWN


def test_an_empty_payload_frees_the_device_at_once(both: Both) -> None:
    both.take(compact())
    assert both.take(b"", uptime=5) == "REVOKED"
    assert both.value(START + 6000, 6) == OWN


def test_it_follows_each_second_to_the_end(both: Both) -> None:
    both.take(compact())
    expected = {0: 0, 5399: 0, 5400: 7400, 14399: 7400, 14400: 0, 86399: 0}
    for offset, power in expected.items():
        assert both.value(START + offset) == power
    end = START + 86_400
    assert both.value(end) == 0
    assert both.value(end + 899) == 0
    assert both.value(end + 900) == 3700
    assert both.value(end + 900 + WEEK - 1) == 3700
    assert both.value(end + 900 + WEEK) == OWN


def test_without_a_clock_the_offline_rule_counts_from_the_arrival(both: Both) -> None:
    both.take(compact(), now=0, uptime=100)
    assert both.value(0, 999) == 0
    assert both.value(0, 1000) == 3700
    assert both.value(0, 1000 + WEEK) == OWN
    # a time message sets the clock: from then on it follows its slots
    assert both.value(START + 6000, 2000) == 7400


def test_a_clock_far_behind_counts_as_none_and_a_little_behind_as_slow(both: Both) -> None:
    both.take(compact(), now=0, uptime=0)
    assert both.value(START - 301, 10) == 0
    assert both.value(START - 301, 900) == 3700
    assert both.value(START - 300, 900) == 0
    # the clock jumps forward and back again: only the present time counts
    assert both.value(START + 6000, 901) == 7400
    assert both.value(START - 5000, 902) == 3700


def test_revisions_duplicates_and_what_comes_late(both: Both) -> None:
    assert both.take(compact(r=10)) == "ACCEPTED"
    assert both.take(compact(r=10, p=[])) == "ACCEPTED"
    assert both.value(START + 6000) == 7400
    assert both.take(compact(r=9, p=[])) == "REJECTED"
    later = START + 90_000
    assert both.take(compact(r=9, s=START + 1, p=[]), now=later) == "ACCEPTED"
    assert both.take(compact(r=11, d=1)) == "ACCEPTED"


def test_null_is_the_devices_own_logic(both: Both) -> None:
    both.take(compact(p=[[0, None], [60, -2500]], d=None, o=[0, None]))
    assert both.value(START) == OWN
    assert both.value(START + 60) == -2500
    assert both.value(START + 86_400) == OWN


BROKEN = [
    b"{",
    b"[]",
    b"nothing",
    b'{"r":1}',
    compact(u="X"),
    compact(r=-1),
    compact(r=2**32),
    compact(s="soon"),
    compact(p=[[10, 1], [10, 2]]),
    compact(p=[[0, 1.5]]),
    compact(p=[[-1, 1]]),
    compact(p=[[0]]),
    compact(p=[[0, 2**31]]),
    compact(p=[[number, 0] for number in range(65)]),
    compact(d=...),
    compact(o=...),
    compact(o=[900]),
    compact(e=START - 1),
    compact() + b"x",
    compact()[:-1],
    b" " * 1300,
    compact(note="x" * 1300),
]


@pytest.mark.parametrize("payload", BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_read_changes_nothing(both: Both, payload: bytes) -> None:
    both.take(compact())
    assert both.take(payload) == "REJECTED"
    assert both.value(START + 6000) == 7400


def test_unknown_keys_are_skipped_whatever_they_hold(both: Both) -> None:
    extra = {"x": {"a": [1, {"b": '}]\\"'}, None, True, 1e3]}, "note": "ü", "empty": {}, "l": []}
    assert both.take(compact(**extra)) == "ACCEPTED"


def test_cut_off_or_changed_anywhere_both_read_the_same(both: Both) -> None:
    rng = random.Random(7)
    good = compact(x={"y": [1, 2, {"z": "text"}]})
    for length in range(1, len(good)):
        both.take(good[:length])
    for _ in range(3000):
        body = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            body[rng.randrange(len(body))] = rng.choice(b'0123456789{}[],:"nulltruWM-. e')
        if _same_grammar(bytes(body)):
            both.take(bytes(body), now=START + rng.randrange(100_000))


def _same_grammar(body: bytes) -> bool:
    """Leave out what the twin refuses only inside values that the follower rightly passes over.

    Small firmware does not check the grammar of what it skips; the contract lets it.
    """
    try:
        json.loads(body)
    except ValueError:
        return parse(body) is None and b'"x"' not in body
    return True


def test_second_by_second_over_random_schedules(both: Both) -> None:
    rng = random.Random(11)
    for revision in range(1, 40):
        offsets = sorted(rng.sample(range(4000), rng.randint(0, 12)))
        pairs = [[at, rng.choice([0, 7400, -3000, None, 1380])] for at in offsets]
        end = START + rng.randint(offsets[-1] if offsets else 0, 5000)
        body = compact(
            r=revision, p=pairs, e=end, d=rng.choice([0, None, 500]), o=[rng.randint(0, 900), 3700]
        )
        both.take(body, now=rng.choice([0, START]), uptime=revision)
        for second in rng.sample(range(-400, 6500), 60):
            both.value(START + second, 500 + second)
            both.value(0, 500 + second)
