"""The numbers of schedules: which are ours, which is the next, which acknowledged ones cannot be.

A revision is the Unix time at which it was given, or one more than the highest known: it can lie
ahead of the clock only by the count of revisions, or where a clock was wrong once. One that lies
further ahead than a day was never given. Believed, it would leave no room for greater ones in 32
bits, and with it a device would never take a schedule again.
"""

from dataclasses import dataclass, field

from agent.dispatch.schedules import next_revision
from agent.health import Health
from agent.records.device_store import DeviceStore

AHEAD_S = 86_400
# On the broker ours may stand of a life with another clock, but the end of 32 bits is nobody's.
LAST_PLAUSIBLE = 2**32 - 1_000_000
REMEMBERED = 16
TAKEN_BACK_EVERY_S = 86_400


@dataclass(slots=True)
class Revisions:
    """`highest` of a device is of all that was stored, retained or acknowledged."""

    store: DeviceStore
    health: Health
    _seen: dict[str, int] = field(default_factory=dict, init=False)
    _ours: dict[str, list[int]] = field(default_factory=dict, init=False)
    _unbelieved: dict[str, int] = field(default_factory=dict, init=False)
    _taken_back_at: dict[str, int] = field(default_factory=dict, init=False)

    def next(self, device: str, now: int) -> int:
        return next_revision(now, self._highest(device))

    def _highest(self, device: str) -> int:
        return max(self.store.schedules.highest_revision(device), self._seen.get(device, 0))

    def issued(self, device: str, revision: int) -> None:
        self._ours[device] = [*self._ours.get(device, [])[-REMEMBERED:], revision]
        self._note(device, revision)

    def is_ours(self, device: str, revision: int) -> bool:
        return revision in self._ours.get(device, ())

    def on_broker(self, device: str, revision: int) -> bool:
        """It stands there, or was published there; whether it can be."""
        if revision > LAST_PLAUSIBLE:
            return False
        self._note(device, revision)
        return True

    def acknowledged(self, device: str, revision: int, now: int) -> bool:
        """The device says that it holds it; whether that can be."""
        if revision > min(max(now, self._highest(device)) + AHEAD_S, LAST_PLAUSIBLE):
            self._unbelieved[device] = revision
            self.health.count("unbelieved_revisions")
            return False
        self._unbelieved.pop(device, None)
        self._note(device, revision)
        return True

    def take_back(self, device: str, now: int) -> bool:
        """It refuses ours for one that cannot be: is its schedule to be taken back for that?

        An empty payload lets it forget what it holds, whatever the number. Once a day: one that
        goes on to say so does not listen.
        """
        last = self._taken_back_at.get(device)
        if last is not None and last <= now < last + TAKEN_BACK_EVERY_S:
            return False
        self._taken_back_at[device] = now
        return True

    def problem(self, device: str) -> str | None:
        """What a person should know and do, where the device holds a number that cannot be."""
        revision = self._unbelieved.get(device)
        if revision is None:
            return None
        return (
            f"acknowledges revision {revision}, which it was never given, and may refuse ours for "
            "it: clear its retained ack and restart it"
        )

    def _note(self, device: str, revision: int) -> None:
        self._seen[device] = max(self._seen.get(device, 0), revision)
