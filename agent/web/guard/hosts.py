"""Which names in `Host` are ours.

An answer to any other would let a page of the internet that points its own name at this machine
(DNS rebinding) read what we say. An address in digits is no name that anybody could point here.
"""

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

LOOPBACK_NAMES = ("localhost",)
HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9.-]+))(?::\d{1,5})?")


class Hosts:
    """`names` are those of the config, besides the machine's own."""

    def __init__(self, names: Iterable[str], hostname: str | None = None) -> None:
        own = (hostname if hostname is not None else socket.gethostname()).split(".")[0].lower()
        ours = {*LOOPBACK_NAMES, *(name.lower() for name in names)}
        if own:
            ours |= {own, f"{own}.local"}
        self._ours = frozenset(ours)

    def is_ours(self, header: str) -> bool:
        found = HOST.fullmatch(header)
        if found is None:
            return False
        if found["six"] is not None:
            return _is_address(found["six"])
        name = found["name"].removesuffix(".").lower()
        return name in self._ours or _is_address(name)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    try:
        found = ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


def is_near(remote: str, own: str) -> bool:
    """Is `remote` in the house: no public address, or of the same IPv6 network as our own?"""
    try:
        there, here = ip_address(remote.split("%")[0]), ip_address(own.split("%")[0])
    except ValueError:
        return False
    if isinstance(there, IPv6Address) and there.ipv4_mapped is not None:
        return not there.ipv4_mapped.is_global
    if not there.is_global:
        return True
    both_six = isinstance(there, IPv6Address) and isinstance(here, IPv6Address)
    return both_six and int(there) >> 64 == int(here) >> 64
