"""config.example.yaml: it loads, names every key of every model, and its defaults are true."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from agent.config import Config
from agent.config.base import Section
from agent.config.devices import ReadyBy
from integrations.devices.entities import EntitiesSection
from integrations.registry import ADAPTERS, AgentConfig, load_config
from integrations.tariffs.fixed_settings import FixedConfig
from integrations.tariffs.flatpeak_settings import FlatPeakConfig

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
WORDS = ("bearer", "fixed")
DEFAULT_LINE = re.compile(r"^(\s*)#: ", re.MULTILINE)


def text(alternative: str = "", *, with_defaults: bool = False) -> str:
    """The example, with another tariff in the place of its own, and with its defaults said."""
    out = EXAMPLE.read_text()
    if alternative:
        lines = out.split("\n")
        first = lines.index("tariff:")
        length = next(
            i for i, line in enumerate(lines[first + 1 :], 1) if line[:1] not in (" ", "")
        )
        del lines[first : first + length]
        out = re.sub(rf"^#{alternative}\| ", "", "\n".join(lines), flags=re.MULTILINE)
    return DEFAULT_LINE.sub(r"\1", out) if with_defaults else out


def load(folder: Path, content: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(content)
    return load_config(path)


@pytest.mark.parametrize("alternative", ["", *WORDS])
def test_it_loads_and_what_it_calls_a_default_is_one(tmp_path: Path, alternative: str) -> None:
    plain = load(tmp_path, text(alternative))
    said = load(tmp_path, text(alternative, with_defaults=True))
    assert said == plain
    assert isinstance(plain.tariff, FixedConfig if alternative == "fixed" else FlatPeakConfig)


def test_every_default_line_was_understood() -> None:
    """A key after `#:` is a key: no such line is prose."""
    for line in EXAMPLE.read_text().splitlines():
        if "#:" in line and not line.startswith("# "):
            assert re.match(r"^(#\w+\|)? *#: [a-z_]+:( \S.*)?$", line), line


@pytest.mark.parametrize("alternative", ["", "fixed"])
def test_every_key_of_every_model_stands_in_it(alternative: str) -> None:
    document = YAML(typ="safe", pure=True).load(text(alternative, with_defaults=True))
    tariff = FixedConfig if alternative else FlatPeakConfig
    missing = list(missing_keys(AgentConfig, document, "", {"tariff": tariff}))
    # The dishwasher's days are those of the car.
    # How a device is spoken to stands at the first one.
    missing = [name for name in missing if "ready_by" not in name]
    assert [name for name in missing if not name.endswith("].adapter")] == []
    assert "adapter" in document["devices"][0]
    types = {device["type"]: device for device in document["devices"]}
    assert set(ReadyBy.keys()) == set(types["ev_charger"]["ready_by"])
    known = {name for model in device_models() for name in type_names(model)}
    assert set(types) == known


def test_every_device_family_stands_in_it_with_all_its_keys(tmp_path: Path) -> None:
    content = "\n".join(
        line.removeprefix("#families| ")
        for line in EXAMPLE.read_text().splitlines()
        if line.startswith("#families| ")
    )
    tariff = "tariff: {source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}\n"
    plain = load(tmp_path, tariff + content)
    assert load(tmp_path, tariff + DEFAULT_LINE.sub(r"\1", content)) == plain
    document = YAML(typ="safe", pure=True).load(DEFAULT_LINE.sub(r"\1", content))
    shown = {device["adapter"]["family"]: set(device["adapter"]) for device in document["devices"]}
    sections = {name: kind.section for name, kind in ADAPTERS.items() if name != "native"}
    expected = {name: set(section.keys()) for name, section in sections.items()}
    # What every family may have is shown at one of them.
    assert set(EntitiesSection.keys()) <= shown["home_assistant"]
    common = set(EntitiesSection.keys()) - {"family"}
    assert {name: keys - common for name, keys in shown.items()} == {
        name: keys - common for name, keys in expected.items()
    }


def missing_keys(
    model: type[Section], value: Any, path: str, chosen: dict[str, type[Section]]
) -> Iterator[str]:
    for key, field in zip(model.keys(), model.model_fields.values(), strict=True):
        place = f"{path}.{key}".lstrip(".")
        if key not in value:
            yield place
            continue
        for name, entry in entries(place, value[key]):
            models = [chosen[key]] if key in chosen else models_in(field.annotation)
            if len(models) > 1:
                models = [item for item in models if is_of(item, entry)]
            for inner in models:
                yield from missing_keys(inner, entry, name, chosen)


def entries(place: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        found = [(f"{place}[{index}]", item) for index, item in enumerate(value)]
        return [(name, item) for name, item in found if isinstance(item, dict)]
    return [(place, value)] if isinstance(value, dict) else []


def models_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if issubclass(annotation, Section) else []
    return [model for part in get_args(annotation) for model in models_in(part)]


def is_of(model: type[Section], entry: Any) -> bool:
    return entry["type"] in type_names(model)


def type_names(model: type[Section]) -> tuple[str, ...]:
    annotation: Any = model.model_fields["type"].annotation
    return get_args(annotation)


def device_models() -> list[type[Section]]:
    return models_in(AgentConfig.model_fields["devices"].annotation)
