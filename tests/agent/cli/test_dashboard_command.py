"""`flatpeak-agent dashboard`: it names what the agent announces, and nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agent.cli import main
from agent.cli.dashboard import announcements, dashboard_text
from agent.home.kinds import KINDS
from integrations.homeassistant.names import Names
from integrations.registry import AgentConfig
from tests.contracts.test_registry import SECTIONS

TARIFF = "tariff: {source: fixed, timezone: Europe/Berlin, currency: EUR, import: 0.3}\n"
FOLDER = Path(__file__).parents[3] / "integrations" / "homeassistant" / "blueprints"
BLUEPRINTS = sorted(FOLDER.rglob("*.yaml"))
# Cards that come with Home Assistant.
CARDS = {
    "entities",
    "grid",
    "heading",
    "history-graph",
    "markdown",
    "picture-entity",
    "sections",
    "statistics-graph",
    "tile",
}


def nodes(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        yield node
        for inner in node.values():
            yield from nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from nodes(inner)


def entities(view: object) -> set[str]:
    found = {str(node["entity"]) for node in nodes(view) if "entity" in node}
    plain = (item for node in nodes(view) for item in node.get("entities", []))
    return found | {item for item in plain if isinstance(item, str)}


def whole_house(site: str = "home") -> Any:
    devices = [{"id": kind, "type": kind, **SECTIONS[kind]} for kind in KINDS]
    tariff = {
        "source": "fixed",
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "import": 0.3,
        "export": 0.1,
    }
    raw = {"tariff": tariff, "devices": devices, "site": {"id": site}}
    return AgentConfig.model_validate(raw)


@pytest.mark.parametrize("site", ["home", "flat-2"])
def test_it_names_what_is_announced_for_every_kind(site: str) -> None:
    config = whole_house(site)
    names = Names("flatpeak", site, "homeassistant", "homeassistant/status")
    announced = {
        names.entity_id(entity.platform, item.device, entity.key)
        for item in announcements(config, names)
        for entity in item.entities
    }
    view = YAML(typ="safe", pure=True).load(dashboard_text(config))
    assert entities(view) <= announced
    assert len(entities(view)) > 10 * len(KINDS)
    assert {node["type"] for node in nodes(view) if "cards" in node or "grid_options" in node} <= (
        CARDS
    )


def test_yaml_of_both_versions_reads_the_same() -> None:
    text = dashboard_text(whole_house())
    old = YAML(typ="safe", pure=True)
    old.version = (1, 1)
    assert old.load(text) == YAML(typ="safe", pure=True).load(text)
    assert 'state: "on"' in text


def test_an_older_home_assistant_names_entities_by_their_names() -> None:
    found = entities(YAML(typ="safe", pure=True).load(dashboard_text(whole_house(), by_name=True)))
    assert {"sensor.flatpeak_import_price", "sensor.battery_state_of_charge"} <= found


def test_of_two_houses_each_dashboard_says_whose_it_is() -> None:
    found = [
        YAML(typ="safe", pure=True).load(dashboard_text(whole_house(s))) for s in ("home", "b")
    ]
    assert [view["title"] for view in found] == ["FlatPeak", "FlatPeak b"]
    headings = [{n["heading"] for n in nodes(v) if "heading" in n} for v in found]
    assert "Battery" in headings[0]
    assert "Battery (b)" in headings[1]


def test_a_folder_has_the_blueprints_too_with_the_topic_of_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(TARIFF + "site: {id: flat}\n")
    assert main(["dashboard", "--config", str(config), str(tmp_path / "out")]) == 0
    assert f"{len(BLUEPRINTS)} blueprints" in capsys.readouterr().out
    written = (tmp_path / "out/blueprints/script/flatpeak/set_wish.yaml").read_text()
    assert "default: flatpeak/flat" in written
    assert main(["dashboard", "--config", str(config)]) == 0
    assert capsys.readouterr().out == (tmp_path / "out/dashboard.yaml").read_text()
    assert main(["dashboard", "--config", str(config), str(config)]) == 73


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_a_blueprint_uses_every_input_that_it_asks_for(path: Path) -> None:
    text = path.read_text()
    asked = YAML(typ="safe", pure=True)
    asked.constructor.add_constructor("!input", lambda _, node: f"!{node.value}")
    found = asked.load(text)
    inputs = set(found["blueprint"]["input"])
    assert found["blueprint"]["domain"] == path.parents[1].name
    used = {word for word in inputs if f"!input {word}\n" in text}
    assert used == inputs
    assert text.count("!input") == sum(text.count(f"!input {word}\n") for word in inputs)


@pytest.mark.parametrize(
    ("directions", "shown"), [("", False), (", directions: [import, export]", True)]
)
def test_feeding_in_is_shown_where_the_config_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], directions: str, shown: bool
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"tariff: {{source: flatpeak, account_id: a, api_key: k{directions}}}\n")
    assert main(["dashboard", "--config", str(path)]) == 0
    assert ("export" in capsys.readouterr().out) is shown
