"""How secrets are kept: passwords by scrypt, tokens of full strength by SHA-256."""

import asyncio
import base64
import hashlib
import hmac
import os
import secrets

# RFC 7914's own cost for logins, about 40 ms and 16 MB each.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**14, 8, 1
TOKEN_BYTES = 32
# Where 200 people sign in at once, the memory is that of a few.
AT_ONCE = 4
LONGEST_PASSWORD = 1024


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> str:
    """For a secret of full strength, which nobody finds by trying."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def hash_password(password: str, salt: bytes | None = None) -> str:
    salt = os.urandom(16) if salt is None else salt
    key = _scrypt(password, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
    parts = (salt, key)
    encoded = "$".join(base64.b64encode(part).decode() for part in parts)
    return f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${encoded}"


def is_password_hash(text: str) -> bool:
    """Is it what `hash_password` writes, with a cost that a server can bear?"""
    parts = text.split("$")
    if len(parts) != 6 or parts[0] != "scrypt" or not all(part.isdecimal() for part in parts[1:4]):
        return False
    n, r, p = map(int, parts[1:4])
    try:
        salt, key = (base64.b64decode(part, validate=True) for part in parts[4:])
    except ValueError:
        return False
    return (
        n & (n - 1) == 0
        and n >= 2**12
        and n * r * 128 <= 2**26
        and 1 <= p <= 4
        and bool(salt and key)
    )


class PasswordChecker:
    """Checks passwords in threads. An unknown login takes as long as a known one."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._nobody = hash_password(new_token())

    async def check(self, password: str, stored: str | None) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        async with self._gate:
            good = await asyncio.to_thread(_matches, password, stored or self._nobody)
        return good and stored is not None


def _matches(password: str, stored: str) -> bool:
    if not is_password_hash(stored):
        return False
    _, n, r, p, salt, key = stored.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(key))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "replace"), salt=salt, n=n, r=r, p=p, maxmem=2**27, dklen=32
    )
