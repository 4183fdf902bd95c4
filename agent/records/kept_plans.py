"""The Situations behind published plans, as the running agent keeps them for two weeks."""

import zlib
from datetime import datetime
from typing import Any

from agent.energy.instants import to_unix_floor
from agent.store import Store

NEWEST = "SELECT situation FROM plans WHERE made_at <= ? ORDER BY made_at DESC LIMIT 1"


def read_situation(store: Store, until: datetime) -> str | None:
    """The JSON document behind the newest plan made up to then; None where none is kept."""
    found = store.rows(NEWEST, (to_unix_floor(until),), _unpacked)
    return found[0] if found else None


def _unpacked(row: tuple[Any, ...]) -> str:
    try:
        return zlib.decompress(row[0]).decode()
    except zlib.error as error:
        raise ValueError(str(error)) from error
