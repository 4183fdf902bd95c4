"""Browsers in which somebody has logged in before: told by a cookie that outlives the session.

It opens nothing. Its tries are counted by themselves, so that nobody else's wrong passwords, from
however many addresses, keep the owner out (OWASP: device cookies). The cookie is an id with its
keyed hash; only the key is stored, and a new key makes every browser a stranger.
"""

import hashlib
import hmac
import secrets

from agent.store import REPLACE_FACT, Store

KEY = "web.known_browsers"
MOST_COOKIE = 120


class KnownBrowsers:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.get_value(KEY) or ""
        if not self._key:
            self.forget_all()

    def forget_all(self) -> None:
        self._key = secrets.token_urlsafe(32)
        self._store.submit((REPLACE_FACT, (KEY, self._key)))

    def issue(self) -> str:
        """A new browser's cookie."""
        name = secrets.token_urlsafe(12)
        return f"{name}.{self._sign(name)}"

    def name_of(self, cookie: str) -> str:
        """Which of the known browsers has this cookie; empty where none has."""
        if len(cookie) > MOST_COOKIE:
            return ""
        name, _, signature = cookie.partition(".")
        fits = hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(name).encode())
        return name if fits else ""

    def _sign(self, name: str) -> str:
        text = name.encode("utf-8", "replace")
        return hmac.new(self._key.encode(), text, hashlib.sha256).hexdigest()
