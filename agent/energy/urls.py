"""Addresses of the web as text. Pure.

Nothing is taken apart and put together again: what stays keeps every byte.
"""

from collections.abc import Mapping
from urllib.parse import quote, unquote_plus, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


def with_parameters(url: str, added: Mapping[str, str]) -> str:
    """The address with these query parameters, each once; the others stay as they are written."""
    front, hash_sign, fragment = url.partition("#")
    path, _, query = front.partition("?")
    kept = [
        part
        for part in query.split("&")
        if part and unquote_plus(part.partition("=")[0]) not in added
    ]
    kept += [f"{name}={quote(value, safe='')}" for name, value in added.items()]
    return f"{path}?{'&'.join(kept)}{hash_sign}{fragment}"


def same_page(one: str, other: str) -> bool:
    """Are both the same page, however they are written? Query and fragment are left out."""
    return (found := _page(one)) is not None and found == _page(other)


def _page(url: str) -> tuple[str, str, int | None, tuple[str, ...]] | None:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    steps: list[str] = []
    for step in unquote_plus(parts.path).split("/"):
        if step == "..":
            del steps[-1:]
        elif step not in ("", "."):
            steps.append(step)
    return parts.scheme, host, port, tuple(steps)
