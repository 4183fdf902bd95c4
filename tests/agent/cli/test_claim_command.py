"""`flatpeak-agent claim`: a code for the local pages, beside the running agent."""

import stat
from pathlib import Path

import pytest

from agent.cli import main
from agent.web.claim_code import FILE, Answer, ClaimCheck

CONFIG = """
tariff: {{source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}}
state: {{directory: {folder}/state}}
web: {{enabled: {enabled}}}
"""


def written(folder: Path, enabled: str = "true") -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(folder=folder, enabled=enabled))
    return path


def test_it_prints_a_code_that_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claim", "--config", str(written(tmp_path))]) == 0
    said = capsys.readouterr()
    code = said.out.splitlines()[0]
    assert said.out.splitlines()[1] == "Good for 15 minutes, once."
    assert said.err == ""
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600
    assert ClaimCheck(tmp_path / "state").judge(code) is Answer.RIGHT


def test_it_says_where_the_pages_are_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claim", "--config", str(written(tmp_path, "false"))]) == 0
    assert "set web.enabled" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_ends_with_73(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("no folder")
    assert main(["claim", "--config", str(written(tmp_path))]) == 73
    assert "state" in capsys.readouterr().err


def test_a_faulty_config_ends_with_78(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("tariff: {}")
    assert main(["claim", "--config", str(path)]) == 78
