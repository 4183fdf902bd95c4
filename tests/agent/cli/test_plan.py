"""`flatpeak-agent plan` as a program: what it reads, writes and answers with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.plan import main
from tests.agent.contracts.test_situation import BASE, changed


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "situation.json"
    path.write_text(json.dumps(BASE))
    return path


def test_a_situation_for_people(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--situation", str(saved)]) == 0
    out = capsys.readouterr().out
    assert "Plan of Fri 2026-01-16 10:00 GMT" in out
    assert "price" in out
    assert "Why:" in out
    assert all(device["id"] in out for device in BASE["devices"])


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(
    saved: Path,
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["--situation", str(saved)]) == 0
    # Tables are as wide as what stands in them; they fit into the usual 80.
    assert max(map(len, capsys.readouterr().out.splitlines())) <= max(80, columns)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_plan_in_the_signs_of_the_terminal(saved: Path, encoding: str) -> None:
    command = [sys.executable, "-m", "agent", "plan", "--situation", str(saved)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    text = done.stdout.decode(encoding)
    assert "Why:" in text
    assert ("█" in text) == (encoding == "utf-8")


def test_local_time_is_that_of_the_situation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sydney.json"
    path.write_text(json.dumps(changed(("timezone", "Australia/Sydney"))))
    assert main(["--situation", str(path)]) == 0
    assert "Plan of Fri 2026-01-16 21:00 AEDT" in capsys.readouterr().out


def test_a_plan_without_rates_or_devices_is_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.json"
    path.write_text(json.dumps(changed(("import_rates", []), ("devices", []))))
    assert main(["--situation", str(path)]) == 0
    assert "No device" in capsys.readouterr().out


def test_json(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--situation", str(saved), "--json", "--time-limit", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "plan/1"


def test_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(changed(("colour", 1), ("now", "soon"))))
    assert main(["--situation", str(path), "--json"]) == 65
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert answer["error"].startswith("now: ")
    assert [fault["path"] for fault in answer["errors"]] == ["now", "colour"]
    assert "colour" in captured.err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--situation", "/nowhere/at/all.json"]) == 66
    assert "/nowhere/at/all.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [[], ["--no-such-option"], ["--jsonl", "--situation", "-"], ["--jsonl", "--time-limit", "-1"]],
)
def test_wrong_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 64
    assert capsys.readouterr().out == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "--jsonl" in capsys.readouterr().out


def test_each_line_is_answered_before_the_next_is_written() -> None:
    lines = [json.dumps(BASE), "", "{", json.dumps(changed(("colour", 1))), json.dumps(BASE)]
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", "plan", "--jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    answers = []
    with process:
        for line in lines:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        process.stdin.close()
        assert process.stdout.read() == ""
    assert [("error" in answer) for answer in answers] == [False, True, True, True, False]
    assert process.returncode == 65
