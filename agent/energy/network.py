"""Network addresses as others write them. Pure."""

from ipaddress import IPv6Address, ip_address


def network_of(address: str) -> str:
    """What one household's machine cannot change at will: an IPv4 address, an IPv6 /64."""
    try:
        found = ip_address(address.split("%")[0])
    except ValueError:
        return "unknown"
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"
