"""Sentences of the agent's own: English text that still knows how it was made. Pure.

They are stored, published and compared as the text they are. Pages that speak another language look
the template up in its catalogue (`agent/web/sentences/`), and show the English where there is none.
"""

from collections.abc import Iterable, Mapping, Sequence


class Sentence(str):
    """`template` with `values` in its places; or `parts`, joined by `"; "`."""

    __slots__ = ("parts", "template", "values")
    template: str
    values: Mapping[str, object]
    parts: Sequence[str]


def sentence(template: str, **values: object) -> Sentence:
    """`values` may be sentences themselves."""
    made = Sentence(template.format_map(values) if values else template)
    made.template, made.values, made.parts = template, values, ()
    return made


def joined(parts: Iterable[str]) -> Sentence:
    found = tuple(part for part in parts if part)
    made = Sentence("; ".join(found))
    made.template, made.values, made.parts = "", {}, found
    return made
