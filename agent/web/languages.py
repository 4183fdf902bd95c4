"""The words of the pages, a folder a language and in it a file a page.

A key is the file's name, a dot and a word. English is what every other language falls back to.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).parent / "texts"
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
