"""The unit that ships, read by systemd itself and held against what the program does."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.cli.common import EX_CONFIG
from agent.database.writer import CLOSE_TIMEOUT_S
from agent.systemd import READY_AFTER_S
from agent.wiring import ALIVE_WITHIN_S, MQTT
from tests.fakes.parts import lacking

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "flatpeak-agent.service"
UNITS = sorted(FOLDER.glob("*.service"))


def service(unit: Path = UNIT) -> dict[str, list[str]]:
    """Values of the section [Service] by key; a key may come more than once."""
    found: dict[str, list[str]] = {}
    lines = unit.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines()
    for key, value in (line.split("=", 1) for line in lines if "=" in line and line[0] != "#"):
        found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        lacking("systemd-analyze")
    # The program that it starts is not installed where tests run.
    copy = tmp_path / unit.name
    lines = unit.read_text().splitlines()
    copy.write_text(
        "\n".join(
            "ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in lines
        )
    )
    # It ends with 0 where it does not know a key: any word is a fault.
    done = subprocess.run(
        [program, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if unit.stem in line]
    assert said == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_started_again_except_where_that_mends_nothing(unit: Path) -> None:
    values = service(unit)
    assert values["Restart"] == ["always"]
    assert values["RestartPreventExitStatus"] == [str(EX_CONFIG)]


def test_its_times_leave_room_for_the_programs_own() -> None:
    unit = service()
    assert unit["Type"] == ["notify"]
    assert int(unit["WatchdogSec"][0]) > ALIVE_WITHIN_S[MQTT]
    assert int(unit["TimeoutStopSec"][0]) > CLOSE_TIMEOUT_S + 5
    assert READY_AFTER_S < 90
    assert "ExecReload" not in unit


def test_what_is_loaded_as_the_provider_s_service_runs_as_its_unit_does() -> None:
    unit = service(FOLDER / "flatpeak-agent-provider.service")
    readme = (FOLDER.parent / "integrations/provider/README.md").read_text()
    command = readme.partition("systemd-run ")[2].partition('provider "$@"')[0]
    given = dict(re.findall(r"-p (\w+)=([\w-]+)", command))
    for key in ("DynamicUser", "ConfigurationDirectory", "StateDirectory", "UMask"):
        assert [given[key]] == unit[key]
    # Without a name of its own systemd gives a dynamic user the unit's.
    assert "User" not in unit
    assert given["User"] == "flatpeak-agent-provider"
    assert command.split()[-1] == unit["ExecStart"][0].split()[0]
