"""What holds while the house may draw only so much: headroom, boosts, obeying, the record.

The rules are those of the wire contract's sections 2 ("Under a site limit") and 2a.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.control.boosts import allocated, running_programs, unswitchable
from agent.control.device_manager import DeviceManager
from agent.control.site import Site
from agent.dispatch.dispatcher import Dispatcher
from agent.energy.instants import to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.steps import Steps, combined
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningInput
from agent.records.limit_log import LimitLog

# What was sent for a limit is recorded when the meters have had time to show it.
SHOWN_AFTER = timedelta(seconds=60)


@dataclass(slots=True)
class LimitControl:
    """`check_at`: when what the meters show of the last limit is to be recorded; None: nothing."""

    site: Site
    devices: DeviceManager
    dispatcher: Dispatcher
    limit_log: LimitLog
    profiles: Mapping[str, DeviceProfile]
    check_at: datetime | None = field(default=None, init=False)
    _came_at: datetime | None = field(default=None, init=False)

    def headroom(self, now: datetime) -> Steps | None:
        """What schedules may add up to: a program under way draws beside them."""
        headroom = self.site.headroom()
        if headroom is None:
            return None
        loads = running_programs(self.profiles, self._models(), now)
        return combined([headroom, loads], lambda pair: max(0.0, pair[0] - pair[1]))

    def within(
        self, inputs: Mapping[str, PlanningInput], now: datetime
    ) -> dict[str, PlanningInput]:
        """Boosts with the power that is left for them; said on the wish."""
        headroom = self.site.headroom()
        if headroom is None:
            return dict(inputs)
        out, less = allocated(inputs, self.profiles, self._models(), headroom, now)
        for device, why in less.items():
            self.devices.say_less(device, why)
        return out

    def came(self, now: datetime) -> None:
        """A stricter limit came."""
        self._came_at, self.check_at = now, now + SHOWN_AFTER

    def curtail(self, now: datetime) -> None:
        """Bring what devices hold below the limit, at once."""
        headroom = self.headroom(now)
        if headroom is None:
            return
        fixed = unswitchable(self.profiles, self._models(), now)
        self.dispatcher.curtail(headroom, fixed, to_unix_floor(now))

    def record(self, now: datetime) -> None:
        """What was sent for a limit and what the devices then told, when it is time for it."""
        if self.check_at is None or now < self.check_at:
            return
        came, self.check_at = self._came_at, None
        if came is None:
            return
        measured = sum(model.meter.power_w(now) for model in self._models().values())
        self.limit_log.obeyed(came, self.dispatcher.sent_w(now), measured)

    def _models(self) -> dict[str, DeviceModel]:
        return {name: self.devices.model(name) for name in self.devices}
