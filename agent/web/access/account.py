"""The one account of the house: unclaimed, or with a password."""

from agent.store import REPLACE_FACT, Store
from agent.web.access.passwords import Passwords

PASSWORD = "web.password"


class Account:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._passwords = Passwords()
        self._stored = store.get_value(PASSWORD) or ""

    @property
    def claimed(self) -> bool:
        return bool(self._stored)

    async def set_password(self, password: str) -> bool:
        """True where it is on the disk, False where it holds until the next start. Raises Busy."""
        self._stored = await self._passwords.hash(password)
        return await self._store.write((REPLACE_FACT, (PASSWORD, self._stored)))

    async def is_right(self, password: str) -> bool:
        """Raises Busy."""
        return self.claimed and await self._passwords.fits(password, self._stored)
