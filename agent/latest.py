"""A value of which only the newest matters, and a way to wait for the next one."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestValue(Generic[T]):
    """Holds the newest value. Readers are woken by `set`; values in between may be missed.

    `version` grows with every `set`, so a reader knows what it has seen.
    """

    def __init__(self, value: T) -> None:
        self._value = value
        self._version = 0
        self._changed = asyncio.Event()

    @property
    def value(self) -> T:
        return self._value

    @property
    def version(self) -> int:
        return self._version

    def set(self, value: T) -> None:
        self._value = value
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def newer_than(self, version: int) -> T:
        """The newest value as soon as its version is above `version`."""
        while self._version <= version:
            await self._changed.wait()
        return self._value
