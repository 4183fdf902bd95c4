"""The releases of FlatPeak's HTTP API, as the version string in the config names them."""

from enum import StrEnum


class Release(StrEnum):
    ZERO = "zero"
    ANODE = "anode"
    BUSBAR = "busbar"


def release_of(version: str) -> Release:
    """By the name in it, such as `2025-09-14.anode`; Zero where it has none that is known."""
    named = (release for release in Release if release in version.lower())
    return next(named, Release.ZERO)
