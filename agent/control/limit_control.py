"""What holds while the house may draw only so much: headroom, boosts, obeying, the record.

The rules are those of the wire contract's sections 2 ("Under a site limit") and 2a.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.control.boosts import allocated_in_both, boosts, running_programs, unswitchable
from agent.control.device_manager import DeviceManager
from agent.control.least_times import waiting
from agent.control.site import Site
from agent.control.untold_loads import UntoldLoads
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.group_limit import GroupHeadroom
from agent.dispatch.limit import rises
from agent.dispatch.published import NOTHING
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.sentences import joined, sentence
from agent.energy.situation import Storage
from agent.energy.steps import Steps, combined
from agent.home.grid_limit import UNLIMITED_W
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput
from agent.home.situation import boosted
from agent.records.limit_log import LimitLog


@dataclass(slots=True)
class LimitControl:
    """Asked by the controller; nothing here waits."""

    site: Site
    devices: DeviceManager
    dispatcher: Dispatcher
    limit_log: LimitLog
    profiles: Mapping[str, DeviceProfile]
    _untold: UntoldLoads = field(init=False)
    _staying: dict[str, Steps] = field(default_factory=dict, init=False)
    # Why what a person asked for gets less or comes later, and who wants it now.
    _why_less: dict[str, str] = field(default_factory=dict, init=False)
    _boosting: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        self.limit_log.measure = self._powers_w
        self._untold = UntoldLoads(
            self.profiles, self.dispatcher.holdings.told_most, self.dispatcher.holdings.told_at
        )

    def headroom(self, now: datetime) -> Steps | None:
        """What schedules may add up to: a program under way draws beside them."""
        headroom = self.site.headroom()
        if headroom is None:
            return None
        loads = running_programs(self.profiles, self._models(), now)
        return combined([headroom, loads], lambda pair: max(0.0, pair[0] - pair[1]))

    def group(self, now: datetime) -> GroupHeadroom | None:
        """What schedules of devices that the grid's limit alone binds may add up to."""
        group = self.site.group_headroom()
        if group is None:
            return None
        profiles, models = group.among(self.profiles), group.among(self._models())
        return _beside(group, [running_programs(profiles, models, now)])

    def beside(self) -> dict[str, Steps]:
        """What devices draw whatever they are told, as it was looked at last."""
        out = self._untold.steps()
        for name, steps in self._staying.items():
            out[name] = combined([out[name], steps], max) if name in out else steps
        return out

    def look(self, names: Iterable[str], now: datetime) -> bool:
        """See what those devices draw whatever they are told; where it leaves others less, obey.

        True where it is another load than before, so that a new plan is due.
        """
        if not self.site.limited:
            return False
        second, before = to_unix_floor(now), self.beside()
        self._untold.look(self._models(), names, now)
        self._staying = self.dispatcher.holdings.staying()
        after = self.beside()
        if any(rises(steps, before.get(name, NOTHING), second) for name, steps in after.items()):
            self.curtail(now)
        return after != before

    def planned_before(self, inputs: Mapping[str, PlanningInput]) -> list[str]:
        """Whose draw has to be known before the others are planned: the grid's limit, which a
        Situation can only say of all devices together, does not bind them.

        Those that give power are planned with the others.
        """
        group = self.site.group_headroom()
        if group is None:
            return []
        return [
            name
            for name, item in inputs.items()
            if name not in group.devices
            and item.device is not None
            and not isinstance(item.device, Storage)
        ]

    def for_plan(
        self,
        inputs: Mapping[str, PlanningInput],
        now: datetime,
        others: Steps = NOTHING,
        *,
        unbound: bool = False,
    ) -> Steps | None:
        """What the house may import beside those who draw what nobody plans.

        `others` is what devices take that the grid's limit does not bind; `unbound`: the plan is
        theirs, so that only the limit of the whole house counts.
        """
        unplanned = {
            name: steps
            for name, steps in self.beside().items()
            if (item := inputs.get(name)) is None or (item.device is None and not boosts(item))
        }
        house, group = self.site.house_limit(), self.site.group_headroom()
        limits = [] if house is None else [_less(house, list(unplanned.values()))]
        if group is not None and not unbound:
            free = {name: item for name, item in inputs.items() if name not in group.devices}
            load = combined([others, boosted(free, to_unix_ceil(now))], sum)
            bound = self.site.import_for_group(group, load)
            limits.append(_less(bound, list(group.among(unplanned).values())))
        return combined(limits, min) if limits else None

    def within(
        self, inputs: Mapping[str, PlanningInput], now: datetime
    ) -> dict[str, PlanningInput]:
        """Boosts with the power that is left for them; said on the wish, as what has to wait."""
        headroom, models = self.site.headroom(), self._models()
        out, less = dict(inputs), dict.fromkeys(inputs, "")
        if headroom is not None:
            counted = set(unswitchable(self.profiles, models, now))
            others = {
                name: steps
                for name, steps in self.beside().items()
                if name not in counted and not boosts(inputs.get(name))
            }
            headroom, group = _less(headroom, list(others.values())), self.site.group_headroom()
            if group is not None:
                group = _beside(group, list(group.among(others).values()))
            out, less = allocated_in_both(inputs, self.profiles, models, headroom, now, group)
        waits = waiting(inputs, self.profiles, models, self.site.location().zone, now)
        self._why_less = {
            device: joined((waits[device], why)) if waits[device] else why
            for device, why in less.items()
        }
        self._boosting = frozenset(name for name, item in inputs.items() if boosts(item))
        self.say_who_waits()
        return out

    def say_who_waits(self) -> None:
        """On the wish of each device: also whether others have to make room for it first."""
        waiting_for_room = self._boosting & self.dispatcher.waiting_for_headroom
        for device, why in self._why_less.items():
            others = sentence("it waits until others have made room")
            self.devices.say_less(
                device, joined((others, why)) if device in waiting_for_room else why
            )

    def curtail(self, now: datetime) -> None:
        """Bring what devices hold below the limit, at once."""
        headroom = self.headroom(now)
        if headroom is None:
            return
        fixed = unswitchable(self.profiles, self._models(), now)
        second, group = to_unix_floor(now), self.group(now)
        self.dispatcher.curtail(headroom, fixed, second, self.beside(), group)

    def record(self, now: datetime) -> None:
        """What holds now, what was sent for it and what the devices then told."""
        self.site.grid.judge(now)
        grid = self.site.grid
        self.limit_log.in_force(now, grid.limit_w(now), grid.said(now))
        self.limit_log.look(now)

    def _powers_w(self, now: datetime) -> tuple[float, float | None]:
        """What was sent, and what was measured where everybody who was sent something measures."""
        models, group = self._models(), self.site.group_headroom()
        if group is not None:
            models = group.among(models)
        drawn = [model.meter.drawn for model in models.values()]
        told = [power.power_w(now) for power in drawn if power.reports(now)]
        silent = any(power.commanded_w(now) > 0 for power in drawn if not power.reports(now))
        sent_w = self.dispatcher.holdings.sent_w(now, models)
        return sent_w, None if silent or not told else sum(told)

    def next_record(self, now: datetime) -> datetime | None:
        """When there may be something to record."""
        moments = [self.limit_log.check_at, self.site.grid.next_change(now)]
        return min((when for when in moments if when is not None), default=None)

    def _models(self) -> dict[str, DeviceModel]:
        return {name: self.devices.model(name) for name in self.devices}


def _beside(group: GroupHeadroom, loads: Sequence[Steps]) -> GroupHeadroom:
    return replace(group, power_w=_less(group.power_w, loads))


def _less(limit: Steps, loads: Sequence[Steps]) -> Steps:
    def rest(at: Sequence[float]) -> float:
        return at[0] if at[0] >= UNLIMITED_W else max(0.0, at[0] - sum(at[1:]))

    return combined([limit, *loads], rest)
