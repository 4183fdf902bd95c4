"""What the agent says itself, in the languages of the pages."""

import ast
import json
import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.contracts.state import KEYS, ReadState
from agent.energy.rates import Direction
from agent.energy.sentences import device_names, joined, sentence
from agent.energy.text import clean_text
from agent.errors import Refused
from agent.home.requests import read_request
from agent.web.languages import (
    ENGLISH,
    LANGUAGES,
    OWNER,
    SENTENCES,
    plain_template,
    sentences,
)
from agent.web.words import Words

ROOT = Path(__file__).parents[3]
ZONE = ZoneInfo("Europe/Berlin")
OTHERS = [language for language in LANGUAGES if language != ENGLISH]


def nodes() -> Iterator[ast.AST]:
    for room in ("agent", "integrations/tariffs", "integrations/devices"):
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text())
            parts = {id(part) for node in ast.walk(tree) for part in _parts(node)}
            yield from (node for node in ast.walk(tree) if id(node) not in parts)


def _parts(node: ast.AST) -> list[ast.expr]:
    """The pieces of text that are put together with values have no translation."""
    return node.values if isinstance(node, ast.JoinedStr) else []


@cache
def templates() -> frozenset[str]:
    """Of every `sentence("...")`, and everything that tells the owner what to do."""
    out = set()
    for node in nodes():
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "sentence"
            and isinstance(node.args[0], ast.Constant)
        ):
            out.add(str(node.args[0].value))
        elif isinstance(node, ast.Constant) and str(node.value).startswith(OWNER):
            out.add(str(node.value))
    return frozenset(out - {OWNER})


@cache
def constants() -> frozenset[str]:
    found = (node.value for node in nodes() if isinstance(node, ast.Constant))
    said = {plain_template(text) for text in found if isinstance(text, str)}
    return frozenset(said | counted() | recorded())


@cache
def counted() -> frozenset[str]:
    """What health counts, as its page shows it."""
    calls = (node for node in nodes() if isinstance(node, ast.Call))
    names = (
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "count"
        and ast.unparse(call.func.value).endswith("health")
        and isinstance(call.args[0], ast.Constant)
    )
    return frozenset(str(name).replace("_", " ") for name in names)


def recorded() -> frozenset[str]:
    """What is done about a tariff, as the security log has it."""
    deeds = ("tariff: connect {}", "tariff: cancel {}", "tariff: {}")
    return frozenset(text.format(direction) for text in deeds for direction in Direction)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_has_its_translation_with_the_same_places(language: str) -> None:
    known = sentences(language)
    assert len(templates()) > 50
    assert sorted(text for text in templates() if plain_template(text) not in known) == []
    assert [key for key, text in known.items() if places(key) != places(text)] == []
    assert len(counted()) > 10
    assert sorted((counted() | recorded()) - known.keys()) == []


def told_to_act() -> set[str]:
    """Who acts on what health says, where that is a text and no sentence."""
    out = set()
    for room in ("agent", "integrations"):
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text())
            named = {
                target.id: node.value
                for node in tree.body
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for call in ast.walk(tree):
                if not (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Attribute)
                    and call.func.attr in ("degraded", "failed")
                    and ast.unparse(call.func.value).endswith("health")
                    and len(call.args) > 2
                ):
                    continue
                who: ast.AST | None = call.args[2]
                if isinstance(who, ast.Name):
                    who = named.get(who.id)
                if isinstance(who, ast.Constant) and who.value:
                    out.add(str(who.value))
    return out


@pytest.mark.parametrize("language", OTHERS)
def test_whoever_acts_is_told_so_in_each_language(language: str) -> None:
    assert len(told_to_act()) > 3
    known = sentences(language)
    assert [text for text in told_to_act() if plain_template(text) not in known] == []


@pytest.mark.parametrize("kind", sorted(KEYS))
@pytest.mark.parametrize("found", ["maybe", 1e9, [1], {"a": 1}, True])
def test_what_cannot_be_read_reads_in_german(kind: str, found: object) -> None:
    for item in ReadState(json.dumps({kind: found, "at": found}).encode(), "t").unreadable:
        said = Words("de", ZONE).said(item.why)
        assert not any(is_english for _, is_english in said)
        assert said[0][0].startswith("ist ")
        assert not re.search(r"\b(is|expected|list|object|number)\b", said[0][0])


def test_a_sentence_gets_a_capital_and_a_key_none() -> None:
    german = Words("de", ZONE)
    unreadable = sentence("{kind} cannot be read: {why}", kind="plugged", why="x")
    assert german.begins_with_key(joined([unreadable, "more"]))
    assert german.begins_with_key("ready_by goes with target_soc_percent")
    told = sentence("power_w {told} is negative; it counts as given", told=5)
    assert german.begins_with_key(told)
    assert not german.begins_with_key(sentence("says {error}", error="E42"))
    plan = sentence("{mode} at {power} W", mode=sentence("discharge"), power=700)
    assert not german.begins_with_key(plan)
    assert not german.begins_with_key("no prices yet")


