"""Schedules under two limits: one of the whole house, and one of some of its devices. Pure.

Under §14a EnWG the grid's limit binds the controllable devices alone, while the house has a limit
of its own. Each is held by the rules of `limit`, the group's first; what the house's then leaves of
a schedule is nowhere more than what the group's was counted with.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from agent.dispatch.limit import NO_LOADS, curtailed, granted
from agent.dispatch.published import Published
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Schedule
from agent.energy.steps import Steps

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class GroupHeadroom:
    """`power_w` is what those devices may draw together at each instant."""

    power_w: Steps
    devices: frozenset[str]

    def among(self, given: Mapping[str, Item]) -> dict[str, Item]:
        return {name: item for name, item in given.items() if name in self.devices}


def granted_in_both(
    profiles: Mapping[str, DeviceProfile],
    published: Mapping[str, Published],
    wanted: Mapping[str, Schedule],
    headroom: Steps,
    now: int,
    beside: Mapping[str, Steps] = NO_LOADS,
    group: GroupHeadroom | None = None,
) -> tuple[dict[str, Schedule], frozenset[str]]:
    """What may be published now of what is wanted, and who does not get all of it yet."""
    waiting: Collection[str] = ()
    if group is not None:
        fits, waiting = granted(
            profiles,
            group.among(published),
            group.among(wanted),
            group.power_w,
            now,
            group.among(beside),
        )
        wanted = {**wanted, **fits}
    out, more = granted(profiles, published, wanted, headroom, now, beside)
    return out, more.union(waiting)


def curtailed_in_both(
    profiles: Mapping[str, DeviceProfile],
    published: Mapping[str, Published],
    headroom: Steps,
    unswitchable: Iterable[str],
    now: int,
    beside: Mapping[str, Steps] = NO_LOADS,
    group: GroupHeadroom | None = None,
) -> dict[str, Schedule]:
    """Of what devices hold, the schedules that have to be lower for a limit; no others."""
    fixed, lower = set(unswitchable), {}
    if group is not None:
        lower = curtailed(
            profiles,
            group.among(published),
            group.power_w,
            fixed & group.devices,
            now,
            group.among(beside),
        )
        held = {name: replace(published[name], latest=item) for name, item in lower.items()}
        published = {**published, **held}
    return {**lower, **curtailed(profiles, published, headroom, fixed, now, beside)}
