"""Schedules under a site limit: what lowers goes first, what raises waits until it is obeyed. Pure.

The rule of the wire contract's section 2 ("Under a site limit"). It binds what is planned; a device
on its own logic does not know it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from agent.dispatch.schedules import DeviceProfile
from agent.energy.schedule import HEAT, OfflineRule, Schedule, ScheduleSlot

# One that never acknowledged counts as following what was published after this time.
ANSWERS_WITHIN_S = 60


def max_draw_w(profile: DeviceProfile, mode: str, power_w: int) -> int:
    """The most that a device takes when told so."""
    return profile.max_power_w if mode == "release" else max(0, power_w)


def increases(profile: DeviceProfile, old: Schedule | None, new: Schedule, now: int) -> bool:
    """Does the new schedule let the device take more at any instant from now on?"""
    return any(
        _draw_at(profile, new, at) > _draw_at(profile, old, at) for at in _instants(old, new, now)
    )


def decreases(profile: DeviceProfile, old: Schedule | None, new: Schedule, now: int) -> bool:
    return any(
        _draw_at(profile, new, at) < _draw_at(profile, old, at) for at in _instants(old, new, now)
    )


def minimum_of(profile: DeviceProfile, old: Schedule | None, new: Schedule, now: int) -> Schedule:
    """`new`, but at each instant no more than `old` lets the device take."""
    if old is None:
        return replace(new, slots=())
    slots: list[ScheduleSlot] = []
    instants = [*_instants(old, new, now), max(old.valid_until, new.valid_until)]
    for start, end in pairwise(instants):
        takes_less = _draw_at(profile, old, start) < _draw_at(profile, new, start)
        slot = (old if takes_less else new).slot_at(start)
        if slot is not None and end > start:
            energy = slot.energy_kwh * (end - start) / (slot.end - slot.start)
            energy = energy.quantize(Decimal("1e-6"))
            slots.append(replace(slot, start=start, end=end, energy_kwh=energy))
    return replace(new, slots=tuple(slots))


def _instants(old: Schedule | None, new: Schedule, now: int) -> list[int]:
    edges = {now}
    for schedule in (old, new):
        for slot in schedule.slots if schedule else ():
            edges |= {edge for edge in (slot.start, slot.end) if edge > now}
    return sorted(edges)


def _draw_at(profile: DeviceProfile, schedule: Schedule | None, at: int) -> int:
    if schedule is None:
        return 0
    slot = schedule.slot_at(at)
    if slot is not None:
        return max_draw_w(profile, slot.mode, slot.power_w)
    return max_draw_w(profile, schedule.default.mode, schedule.default.power_w)


def offline_draw_w(profile: DeviceProfile) -> int:
    """What the device may take when it is on its offline rule; heat its highest."""
    if profile.type in HEAT:
        return profile.max_power_w
    return max_draw_w(profile, profile.offline.mode, profile.offline.power_w)


def fit_offline_rules(
    profiles: Sequence[DeviceProfile], priorities: Mapping[str, int], limit_w: int, base_load_w: int
) -> tuple[dict[str, DeviceProfile], list[str]]:
    """Natures whose offline rules fit below the limit together, and whose rule became 0 W.

    The lowest priority gives way first. Heat cannot: its normal is its own.
    """
    out = {profile.id: profile for profile in profiles}
    reduced: list[str] = []
    for profile in sorted(profiles, key=lambda item: priorities[item.id]):
        if base_load_w + sum(map(offline_draw_w, out.values())) < limit_w:
            break
        if profile.type not in HEAT and offline_draw_w(profile) > 0:
            idle = OfflineRule(profile.offline.after_s, "idle", 0)
            out[profile.id] = replace(profile, offline=idle)
            reduced.append(profile.id)
    return out, reduced


@dataclass(slots=True)
class PendingReductions:
    """Who was told to take less and has not acknowledged it: revision and since when."""

    _waiting: dict[str, tuple[int, int]] = field(default_factory=dict)

    def lowered(self, device: str, revision: int, now: int) -> None:
        self._waiting[device] = (revision, now)

    def acknowledged(self, device: str, revision: int) -> bool:
        """True where that was what somebody waited for."""
        held = self._waiting.get(device)
        if held is None or revision < held[0]:
            return False
        del self._waiting[device]
        return True

    def overdue(self, now: int) -> list[str]:
        """Who has let the time pass; they are not waited for any more."""
        late = [name for name, (_, at) in self._waiting.items() if now - at >= ANSWERS_WITHIN_S]
        for name in late:
            del self._waiting[name]
        return late

    @property
    def waits_until(self) -> int | None:
        """When the first of them is not waited for any more."""
        return min((at + ANSWERS_WITHIN_S for _, at in self._waiting.values()), default=None)

    @property
    def complete(self) -> bool:
        return not self._waiting
