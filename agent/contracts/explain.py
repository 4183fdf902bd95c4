"""pydantic's errors in one sentence for whoever sent what was wrong."""

from typing import Any

from pydantic import ValidationError

from agent.energy.text import clean_text

SHOWN_CHARACTERS = 40


def explain(error: ValidationError, whole: str) -> str:
    """Each fault with its key, what was found and what would be right; `whole` names the input."""
    items = error.errors(include_url=False)
    return "; ".join(_sentence(item, whole) for item in items[:5])


def _sentence(item: Any, whole: str) -> str:
    key = ".".join(clean_text(str(part), SHOWN_CHARACTERS) for part in item["loc"]) or whole
    message = item["msg"].removeprefix("Value error, ")
    message = clean_text(f"{message[:1].lower()}{message[1:]}")
    found = item.get("input")
    if item["type"] == "extra_forbidden":
        return f"{key}: is not known"
    if item["loc"] and isinstance(found, str | int | float | bool):
        return f"{key}: is {clean_text(repr(found), SHOWN_CHARACTERS)}; {message}"
    return f"{key}: {message}"
