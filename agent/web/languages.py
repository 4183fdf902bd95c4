"""The words of the pages, a folder a language and in it a file a page.

A key is the file's name, a dot and a word. English is what every other language falls back to.
What the agent says itself (`agent.energy.sentences`) is English and is looked up by its template in
a file a language of `sentences/`.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).parent / "texts"
SENTENCES = Path(__file__).parent / "sentences"
OWNER = "owner: "
ENGLISH = "en"
LANGUAGES = tuple(sorted(path.name for path in TEXTS.iterdir() if path.is_dir()))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of one language. Reads files at the first call, which `routes.prepare` makes."""
    out: dict[str, str] = {}
    for path in sorted((TEXTS / language).glob("*.json")):
        texts = json.loads(path.read_text(encoding="utf-8"))
        out |= {f"{path.stem}.{key}": text for key, text in texts.items()}
    return out


@cache
def texts(language: str) -> Mapping[str, str]:
    """The same, with what the language lacks in English."""
    return {**catalogue(ENGLISH), **catalogue(language)}


@cache
def sentences(language: str) -> Mapping[str, str]:
    """By templates as `plain_template` writes them. Reads a file as `catalogue` does."""
    path = SENTENCES / f"{language}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {plain_template(key): text for key, text in found.items()}


def plain_template(template: str) -> str:
    """The same however it stands: to the owner, as a whole sentence, amid a line."""
    text = template.removeprefix(OWNER).removesuffix(".")
    return text[:1].lower() + text[1:]


def preferred(accept_language: str) -> str:
    """The language of ours that the header of a browser asks for first."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:200].split(","):
        name, _, weight = part.strip().partition(";q=")
        try:
            value = float(weight or 1)
        except ValueError:
            value = 0.0
        wanted.append((-value, name.split("-")[0].lower()))
    return next((name for _, name in sorted(wanted, key=_weight) if name in LANGUAGES), ENGLISH)


def _weight(item: tuple[float, str]) -> float:
    return item[0]
