"""The demo's picture fits the terminal, whatever its size, and keeps its head."""

import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.cli.demo_display import DemoDisplay
from agent.cli.paced_clock import PacedClock
from agent.records.ledger import Ledger

START = datetime(2026, 1, 16, 16, 0, tzinfo=UTC)
DEVICES = ("dishwasher", "ev", "heat_pump", "water_heater")


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding=encoding)

    def isatty(self) -> bool:
        return True

    def rows(self) -> list[str]:
        """What stands on it after the last picture."""
        self.flush()
        last = self.raw_bytes.getvalue().decode(self.encoding).rpartition("\x1b[H")[2]
        return last.partition("\x1b[J")[0].replace("\x1b[K", "").split("\n")


def display(out: Terminal) -> DemoDisplay:
    shown = DemoDisplay(
        PacedClock(START, 1200.0),
        ZoneInfo("Europe/Berlin"),
        "b",
        Ledger(),
        currency="EUR",
        quiet=False,
        broker="mosquitto",
        on_gone=lambda: None,
        out=out,
    )
    prices = [
        {
            "start": (START + timedelta(hours=hour)).isoformat(),
            "end": (START + timedelta(hours=hour + 1)).isoformat(),
            "value": hour % 7,
        }
        for hour in range(48)
    ]
    shown.receive("b/tariff/import/list", json.dumps(prices).encode())
    slot = {
        "start": START.isoformat(),
        "end": (START + timedelta(hours=2)).isoformat(),
        "reason": "the cheapest hours of a night whose prices are known for long",
    }
    goal = {"energy_kwh": 34.5, "ready_by": (START + timedelta(hours=14)).isoformat()}
    for device in DEVICES:
        document = {"slots": [slot], "goal": goal}
        shown.receive(f"b/device/{device}/schedule", json.dumps(document).encode())
    for number in range(20):
        event = {"at": START.isoformat(), "device": None, "type": "t", "text": f"event {number}"}
        shown.receive("b/event", json.dumps(event).encode())
    return shown


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60), (40, 10), (20, 3), (100, 16)])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
async def test_it_fits(
    monkeypatch: pytest.MonkeyPatch, columns: int, rows: int, encoding: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(rows))
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(encoding)
    display(terminal).close()
    shown = terminal.rows()
    assert len(shown) < rows
    assert max(map(len, shown)) <= columns
    assert shown[0].startswith("FlatPeak edge agent"[: columns - 1])


async def test_on_80_by_24_everything_has_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal("utf-8")
    display(terminal).close()
    shown = "\n".join(terminal.rows())
    assert all(f"\n{device} " in shown for device in DEVICES)
    assert "\nprice" in shown
    assert "so far" in shown
    assert "event 19" in shown
    assert "█" in shown


@pytest.mark.parametrize(("encoding", "degrees"), [("utf-8", "°C"), ("ascii", "C")])
async def test_on_80_columns_why_something_runs_can_be_read(
    monkeypatch: pytest.MonkeyPatch, encoding: str, degrees: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal(encoding)
    shown = display(terminal)
    slot = {
        "start": START.isoformat(),
        "end": (START + timedelta(hours=2)).isoformat(),
        "reason": "cheapest",
    }
    goal = {"energy_kwh": 34.5, "ready_by": (START + timedelta(hours=14)).isoformat()}
    shown.receive("b/device/ev/schedule", json.dumps({"slots": [slot], "goal": goal}).encode())
    state = {"mode": "charge", "power_w": 11000, "temperature_c": 20}
    shown.receive("b/device/ev/state", json.dumps(state).encode())
    shown.close()
    said = f"charge 11.0 kW, 20 {degrees}, 34.5 kWh by Sat 07:00 (cheapest)"
    assert any(row.strip() == said for row in terminal.rows())
