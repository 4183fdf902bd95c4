"""Devices that hold a higher revision than ours, and take none of ours until it is higher. Pure.

Of an earlier life whose last schedule could not be stored, or of another agent.
"""

from dataclasses import dataclass, field

# Somebody who always holds a higher revision than ours is answered by a higher one so often.
OUTBID_EVERY_S = 1200


@dataclass(slots=True)
class Outbid:
    """From when on each of them is to be given its schedule anew, in Unix seconds."""

    _due: dict[str, int] = field(default_factory=dict)
    _answered_at: dict[str, int] = field(default_factory=dict)

    def seen(self, device: str, revision: int, ours: int, now: int) -> bool:
        """The device, or the broker for it, has that revision; whether that is news to us."""
        if revision <= ours or device in self._due:
            return False
        last = self._answered_at.get(device)
        waits = last is not None and last <= now < last + OUTBID_EVERY_S
        self._due[device] = last + OUTBID_EVERY_S if last is not None and waits else now
        return True

    def due_at(self, device: str) -> int | None:
        return self._due.get(device)

    def answered(self, device: str, now: int) -> None:
        """It was given a higher one."""
        if self._due.pop(device, None) is not None:
            self._answered_at[device] = now

    def forget(self, device: str) -> None:
        self._due.pop(device, None)
