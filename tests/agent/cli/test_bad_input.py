"""`flatpeak-agent plan --jsonl` with homes that cannot be and homes that can hardly be.

What cannot be is refused with its dotted path, and the next line is answered. What can hardly be is
planned as well as possible, and the plan says what is missing and why.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.contracts.plan import PlanDocument
from tests.fakes.command import command

NOW, ONE, TWO, SIX = (f"2026-01-16T{hour:02d}:00:00Z" for hour in (10, 11, 12, 16))


def situation(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": "situation/1",
        "now": NOW,
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "import_rates": [
            {"start": NOW, "end": TWO, "price": 0.3},
            {"start": TWO, "end": SIX, "price": 0.2},
        ],
        "devices": list(devices),
        **more,
    }


def load(**more: Any) -> dict[str, Any]:
    return {
        "id": "load",
        "kind": "flexible",
        "max_power_w": 2000,
        "demands": [{"energy_kwh": 2, "deadline": SIX, **more}],
    }


def battery(**more: Any) -> dict[str, Any]:
    usual = {"capacity_kwh": 10, "energy_kwh": 4, "max_charge_w": 2000, "max_discharge_w": 2000}
    return {"id": "battery", "kind": "storage", **usual, **more}


def tank(**more: Any) -> dict[str, Any]:
    usual = {"max_power_w": 2000, "temperature_c": 50, "capacity_kwh_per_c": 0.3}
    comfort = [{"start": NOW, "end": SIX, "min_c": 45, "max_c": 60}]
    return {"id": "tank", "kind": "thermal", **usual, "comfort": comfort, **more}


class Planner:
    """The command, one line in and one line out."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent", "plan", "--jsonl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self, line: object) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        assert isinstance(found, dict)
        return found

    def close(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.stdout.read() == ""
        self._process.stdout.close()
        return self._process.wait()


@pytest.fixture(scope="module")
def planner() -> Iterator[Planner]:
    made = Planner()
    yield made
    assert made.close() == 65


REFUSED = {
    "an energy that no home has": (
        situation(load(energy_kwh=1e9)),
        "devices[0].demands[0].energy_kwh",
    ),
    "a price that is no number": (
        situation(import_rates=[{"start": NOW, "end": TWO, "price": float("nan")}]),
        "import_rates[0].price",
    ),
    "an infinite power": (
        situation({**load(), "max_power_w": float("inf")}),
        "devices[0].max_power_w",
    ),
    "a battery smaller than nothing": (
        situation(battery(capacity_kwh=-1)),
        "devices[0].capacity_kwh",
    ),
    "a tank smaller than nothing": (
        situation(tank(capacity_kwh_per_c=-0.1)),
        "devices[0].capacity_kwh_per_c",
    ),
    "comfort bands that overlap": (
        situation(
            tank(
                comfort=[
                    {"start": NOW, "end": TWO, "min_c": 45},
                    {"start": ONE, "end": SIX, "min_c": 50},
                ]
            )
        ),
        "devices[0].comfort[1].start",
    ),
    "a comfort band upside down": (
        situation(tank(comfort=[{"start": NOW, "end": TWO, "min_c": 60, "max_c": 45}])),
        "devices[0].comfort[0].max_c",
    ),
    "limits that overlap": (
        situation(
            site={
                "import_limits": [
                    {"start": NOW, "end": TWO, "power_w": 4200},
                    {"start": ONE, "end": SIX, "power_w": 4200},
                ]
            }
        ),
        "site.import_limits[1].start",
    ),
    "a cop that is text": (situation(tank(cop="three")), "devices[0].cop"),
    "a cop of nothing": (situation(tank(cop=0)), "devices[0].cop"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_and_the_next_line_is_answered(
    planner: Planner, name: str
) -> None:
    document, path = REFUSED[name]
    answer = planner.answer(document)
    assert answer["errors"][0]["path"] == path
    assert answer["error"].startswith(f"{path}: ")
    after = planner.answer(situation(load()))
    assert after["devices"][0]["deadline_met"]


def planned(planner: Planner, document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The only device of the plan, and the sentences by code."""
    answer = planner.answer(document)
    PlanDocument.model_validate(answer)
    (device,) = answer["devices"]
    return device, {reason["code"]: reason["text"] for reason in device["why"]}


def powers(device: dict[str, Any]) -> list[float]:
    return [slot["power_w"] for slot in device["slots"]]


def test_a_battery_above_its_limits_only_gives(planner: Planner) -> None:
    house = {"base_load": [{"start": NOW, "end": SIX, "power_w": 1000}]}
    store = battery(energy_kwh=12, max_kwh=9)
    device, why = planned(planner, situation(store, site=house))
    assert why["outside_limits"] == (
        "Its 12.0 kWh lie outside its limits of 0 to 9 kWh; until it is back it may only give."
    )
    charging = [slot for slot in device["slots"] if slot["power_w"] > 0]
    assert device["slots"][0]["power_w"] == -1000
    assert all(slot["energy_kwh"] <= 9.01 for slot in charging)


def test_a_battery_below_its_limits_only_charges(planner: Planner) -> None:
    device, why = planned(planner, situation(battery(energy_kwh=1, min_kwh=3)))
    assert why["outside_limits"].endswith("until it is back it may only charge.")
    assert min(powers(device)) >= 0


def test_comfort_that_nothing_can_reach(planner: Planner) -> None:
    device, why = planned(planner, situation(tank(temperature_c=10, cop=1)))
    assert "not even full power from now on keeps it" in why["shortfall"]
    assert device["slots"][0]["power_w"] == 2000


def test_comfort_above_its_maximum(planner: Planner) -> None:
    device, why = planned(planner, situation(tank(temperature_c=70)))
    assert "it is warmer than its maximum and cannot cool" in why["shortfall"]
    assert device["energy_kwh"] == 0


def test_a_limit_below_the_base_load(planner: Planner) -> None:
    tight = {
        "import_limit_w": 500,
        "base_load": [{"start": NOW, "end": TWO, "power_w": 900}],
    }
    device, why = planned(planner, situation(load(deadline=TWO), site=tight))
    assert device["shortfall_kwh"] == 2
    assert why["shortfall"] == (
        "2.0 kWh of 2.0 kWh are missing at 13:00: the import limit leaves room for 0 kWh."
    )
    assert min(slot["start"] for slot in device["slots"]) >= "2026-01-16T12:00"


def test_a_target_out_of_reach(planner: Planner) -> None:
    store = battery(targets=[{"at": TWO, "energy_kwh": 9}])
    device, why = planned(planner, situation(store))
    assert why["shortfall"] == (
        "1.0 kWh are missing at its targets: at full power it reaches 8.0 kWh."
    )
    assert device["slots"][0]["power_w"] == pytest.approx(2000, abs=1)


def test_a_target_above_what_it_holds(planner: Planner) -> None:
    store = battery(energy_kwh=9, targets=[{"at": TWO, "energy_kwh": 12}])
    _, why = planned(planner, situation(store))
    assert why["shortfall"] == ("2.0 kWh are missing at its targets: it holds 10.0 kWh at most.")


def test_a_deadline_out_of_reach(planner: Planner) -> None:
    device, why = planned(planner, situation(load(energy_kwh=6, deadline=TWO)))
    assert device["shortfall_kwh"] == 2
    assert why["shortfall"] == (
        "2.0 kWh of 6.0 kWh are missing at 13:00: at full power there is time for 4.0 kWh."
    )


def test_hygiene_out_of_reach(planner: Planner) -> None:
    rule = {"by": ONE, "temp_c": 90, "hold_s": 600}
    _, why = planned(planner, situation(tank(hygiene=rule)))
    assert "out of reach by 12:00" in why["hygiene"]


@pytest.mark.parametrize("cop", [3, 3.0, [[7, 3]]])
def test_a_cop_as_a_plain_number(planner: Planner, cop: object) -> None:
    device, _ = planned(planner, situation(tank(temperature_c=44, cop=cop)))
    assert 0 < device["energy_kwh"] < 0.4


@pytest.mark.parametrize(("arguments", "code"), [(["--jsonl"], 0), (["--situation", "-"], 65)])
def test_without_a_standard_input_there_is_nothing_to_plan(arguments: list[str], code: int) -> None:
    command = shlex.join([sys.executable, "-m", "agent", "plan", *arguments])
    ended = subprocess.run(["sh", "-c", f"{command} <&-"], capture_output=True, check=False)
    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr


async def test_without_a_service_nothing_is_said_of_a_services_secrets(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("site: {}\n")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "mqtt__password").write_text("")
    env = {"CREDENTIALS_DIRECTORY": str(secrets)}
    async with command("check", "--config", tmp_path / "config.yaml", env=env) as running:
        code, _, err, _ = await running.ended()
    assert code == 78
    assert "None" not in err
