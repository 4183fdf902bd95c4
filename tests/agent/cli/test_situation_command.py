"""`flatpeak-agent situation`: what the agent planned from comes out, and can be planned again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.clock import SystemClock
from agent.contracts.situation.reading import parse_situation
from agent.contracts.situation.writing import situation_document
from agent.contracts.text import wire_json
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.store import Store
from tests.fakes.command import command

T = datetime(2026, 1, 16, 17, 0, tzinfo=UTC)
DOCUMENT = """
{"schema": "situation/1", "now": "2026-01-16T17:00:00Z", "currency": "EUR",
 "timezone": "Europe/Berlin",
 "import_rates": [{"start": "2026-01-16T17:00:00Z", "end": "2026-01-17T17:00:00Z", "price": 0.3}],
 "devices": [{"id": "pump", "kind": "flexible", "max_power_w": 800, "min_power_w": 800,
              "demands": [{"energy_kwh": 1.6, "deadline": "2026-01-17T06:00:00Z"}]}]}
"""


def keep(folder: Path) -> dict[str, object]:
    """One plan, as the running agent keeps it."""
    document = situation_document(parse_situation(DOCUMENT.encode()))
    store = Store.open(folder / "agent.sqlite", T)
    clock = SystemClock()
    writer = DeviceStore(store, Health(clock), clock)
    writer.keep_plan(int(T.timestamp()), wire_json(document), "{}")
    store.close()
    return document


async def situation(*args: str | Path) -> tuple[int, str, str]:
    async with command("situation", *args) as running:
        code, out, err, _ = await running.ended()
    return code, out, err


async def test_what_was_kept_is_planned_again(tmp_path: Path) -> None:
    document = keep(tmp_path)
    code, out, err = await situation("--state", tmp_path)
    assert (code, err) == (0, "")
    assert situation_document(parse_situation(out.encode())) == document
    saved = tmp_path / "situation.json"
    saved.write_text(out)
    async with command("plan", "--situation", saved) as running:
        code, out, err, _ = await running.ended()
    assert (code, err) == (0, "")
    assert "pump" in out


async def test_of_a_time_before_the_first_plan_there_is_none(tmp_path: Path) -> None:
    keep(tmp_path)
    before = f"{T - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    assert await situation("--state", tmp_path, "--at", before) == (
        66,
        "",
        "flatpeak-agent situation: no plan is kept from then\n",
    )
