"""Who asks, behind load balancers or without: the address that counts tries and is recorded."""

import re
from ipaddress import ip_address

from aiohttp import web

# What proxies write beside an address: `[2001:db8::1]:443`, `192.0.2.1:443`, `"[2001:db8::1]"`.
BRACKETED = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?")
WITH_PORT = re.compile(r"([0-9.]+):\d{1,5}")


def client_address(request: web.Request, proxies: int) -> str:
    """Of X-Forwarded-For only what our own `proxies` have added counts, however it is spread over
    lines; who came by fewer of them, or as nonsense, is known by the connection's own address.
    """
    lines = request.headers.getall("X-Forwarded-For", ())
    named = [part for line in lines for part in line.split(",")]
    if proxies and len(named) >= proxies and (found := _address(named[-proxies])):
        return found
    return request.remote or ""


def _address(text: str) -> str:
    """As it is written canonically; empty where it is none."""
    text = text.strip().strip('"')
    for pattern in (BRACKETED, WITH_PORT):
        if (match := pattern.fullmatch(text)) is not None:
            text = match[1]
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return ""
