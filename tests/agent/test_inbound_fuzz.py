"""Nothing that comes in ends the agent: nonsense on every topic that it reads, then a restart."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agent.clock import SteppedClock
from agent.contracts.catalogue import TOPICS
from agent.store import Store
from integrations.sandbox.household import DEVICES
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
IDS = [str(device["id"]) for device in DEVICES]
INBOUND = [topic.name for topic in TOPICS if not topic.outgoing]
# Said by a short name until it is sent: what is drawn stays readable.
LONG = {b"@deep": b"[" * 3000, b"@nested": b'{"a":' * 900, b"@wide": b"{}" * 9000}
KEYS = [
    "plugged", "soc_percent", "power_w", "energy_kwh", "energy_total_kwh", "temperature_c", "mode",
    "error", "following", "at", "revision", "status_type", "diagnostic", "id", "until", "for_s",
    "target_soc_percent", "floor_soc_percent", "ready_by", "price_cap", "start", "keep", "reset",
    "hours", "away_until", "refresh", "import_w", "windows", "failsafe_w", "value", "end", "maker",
    "max_power_w", "phases", "soc", "schema", "r", "s", "p", "e",
]  # fmt: skip

instants = st.sampled_from(
    [
        "2026-01-15T16:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "1970-01-01T00:00:00Z",
        "2035-01-01T00:00:00Z", "2026-01-15T16:00:00", "07:00", "25:00", "24:00", "02:30", "now",
    ]
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(
        ["\ud800", "a\ud83d", "\x00", "line\nbreak", "é" * 300, "x" * 900, "", "NaN", "on", "45"]
    ),
    st.sampled_from(["ACCEPTED", "REJECTED", "STARTED", "ABORTED", "user_opt_out", "boost"]),
    instants,
    st.text(max_size=20),
)
numbers = st.one_of(
    st.sampled_from(
        [0, -1, 1, 50, 101, 1e308, -1e308, 2**32, 2**63, 10**400, 0.1, 11_000, float("nan")]
    ),
    st.sampled_from([float("inf"), -0.0, 1_768_521_600, 1e-300]),
    st.floats(),
    st.integers(),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    ),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(KEYS), values, max_size=6).map(
    lambda body: json.dumps(body).encode("utf-8", "surrogatepass")
)
payloads = st.one_of(
    documents,
    documents.flatmap(lambda body: st.integers(0, len(body)).map(lambda end: body[:end])),
    values.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
    st.sampled_from([b"", *LONG, b"\xff" * 40, b"online"]),
)
device_ids = st.sampled_from([*IDS, "stranger", "x" * 200])
topics = st.one_of(
    st.tuples(st.sampled_from(INBOUND), device_ids).map(
        lambda pair: f"{BASE}/{pair[0].replace('{device}', pair[1])}"
    ),
    device_ids.map(lambda name: f"{BASE}/device/{name}/schedule"),
    st.sampled_from([f"{BASE}/device/@endless/schedule", f"{BASE}/device//schedule"]),
)
messages = st.tuples(topics, payloads, st.booleans())


async def one_house(clock: SteppedClock, store: Store, said: list[Any]) -> None:
    """Two lives of an agent that is told all this, the second with what the first has stored."""
    for life in range(2):
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox, store=store)
            half = said[life::2]

            async def speak(home: Home = home, half: list[Any] = half) -> None:
                await clock.sleep(2)
                for topic, payload, retain in half:
                    whole = topic.replace("@endless", "x" * 65_000)
                    home.broker.publish(whole, LONG.get(payload, payload), retain=retain)
                    await clock.sleep(20)
                # After all that a good request still has its answer and its effect.
                home.broker.publish(
                    f"{BASE}/device/heat_pump/request", b'{"reset":true,"id":"end"}', retain=False
                )
                await clock.sleep(60)
                boost = {"mode": "boost", "for_s": 600, "id": "good"}
                home.broker.publish(
                    f"{BASE}/device/heat_pump/request", json.dumps(boost).encode(), retain=False
                )

            task = asyncio.create_task(speak())
            await home.run(
                home.config(DEVICES), clock.now() + timedelta(seconds=20 * len(half) + 300)
            )
            await task
            wish = home.body("device/heat_pump/wish")
            assert (wish["id"], wish["accepted"]) == ("good", True), wish
            health = home.body("health")
            assert isinstance(health["counts"], dict)


def house_survives(said: list[Any], folder: Path | None = None) -> None:
    store = Store.open(folder / "a.sqlite", START) if folder else Store.in_memory()
    with contextlib.closing(store):
        run_virtual(lambda clock: one_house(clock, store, said), START)


def run(examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(messages, min_size=60, max_size=60))
    def survives(said: list[Any]) -> None:
        house_survives(said)

    survives()


def test_nonsense_on_every_topic_ends_nothing_and_a_restart_neither() -> None:
    run(8)


@pytest.mark.full
def test_twenty_thousand_messages_of_nonsense_end_nothing() -> None:
    run(340)
