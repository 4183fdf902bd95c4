"""What authors of firmware read: the contract's page, its examples, the words of the schemas."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from agent.contracts import wire
from agent.contracts.catalogue import TOPICS, json_schema
from agent.contracts.schedule import is_told_modes
from agent.energy.schedule import MODES, DeviceType
from integrations.firmware.follower import Follower
from integrations.firmware.rules import Source

ROOT = Path(__file__).parents[3]
CONTRACT = (ROOT / "agent/contracts/README.md").read_text()
KIT = (ROOT / "integrations/firmware/README.md").read_text()
SCHEMAS = {topic.key: json_schema(topic) for topic in TOPICS}
SECTIONS = re.compile(r"contract\'?s?,? sections? (\w+)(?: and (\w+))?")


def test_every_section_that_a_comment_names_is_there() -> None:
    headings = set(re.findall(r"^##+ (\w+)\. ", CONTRACT, re.MULTILINE))
    named = set()
    for folder in ("agent", "integrations"):
        for path in (ROOT / folder).rglob("*.[pch]*"):
            if path.suffix in (".py", ".c", ".h"):
                text = re.sub(r"\s*\n\s*[*#]?\s*", " ", path.read_text())
                named |= {name for found in SECTIONS.findall(text) for name in found if name}
    assert {"2", "3", "1a"} <= named <= headings


def examples(page: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in page.splitlines() if line.startswith('{"r":')]


@pytest.mark.parametrize("page", ["README.md", "integrations/firmware/README.md"])
def test_the_examples_are_what_a_follower_follows(page: str) -> None:
    text = (ROOT / page).read_text()
    found = examples(text)
    assert found == SCHEMAS["compact"]["examples"]
    for document in found:
        payload = json.dumps(document, separators=(",", ":"))
        assert payload in text
        Draft202012Validator(SCHEMAS["compact"]).validate(document)
        follower = Follower(0, document["u"])
        assert follower.take(payload.encode(), document["s"], 0) == "ACCEPTED"
        for offset, value in document["p"]:
            now = document["s"] + offset
            assert follower.value(now, offset) == value
            assert follower.speaks(now, offset) is Source.SLOT


@pytest.mark.parametrize("page", [CONTRACT, KIT], ids=["contract", "kit"])
def test_every_mode_of_every_type_has_its_word_and_its_number(page: str) -> None:
    for kind, modes in MODES.items():
        row = next(line for line in page.splitlines() if f"`{kind}`" in line and line[0] == "|")
        if page is CONTRACT:
            assert " ".join(f"`{mode}`" for mode in modes) in row
        elif is_told_modes(kind):
            assert ", ".join(f"{number} {mode}" for number, mode in enumerate(modes, 1)) in row


def schedule(kind: DeviceType, mode: str) -> dict[str, Any]:
    at = "2026-01-16T10:00:00Z"
    return {
        "schema": "schedule/1",
        "device": "d",
        "device_type": kind.value,
        "revision": 1,
        "issued_at": at,
        "valid_from": at,
        "valid_until": at,
        "currency": "EUR",
        "slots": [],
        "default": {"mode": mode, "power_w": 0},
        "offline": {"after_s": 900, "mode": mode, "power_w": 0},
        "goal": {"energy_kwh": None, "target_soc_percent": None, "ready_by": None},
        "cost": 0,
        "baseline_cost": 0,
        "status": "rule",
        "estimated": False,
    }


@pytest.mark.parametrize("kind", DeviceType)
def test_a_schedule_has_the_words_of_its_type_and_no_others(kind: DeviceType) -> None:
    validator = Draft202012Validator(SCHEMAS["schedule"])
    words = SCHEMAS["setpoint"]["properties"]["mode"]["enum"]
    assert set(MODES[kind]) == {word for word in words if validator.is_valid(schedule(kind, word))}


@pytest.mark.parametrize("model", [wire.DeviceState, wire.DeviceInfo, wire.Ack])
def test_whoever_writes_firmware_reads_what_each_key_means(model: type[BaseModel]) -> None:
    keys = model.model_json_schema()["properties"]
    assert [key for key, told in keys.items() if not told.get("description")] == []
