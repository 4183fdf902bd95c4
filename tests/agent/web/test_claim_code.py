"""The one-time code: whose it is, how long it lives, how often one may be wrong."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.web.claim_code import (
    FILE,
    MOST_WRONG,
    VALID_FOR_S,
    Answer,
    ClaimCheck,
    discard_claim_code,
    issue_claim_code,
)


@dataclass
class Seconds:
    value: float = 1000.0

    def __call__(self) -> float:
        return self.value


def test_the_right_code_is_taken_once_however_it_is_typed(tmp_path: Path) -> None:
    now = Seconds()
    check = ClaimCheck(tmp_path, now)
    code = issue_claim_code(tmp_path, now())
    assert check.judge(f" {code.lower().replace('-', ' ')} ") is Answer.RIGHT
    assert check.judge(code) is Answer.EXPIRED


def test_only_the_newest_code_counts(tmp_path: Path) -> None:
    now = Seconds()
    check = ClaimCheck(tmp_path, now)
    old, new = issue_claim_code(tmp_path, now()), issue_claim_code(tmp_path, now())
    assert check.judge(old) is Answer.WRONG
    assert check.judge(new) is Answer.RIGHT


@pytest.mark.parametrize("passed", [VALID_FOR_S, -1.0])
def test_it_is_dead_after_its_time_and_before_it(tmp_path: Path, passed: float) -> None:
    """Before it: the machine was started anew since."""
    now = Seconds()
    code = issue_claim_code(tmp_path, now())
    now.value += passed
    assert ClaimCheck(tmp_path, now).judge(code) is Answer.EXPIRED
    assert not (tmp_path / FILE).exists()


def test_five_wrong_tries_lock_it_also_for_a_new_code(tmp_path: Path) -> None:
    now = Seconds()
    check = ClaimCheck(tmp_path, now)
    issue_claim_code(tmp_path, now())
    answers = [check.judge("2222-2222") for _ in range(MOST_WRONG)]
    assert answers == [Answer.WRONG] * (MOST_WRONG - 1) + [Answer.LOCKED]
    assert check.judge(issue_claim_code(tmp_path, now())) is Answer.LOCKED
    assert ClaimCheck(tmp_path, now).judge(issue_claim_code(tmp_path, now())) is Answer.RIGHT


def test_tries_at_the_same_moment_are_counted_all(tmp_path: Path) -> None:
    check = ClaimCheck(tmp_path)
    issue_claim_code(tmp_path)
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(check.judge, ["2222-2222"] * 64))
    assert answers.count(Answer.WRONG) == MOST_WRONG - 1


@pytest.mark.parametrize("text", ["", "[]", '{"salt": 1}', "\x00", "[" * 2000])
def test_a_damaged_file_is_no_code(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert ClaimCheck(tmp_path).judge("2222-2222") is Answer.EXPIRED


def test_nobody_else_reads_it_and_it_does_not_hold_the_code(tmp_path: Path) -> None:
    code = issue_claim_code(tmp_path)
    path = tmp_path / FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert code.replace("-", "") not in path.read_text()
    assert [item.name for item in tmp_path.iterdir()] == [FILE]
    discard_claim_code(tmp_path)
    assert not path.exists()
