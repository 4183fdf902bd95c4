"""What holds while the house may draw only so much: headroom, boosts, obeying, the record.

The rules are those of the wire contract's sections 2 ("Under a site limit") and 2a.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.control.boosts import allocated, boosts, running_programs, unswitchable
from agent.control.device_manager import DeviceManager
from agent.control.least_times import waiting
from agent.control.site import Site
from agent.control.untold_loads import UntoldLoads
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.limit import rises
from agent.dispatch.published import NOTHING
from agent.energy.instants import to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.sentences import joined
from agent.energy.steps import Steps, combined
from agent.home.grid_limit import UNLIMITED_W
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput
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

    def for_plan(self, inputs: Mapping[str, PlanningInput]) -> Steps | None:
        """What the house may import beside those who draw what nobody plans."""
        limit = self.site.limit()
        unplanned = [
            steps
            for name, steps in self.beside().items()
            if (item := inputs.get(name)) is None or (item.device is None and not boosts(item))
        ]
        return None if limit is None else _less(limit, unplanned)

    def within(
        self, inputs: Mapping[str, PlanningInput], now: datetime
    ) -> dict[str, PlanningInput]:
        """Boosts with the power that is left for them; said on the wish, as what has to wait."""
        headroom, models = self.site.headroom(), self._models()
        out, less = dict(inputs), dict.fromkeys(inputs, "")
        if headroom is not None:
            counted = set(unswitchable(self.profiles, models, now))
            others = [
                steps
                for name, steps in self.beside().items()
                if name not in counted and not boosts(inputs.get(name))
            ]
            headroom = _less(headroom, others)
            out, less = allocated(inputs, self.profiles, models, headroom, now)
        waits = waiting(inputs, self.profiles, models, self.site.location().zone, now)
        for device, why in less.items():
            self.devices.say_less(device, joined((waits[device], why)) if waits[device] else why)
        return out

    def curtail(self, now: datetime) -> None:
        """Bring what devices hold below the limit, at once."""
        headroom = self.headroom(now)
        if headroom is None:
            return
        fixed = unswitchable(self.profiles, self._models(), now)
        self.dispatcher.curtail(headroom, fixed, to_unix_floor(now), self.beside())

    def record(self, now: datetime) -> None:
        """What holds now, what was sent for it and what the devices then told."""
        self.site.grid.judge(now)
        self.limit_log.in_force(now, self.site.grid.limit_w(now))
        self.limit_log.look(now)

    def _powers_w(self, now: datetime) -> tuple[float, float | None]:
        """What was sent, and what was measured where everybody who was sent something measures."""
        drawn = [model.meter.drawn for model in self._models().values()]
        told = [power.power_w(now) for power in drawn if power.reports(now)]
        silent = any(power.commanded_w(now) > 0 for power in drawn if not power.reports(now))
        return self.dispatcher.holdings.sent_w(now), None if silent or not told else sum(told)

    def next_record(self, now: datetime) -> datetime | None:
        """When there may be something to record."""
        moments = [self.limit_log.check_at, self.site.grid.next_change(now)]
        return min((when for when in moments if when is not None), default=None)

    def _models(self) -> dict[str, DeviceModel]:
        return {name: self.devices.model(name) for name in self.devices}


def _less(limit: Steps, loads: Sequence[Steps]) -> Steps:
    def rest(at: Sequence[float]) -> float:
        return at[0] if at[0] >= UNLIMITED_W else max(0.0, at[0] - sum(at[1:]))

    return combined([limit, *loads], rest)
