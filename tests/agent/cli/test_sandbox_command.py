"""The sandbox as a command: what it prints can be pasted, Ctrl-C ends it well."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from agent.cli.sandbox import main
from integrations.sandbox.faults import FAULTS
from integrations.sandbox.locations import PRICES

SWEDEN = PRICES / "prices_SE3_EUR_PT1H_2024_day-ahead.csv.gz"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("options", [[], ["--prices", str(SWEDEN), "--speed", "60"]])
def test_it_serves_and_ends_with_0(options: list[str]) -> None:
    command = [sys.executable, "-m", "agent", "sandbox", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        url = re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
        with urllib.request.urlopen(f"{url}/_sandbox", timeout=10) as answer:
            assert b"loc_659200800000000000000001" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    if options:
        assert "its clock says 2024-01-01T23:00:0" in said


def test_it_lists_its_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--faults"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("start_utc,end_utc\n", "has no rows"), ("a,b\n1,2\n", "line 2")],
)
def test_a_price_file_that_is_none_is_named(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "prices_XX_EUR_PT1H_2024.csv"
    if content is not None:
        path.write_text(content)
    assert main(["--prices", str(path)]) == (66 if content is None else 65)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [["--port", "70000"], ["--speed", "0"], ["--publish-at", "25:00"], ["--start", "now"]],
)
def test_options_that_make_no_sense_are_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(options)
