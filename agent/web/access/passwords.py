"""The owner's password as scrypt of the standard library, computed beside the event loop.

16 MB and about a quarter of a second of one core each (RFC 7914; N 2^14, r 8, p 5, which costs an
attacker as much as the 128 MB that a gateway does not have). One at a time, so that a flood of
log-ins neither fills the memory nor takes the planner's cores.
"""

import asyncio
import base64
import hashlib
import secrets
import unicodedata
from functools import partial

SCHEME = "scrypt"
COST_LOG2, BLOCK, PARALLEL = 14, 8, 5
SALT_BYTES = KEY_BYTES = 32
MAX_MEMORY_BYTES = 64 * 1024 * 1024
LEAST_LENGTH, MOST_LENGTH = 10, 200
MOST_WAITING = 8


class Busy(Exception):
    """So many wait already that this one is not computed; to be tried again later."""


class Passwords:
    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The text to store. Raises Busy."""
        salt = secrets.token_bytes(SALT_BYTES)
        key = await self._derive(password, salt, COST_LOG2, BLOCK, PARALLEL)
        parts = (SCHEME, str(COST_LOG2), str(BLOCK), str(PARALLEL), _text(salt), _text(key))
        return "$".join(parts)

    async def fits(self, password: str, stored: str) -> bool:
        """Raises Busy. What was stored in another form fits nothing."""
        try:
            scheme, cost, block, parallel, salt, key = stored.split("$")
            wanted = base64.b64decode(key, validate=True)
            numbers = int(cost), int(block), int(parallel)
            given = base64.b64decode(salt, validate=True)
        except ValueError:
            return False
        if scheme != SCHEME or numbers != (COST_LOG2, BLOCK, PARALLEL):
            return False
        return secrets.compare_digest(await self._derive(password, given, *numbers), wanted)

    async def _derive(
        self, password: str, salt: bytes, cost: int, block: int, parallel: int
    ) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._turn:
                derive = partial(
                    hashlib.scrypt,
                    _same(password),
                    salt=salt,
                    n=2**cost,
                    r=block,
                    p=parallel,
                    maxmem=MAX_MEMORY_BYTES,
                    dklen=KEY_BYTES,
                )
                return await asyncio.to_thread(derive)
        finally:
            self._waiting -= 1


def _same(password: str) -> bytes:
    """One form for what looks the same, whatever keyboard it came from."""
    text = unicodedata.normalize("NFKC", password[:MOST_LENGTH])
    return text.encode("utf-8", "replace")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
