"""Addresses a browser may be sent to."""

import re
from urllib.parse import urlsplit

from agent.energy.urls import with_parameters

MAX_ADDRESS = 2000
# What a browser would run or read instead of going there.
FORBIDDEN = {"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def is_address(text: object) -> bool:
    """A web page or an app's deep link, nothing that a browser would run."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_ADDRESS:
        return False
    if not text.isascii() or not text.isprintable() or set(text) & set(" \"'<>\\"):
        return False
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        return bool(host) and parts.username is None
    return bool(_SCHEME.fullmatch(parts.scheme)) and parts.scheme not in FORBIDDEN


def with_parameter(address: str, name: str, value: str) -> str:
    """The address with this query parameter, once; other parameters stay as they are."""
    return with_parameters(address, {name: value})
