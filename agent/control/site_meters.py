"""The meters that are only read: what the house takes from the grid, what its roof gives."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.config.site import SiteSection
from agent.energy.profile import DeviceProfile
from agent.energy.readings import Reading, Unreadable, UnreadableMessage
from agent.energy.sentences import sentence
from agent.health import Health
from agent.home.kinds.meter import MeterRole
from agent.ports import Decoded, UntimedReading

# A meter that has told nothing for so long tells nothing of now.
TELLS_WITHIN = timedelta(minutes=15)
# Three phases of 63 A.
USUAL_MOST_W = 43_500.0
# Fuses and breakers carry more than they should for a while, inverters stand beside each other.
BEYOND = 2.0
ACTION_PUBLISH = "owner: connect the meter to the broker; it publishes power_w on its state"
ACTION_INSPECT = "owner: look at the meter"
ACTION_AWAIT = "owner: wait for its next message, or have it publish at, the time of its reading"


@dataclass(slots=True)
class SiteMeters:
    """`roles` of all that tells a power of the site, by its id; `only_read` is nothing but a meter.

    `on_power(role, at)` is called after a power that one of them told; above `most_w` none can be.
    """

    roles: Mapping[str, MeterRole]
    only_read: frozenset[str]
    health: Health
    on_power: Callable[[MeterRole, datetime], None] = lambda role, at: None
    most_w: float = math.inf
    _powers: dict[str, Reading] = field(default_factory=dict, init=False)
    _unreadable: dict[str, str] = field(default_factory=dict, init=False)
    _unbelieved: dict[str, float] = field(default_factory=dict, init=False)
    # Heard of, but nobody knows when what they said was true.
    _undated: set[str] = field(default_factory=set, init=False)

    def __contains__(self, name: str) -> bool:
        return name in self.roles

    def has(self, role: MeterRole) -> bool:
        return role in self.roles.values()

    def on_decoded(self, name: str, item: Decoded, now: datetime, *, retained: bool) -> None:
        """One thing that the meter said; only its power counts."""
        if isinstance(item, Unreadable) and item.kind == "power_w":
            self._unreadable[name] = sentence(
                "{kind} cannot be read: {why}", kind="power_w", why=item.why
            )
        elif isinstance(item, UnreadableMessage) and not item.over:
            self._unreadable[name] = sentence(
                "what it says on {topic} cannot be read; the log says more", topic=item.topic
            )
        elif isinstance(item, Reading | UntimedReading) and item.kind == "power_w":
            self._unreadable.pop(name, None)
            self._unbelieved.pop(name, None)
            if abs(float(item.value)) > self.most_w:
                # What it told before holds no longer than if it had said nothing.
                self._unbelieved[name] = float(item.value)
            elif isinstance(item, UntimedReading) and retained:
                self._undated.add(name)
            else:
                at = now if isinstance(item, UntimedReading) else min(item.at, now)
                self._take(name, Reading(item.kind, item.value, at))
        self._look(name, now)

    def _take(self, name: str, reading: Reading) -> None:
        old = self._powers.get(name)
        if old is None or reading.at >= old.at:
            self._powers[name] = reading
            self.on_power(self.roles[name], reading.at)

    def power_w(self, role: MeterRole, now: datetime) -> float | None:
        """The sum of the meters of that role; None where there is none or one of them is silent."""
        names = [name for name, known in self.roles.items() if known is role]
        told = [self._powers.get(name) for name in names]
        values = [
            float(reading.value)
            for reading in told
            if reading is not None and now - reading.at <= TELLS_WITHIN
        ]
        if not names or len(values) < len(names):
            return None
        # A roof draws a few watts at night; that is the house's.
        return sum(values) if role is MeterRole.GRID else max(0.0, sum(values))

    def forget(self) -> None:
        """What each told last counts no more: nobody knows when it was."""
        self._undated |= self._powers.keys()
        self._powers.clear()

    def last_told_w(self, role: MeterRole) -> float:
        """The sum of what they told last, however long ago; infinite where one never told."""
        names = [name for name, known in self.roles.items() if known is role]
        told = [self._powers.get(name) for name in names]
        return sum(math.inf if reading is None else float(reading.value) for reading in told)

    def look(self, now: datetime) -> None:
        """Say in health which of them tells nothing."""
        for name in self.only_read:
            self._look(name, now)

    def _look(self, name: str, now: datetime) -> None:
        if name not in self.only_read:
            return
        part, told = f"device:{name}", self._powers.get(name)
        if name in self._unreadable:
            self.health.degraded(part, self._unreadable[name], ACTION_INSPECT)
        elif name in self._unbelieved:
            why = sentence(
                "{found:.0f} W is not believed: a connection like this carries {most:.0f} W",
                found=self._unbelieved[name],
                most=self.most_w,
            )
            self.health.degraded(part, why, ACTION_INSPECT)
        elif told is None and name in self._undated:
            why = sentence("what it told last has no time that is known")
            self.health.degraded(part, why, ACTION_AWAIT)
        elif told is None:
            self.health.degraded(part, sentence("not heard from yet"), ACTION_PUBLISH)
        elif now - told.at > TELLS_WITHIN:
            self.health.degraded(part, sentence("has told no power for 15 minutes"), ACTION_INSPECT)
        else:
            self.health.ok(part)


def most_of_connection_w(site: SiteSection, profiles: Iterable[DeviceProfile]) -> float:
    """More than a house's connection carries, W, whatever is known of it.

    Generous: it is to tell an overflow or a wrong unit from a load.
    """
    devices_w = site.base_load_w + sum(profile.max_power_w for profile in profiles)
    roof_w = site.pv.peak_w if site.pv else 0
    return max(USUAL_MOST_W, BEYOND * max(site.import_limit_w or 0, devices_w, roof_w))
