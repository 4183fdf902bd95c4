"""Wrong usage: every command says what it expected, and ends with the same exit code."""

from pathlib import Path

import pytest

from agent.cli import COMMANDS, main
from tests.fakes.command import ROOT


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
        (
            ("sandbox", "--timezone", "Berlin"),
            "'Berlin' is no time zone; did you mean Europe/Berlin? expected a time zone such as "
            "Europe/Berlin",
        ),
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


@pytest.mark.parametrize(
    "args",
    [
        ("sandbox", "--prices", "{}/prices_x"),
        ("plan", "--situation", "{}/s.json"),
        ("savings", "--state", "{}/s"),
        ("limits", "--state", "{}/s"),
    ],
)
def test_a_file_to_read_that_is_not_there_ends_with_66(
    args: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.format(tmp_path) for part in args]) == 66
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "No such file or directory" in said


@pytest.mark.parametrize(
    "name", ["check", "claim", "connect", "dashboard", "uninstall", "uninstall-discovery"]
)
def test_without_a_config_the_services_one_is_pointed_to(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "CONFIGURATION_DIRECTORY", "FLATPEAK_AGENT_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    assert main([name]) == 78
    said = capsys.readouterr().err
    assert "there is no config file at" in said
    assert "--as-service reads it, with sudo" in said
    assert main([name, "--config", str(tmp_path / "none.yaml")]) == 78
    assert "--as-service" not in capsys.readouterr().err


def test_the_suppliers_words_are_said_where_one_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["provider"])
    assert ended.value.code == 64
    said = capsys.readouterr().err
    assert said.count("run|load|check|audit") == 2
    assert "deed" not in said


def test_the_supplier_starts_from_an_example_of_his_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["provider", "check", "--config", str(tmp_path / "none")]) == 78
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"{tmp_path}/none: 1 thing is wrong, nothing was started"
    assert second.endswith("start from integrations/provider/example/provider.yaml")
    assert (ROOT / second.rsplit(" ", 1)[1]).is_file()


def test_the_zone_of_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "--timezone", "Europe/Madrid"])
    assert ended.value.code == 64
    assert "expected --prices FILE too" in capsys.readouterr().err


def test_a_command_that_was_nearly_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 64
    assert "no command 'chekc'; did you mean check?" in capsys.readouterr().err