def test_devices_stand_on_pages_by_their_names() -> None:
    said = sentence(
        "without the agent {names} will not be charged: all of it would break the limit",
        names=device_names(["ev", "second_car"]),
    )
    assert said.startswith("without the agent ev, second_car will not be charged")
    for language in LANGUAGES:
        assert "EV, Second car" in Words(language, ZONE).plain(said)


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_stands_twice(language: str) -> None:
    pairs = json.loads((SENTENCES / f"{language}.json").read_text(), object_pairs_hook=list)
    names = [plain_template(name) for name, _ in pairs]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_of_what_nobody_says(language: str) -> None:
    assert sorted(set(sentences(language)) - constants()) == []


def test_what_is_refused_to_a_person_has_a_translation() -> None:
    """A text that is put together on the spot has none."""
    plain = []
    for path in sorted((ROOT / "agent/home").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused":
                said = node.args[0]
                if not (isinstance(said, ast.Call) and ast.unparse(said.func) != "str"):
                    plain.append(f"{path.name}:{node.lineno}")
    assert plain == []


@pytest.mark.parametrize(
    ("request_", "german"),
    [
        (b'{"target_soc_percent": 120}', "target_soc_percent: ist 120; höchstens 100"),
        (b'{"hours": "many"}', "hours: ist 'many'; erwartet wird eine Zahl"),
        (b'{"soc": 5, "hours": 0}', "hours: ist 0; mehr als 0; soc: ist nicht bekannt"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_in_german(request_: bytes, german: str) -> None:
    with pytest.raises(Refused) as refused:
        read_request(request_)
    assert Words("de", ZONE).plain(refused.value.sentence) == german


def test_a_sentence_is_the_text_it_is() -> None:
    said = sentence("known prices ended at {ended}", ended="12:00")
    assert said == "known prices ended at 12:00"
    assert clean_text(said) is said
    assert Refused(said).sentence is said
    assert str(Refused(said)) == said
    assert joined(["a", "", "b"]) == "a; b"
    assert sentence("a brace { is no place") == "a brace { is no place"


def test_german_pages_speak_german_and_mark_what_they_cannot() -> None:
    german, english = Words("de", ZONE), Words("en", ZONE)
    why = sentence("import: {why}", why=sentence("no prices yet"))
    assert german.said(why) == [("Bezug: noch keine Preise", False)]
    assert english.said(why) == [("import: no prices yet", False)]
    both = joined([why, "the toaster is sad"])
    assert german.said(both) == [
        ("Bezug: noch keine Preise", False),
        ("the toaster is sad", True),
    ]
    assert german.plain(both) == "Bezug: noch keine Preise; the toaster is sad"
    # What the other side says stands in it as it came, also where it looks like one of ours.
    quoted = sentence("not reached: {reason}", reason="import {x}")
    assert german.said(quoted) == [("nicht erreicht: import {x}", False)]


@pytest.mark.parametrize(
    "said", ["owner: look at the device", "look at the device", "Look at the device."]
)
def test_the_same_guidance_in_each_of_its_forms(said: str) -> None:
    """Also as plain text: so it comes from the database after a restart."""
    ((text, is_english),) = Words("de", ZONE).said(said)
    assert text.removesuffix(".") == "Sehen Sie nach dem Gerät"
    assert not is_english
    assert OWNER not in Words("en", ZONE).plain(said)


def test_numbers_and_times_in_sentences_are_as_each_language_writes_them() -> None:
    german, english = Words("de", ZONE), Words("en", ZONE)
    at = datetime(2026, 1, 16, 17, 0, tzinfo=UTC)
    limit = sentence(
        "the grid allows {power:g} kW until {at:%H:%M}", power=4.2, at=at.astimezone(ZONE)
    )
    assert limit == "the grid allows 4.2 kW until 18:00"
    assert german.plain(limit) == "das Netz erlaubt 4,2 kW bis 18:00"
    missing = sentence("{missing:.1f} kWh will be missing", missing=Decimal("7.14"))
    assert (missing, german.plain(missing)) == (
        "7.1 kWh will be missing",
        "7,1 kWh werden fehlen",
    )
    ended = sentence("known prices ended at {ended}", ended=at)
    assert ended == "known prices ended at 2026-01-16T17:00:00Z"
    assert german.plain(ended) == "bekannte Preise endeten um Fr 16.1. 18:00"
    assert english.plain(ended) == "known prices ended at Fri 16/1 18:00"
    hot = sentence("last hot for hygiene, or counted from, {day}", day=at.date())
    assert hot.endswith(" 2026-01-16")
    assert german.plain(hot).endswith(" 16.1.2026")


def test_a_plan_is_told_in_german_with_its_modes() -> None:
    said = sentence(
        "{mode} at {power} W from {start:%a %H:%M} until {end:%a %H:%M}",
        mode=sentence("charge"),
        power=11_000,
        start=datetime(2026, 1, 16, 22, tzinfo=ZONE),
        end=datetime(2026, 1, 17, 2, tzinfo=ZONE),
    )
    assert said == "charge at 11000 W from Fri 22:00 until Sat 02:00"
    assert Words("de", ZONE).plain(said) == "laden mit 11000 W von Fr 22:00 bis Sa 02:00"
