"""pydantic's errors in one sentence for whoever sent what was wrong."""

from typing import Any

from pydantic import ValidationError

from agent.energy.sentences import Sentence, joined, sentence
from agent.energy.text import clean_text

SHOWN_CHARACTERS = 40


def explain(error: ValidationError, whole: str) -> Sentence:
    """Each fault with its key, what was found and what would be right; `whole` names the input."""
    items = error.errors(include_url=False)
    return joined(_sentence(item, whole) for item in items[:5])


def _sentence(item: Any, whole: str) -> Sentence:
    key = ".".join(clean_text(str(part), SHOWN_CHARACTERS) for part in item["loc"]) or whole
    found = item.get("input")
    if item["type"] == "extra_forbidden":
        return sentence("{key}: is not known", key=key)
    right = _right(item)
    if item["loc"] and isinstance(found, str | int | float | bool):
        shown = clean_text(repr(found), SHOWN_CHARACTERS)
        return sentence("{key}: is {found}; {right}", key=key, found=shown, right=right)
    return sentence("{key}: {right}", key=key, right=right)


def _right(item: Any) -> str:
    """What would be right; what only firmware can get wrong is in pydantic's own words."""
    limits = item.get("ctx", {})
    match item["type"]:
        case "greater_than_equal":
            return sentence("expected at least {least:g}", least=limits["ge"])
        case "greater_than":
            return sentence("expected more than {least:g}", least=limits["gt"])
        case "less_than_equal":
            return sentence("expected at most {most:g}", most=limits["le"])
        case "float_type" | "int_type" | "float_parsing" | "int_parsing" | "finite_number":
            return sentence("expected a number")
    message = item["msg"].removeprefix("Value error, ")
    return clean_text(f"{message[:1].lower()}{message[1:]}")
