"""Profile files: what is wrong in one is found when it is loaded, not when a device is told."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from integrations.devices.entities import EntitiesSection
from integrations.devices.payloads import Conversion, Placeholder, at_path, fill, render
from integrations.devices.profile import Profile

PLUG: dict[str, Any] = {
    "family": "plug",
    "about": "a plug",
    "source": "its manual",
    "serves": ["load"],
    "parameters": {"topic": {"about": "its topic"}},
    "reads": [{"name": "power_w", "topic": "{topic}/state", "path": "power"}],
    "controls": {"topic": "{topic}"},
    "modes": {"charge": [{"topic": "{topic}/set", "payload": "ON"}], "release": []},
    "release": "release",
}


def test_a_whole_one_loads() -> None:
    assert Profile.model_validate(PLUG).section().keys() == [*EntitiesSection.keys(), "topic"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reads": [{"name": "power_w", "topic": "{topik}/x"}]}, "no such value: topik"),
        ({"reads": [{"name": "powr_w", "topic": "{topic}"}]}, "is read and never used: powr_w"),
        ({"modes": {"charge": [{"topic": "{topic}", "payload": {"$value": "watts"}}]}}, "watts"),
        ({"modes": {"charge": [{"topic": "{topic}/#", "payload": ""}]}}, "goes to one topic"),
        ({"modes": {"charge": [{"topic": "t", "payload": "", "retain": True}]}}, "unknown key"),
        ({"release": "idle"}, "no such mode: idle"),
        ({"controls": {}}, "controls goes with modes"),
        ({"controls": {"topik": "x"}}, "controls: no such parameter: topik"),
        ({"controls": {"topic": "{relay}"}}, "no such value: relay"),
        ({"repeat": ["boost"]}, "no such mode: boost"),
        (
            {
                "queries": [
                    {"topic": "t", "payload": "", "when": {"read": "amp", "equals": "1"}},
                ]
            },
            "no such reading: amp",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Profile.model_validate({**PLUG, **change})


def compiled(payload: Any) -> Any:
    step = {"topic": "t", "payload": payload}
    parameters = {name: {"about": ""} for name in ("a", "b", "c")}
    profile = {**PLUG, "parameters": {**PLUG["parameters"], **parameters}, "queries": [step]}
    return Profile.model_validate(profile).queries[0].payload


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ("{a} A", "16 A"),
        ("{b}", None),
        ({"$value": "a", "type": "int", "scale": 1000}, "16000"),
        ({"$value": "a", "type": "float", "scale": 0.1}, "1.6"),
        ({"$value": "a", "type": "int", "offset": 100, "max": 110}, "110"),
        ({"$value": "a", "type": "int", "min": 20}, "20"),
        ({"$value": "a", "map": {"16": "full", "6": "least"}}, "full"),
        ({"$value": "a", "map": {"6": "least"}}, None),
        ({"$value": "b"}, None),
        (
            {"x": {"$value": "b"}, "y": [{"$value": "a", "type": "int"}, "{c}"]},
            '{"y":[16,"it\'s"]}',
        ),
        ({"x": None, "on": True}, '{"x":null,"on":true}'),
        # No second look: what a value holds is never taken for a place.
        ("{c}{a}", "it's16"),
    ],
)
def test_payloads(payload: Any, sent: str | None) -> None:
    assert render(compiled(payload), {"a": 16, "b": None, "c": "it's"}) == sent


def test_a_value_that_looks_like_a_place_stays_as_it_is() -> None:
    assert fill("{a}/x", {"a": "{b}", "b": "no"}) == "{b}/x"


def test_paths() -> None:
    document = json.loads('{"a":{"b":[1,{"c":2}]},"params":{"switch:0":{"output":true}}}')
    assert at_path(document, "a.b.1.c") == 2
    assert at_path(document, "params.switch:0.output") is True
    for missing in ("a.c", "a.b.2", "a.b.x", "a.b.0.c"):
        assert repr(at_path(document, missing)) == repr(at_path({}, "x"))


def test_what_a_device_says_is_converted_or_refused() -> None:
    assert Conversion(scale=0.001).apply("1500") == 1.5
    assert Conversion(map={"1": True}).apply(1.0) is True
    assert Conversion(map={"1": True}, has_otherwise=True).apply("7") is None
    for bad in (True, "1.5 kW", [1]):
        with pytest.raises(ValueError, match="expected a"):
            Conversion(scale=0.001).apply(bad)
    with pytest.raises(ValueError, match="expected 1, 2"):
        Conversion(map={"1": True, "2": False}).apply("3")


def test_a_placeholder_names_its_value() -> None:
    assert Placeholder.model_validate({"$value": "power_w", "type": "int"}).name == "power_w"
