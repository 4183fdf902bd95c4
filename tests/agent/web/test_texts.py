"""The words of the pages: every language has all of them, and every one that is asked for."""

import json
import re
import string
from pathlib import Path

import pytest

from agent.energy.schedule import MODES
from agent.home.kinds import KINDS
from agent.web.access.security_log import KINDS as SECURITY_KINDS
from agent.web.claim_code import Answer
from agent.web.languages import ENGLISH, LANGUAGES, TEXTS, catalogue
from agent.web.pages import MENU, PAGES
from agent.web.pages.home import DURATIONS_MIN
from agent.web.settings import WebSection

WEB = TEXTS.parent
SOURCES = sorted([*WEB.rglob("*.py"), *WEB.rglob("*.html")])
NAMES = {path.stem for path in (TEXTS / ENGLISH).glob("*.json")}
ASKED = re.compile(rf"""["']((?:{"|".join(sorted(NAMES))})\.[a-z0-9_]+)["']""")
OTHERS = [language for language in LANGUAGES if language != ENGLISH]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_has_the_same_keys_and_places(language: str) -> None:
    english, other = catalogue(ENGLISH), catalogue(language)
    assert sorted(english) == sorted(other)
    for key, text in english.items():
        assert places(text) == places(other[key]), key
        assert other[key].strip(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_stands_twice(language: str) -> None:
    for path in (TEXTS / language).glob("*.json"):
        pairs = json.loads(path.read_text(), object_pairs_hook=list)
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), path.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_text_that_is_asked_for_is_there(path: Path) -> None:
    """One that ends in _ is the beginning of some."""
    known = catalogue(ENGLISH)
    asked = {key for key in ASKED.findall(path.read_text()) if not key.endswith((".html", ".json"))}
    begun = {key for key in asked if key.endswith("_")}
    assert asked - begun - set(known) == set()
    assert [start for start in begun if not any(key.startswith(start) for key in known)] == []


def test_every_text_that_is_put_together_is_there() -> None:
    modes = {mode for words in MODES.values() for mode in words}
    wanted = [f"device.kind_{kind}" for kind in KINDS]
    wanted += [f"device.do_{mode}" for mode in modes]
    wanted += [
        f"device.mode_{mode}{more}" for mode in modes for more in ("", "_until", "_power_until")
    ]
    wanted += [f"events.kind_{kind}" for kind in SECURITY_KINDS]
    wanted += [f"home.minutes_{minutes}" for minutes in DURATIONS_MIN]
    wanted += [f"claim.{answer}" for answer in Answer if answer is not Answer.RIGHT]
    wanted += [f"{page.name}.title" for page in PAGES] + [f"{page.name}.menu" for page in MENU]
    wanted += [f"words.weekday_{number}" for number in range(7)]
    assert [key for key in wanted if key not in catalogue(ENGLISH)] == []


def test_the_config_knows_the_languages_that_there_are() -> None:
    assert WebSection(language="de").language == "de"
    with pytest.raises(ValueError, match="expected auto, de or en"):
        WebSection(language="fr")
