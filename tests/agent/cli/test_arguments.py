"""Wrong usage: every command says what it expected, and ends with the same exit code."""

import pytest

from agent.cli import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_ends_every_command_with_64(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main([name, "--frobnicate"])
    except SystemExit as ended:
        code = ended.code
    assert code == 64
    said = capsys.readouterr().err
    assert said.startswith(f"usage: flatpeak-agent {name} ")
    assert f"flatpeak-agent {name}: " in said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("demo", "--speed", "fast"), "expected a number above 0, at most 1,000,000, got 'fast'"),
        (("demo", "--speed", "inf"), "expected a number above 0, at most 1,000,000, got 'inf'"),
        (("demo", "--days", "-1"), "expected a number above 0, at most 3,650, got '-1'"),
        (("sandbox", "--port", "99999"), "expected a number from 0 to 65535, got '99999'"),
        (("sandbox", "--port", "http"), "expected a number from 0 to 65535, got 'http'"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(
    args: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    assert ended.value.code == 64
    assert f"argument {args[1]}: {said}\n" in capsys.readouterr().err


def test_the_zone_of_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--timezone", "Europe/Madrid"])
    assert ended.value.code == 64
    assert "expected --prices FILE too" in capsys.readouterr().err


def test_a_command_that_was_nearly_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 64
    assert "no command 'chekc'; did you mean check?" in capsys.readouterr().err
