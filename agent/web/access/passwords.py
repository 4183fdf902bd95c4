"""The owner's password as scrypt of the standard library, computed in a process of its own.

16 MB and about a quarter of a second of one core each (RFC 7914; N 2^14, r 8, p 5, which costs an
attacker as much as the 128 MB that a gateway does not have). Within the agent the C library would
keep the 16 MB after the second log-in. One at a time and of low priority, so that a flood of
log-ins neither fills the memory nor takes the planner's cores.
"""

import asyncio
import base64
import contextlib
import logging
import secrets
import sys
import unicodedata

log = logging.getLogger(__name__)

SCHEME = "scrypt"
COST_LOG2, BLOCK, PARALLEL = 14, 8, 5
SALT_BYTES = KEY_BYTES = 32
LEAST_LENGTH, MOST_LENGTH = 10, 200
MOST_WAITING = 8
TIMEOUT_S = 30.0
# A service's sandbox may forbid to be nicer. Salt and password come on stdin: what stands in a
# command line everybody on the machine can read.
PROGRAM = """
import hashlib, os, sys
try:
    os.nice(10)
except OSError:
    pass
cost, block, parallel, salt_bytes, key_bytes = map(int, sys.argv[1:])
given = sys.stdin.buffer.read()
sys.stdout.buffer.write(hashlib.scrypt(given[salt_bytes:], salt=given[:salt_bytes], n=2**cost,
    r=block, p=parallel, maxmem=2**26, dklen=key_bytes))
"""


class Busy(Exception):
    """Cannot be computed now, as when many wait already; to be tried again later."""


class Passwords:
    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """The text to store. Raises Busy."""
        salt = secrets.token_bytes(SALT_BYTES)
        key = await self._derive(password, salt)
        numbers = str(COST_LOG2), str(BLOCK), str(PARALLEL)
        return "$".join((SCHEME, *numbers, _text(salt), _text(key)))

    async def fits(self, password: str, stored: str) -> bool:
        """Raises Busy. What was stored in another form fits nothing."""
        try:
            scheme, cost, block, parallel, salt, key = stored.split("$")
            wanted = base64.b64decode(key, validate=True)
            numbers = int(cost), int(block), int(parallel)
            given = base64.b64decode(salt, validate=True)
        except ValueError:
            return False
        if (scheme, *numbers) != (SCHEME, COST_LOG2, BLOCK, PARALLEL) or len(given) != SALT_BYTES:
            return False
        return secrets.compare_digest(await self._derive(password, given), wanted)

    async def _derive(self, password: str, salt: bytes) -> bytes:
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._turn:
                return await _derived(salt + _same(password))
        finally:
            self._waiting -= 1


async def _derived(given: bytes) -> bytes:
    numbers = COST_LOG2, BLOCK, PARALLEL, SALT_BYTES, KEY_BYTES
    pipe = asyncio.subprocess.PIPE
    try:
        # Isolated: neither the environment nor the folder it is started in change what it does.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", PROGRAM, *map(str, numbers)),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise Busy from error
    try:
        async with asyncio.timeout(TIMEOUT_S):
            key, _ = await process.communicate(given)
    except TimeoutError:
        raise Busy from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if len(key) != KEY_BYTES:
        log.error("no password can be checked: Python ended with %s", process.returncode)
        raise Busy
    return key


def _same(password: str) -> bytes:
    """One form for what looks the same, whatever keyboard it came from."""
    text = unicodedata.normalize("NFKC", password[:MOST_LENGTH])
    return text.encode("utf-8", "replace")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
