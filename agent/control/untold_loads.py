"""Loads under a limit that nobody told: a person's choice at the device, or its own. Pure.

The rule is that of the wire contract's section 2: who overrides a device is planned around, and the
limit holds. What it then draws is a load like any other.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.energy.instants import to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.readings import AGE_LIMITS
from agent.energy.schedule import DeviceType
from agent.energy.steps import Steps
from agent.home.model.device_model import DeviceModel

# A device that was told to take less is given so long to do it and to say so.
OBEYS_WITHIN_S = 60
# Of its most: meters and chargers are not exact, and a few watts are no new plan.
INEXACT_SHARE = 0.1
STEP_W = 100
# What they draw besides what they are told is their own affair, and no sign of anything.
FREE = (DeviceType.PROGRAM, DeviceType.BATTERY)


@dataclass(slots=True)
class UntoldLoads:
    """`told_most(device)` is the most that it may be taking of what it was told, `told_at(device)`
    when it was told last, in Unix seconds."""

    profiles: Mapping[str, DeviceProfile]
    told_most: Callable[[str], Steps]
    told_at: Callable[[str], int]
    _watts: dict[str, float] = field(default_factory=dict)

    def look(self, models: Mapping[str, DeviceModel], names: Iterable[str], now: datetime) -> None:
        """Take up what those devices do now."""
        for name in names:
            profile, model = self.profiles[name], models[name]
            watts = None if profile.produces else self._drawn_w(profile, model, now)
            if watts is None or watts <= 0:
                self._watts.pop(name, None)
            else:
                self._watts[name] = self._calm(name, watts)

    def steps(self) -> dict[str, Steps]:
        """What each of them draws whatever it is told, for as long as nothing else is known."""
        return {name: Steps.constant(watts) for name, watts in self._watts.items()}

    def _drawn_w(self, profile: DeviceProfile, model: DeviceModel, now: datetime) -> float | None:
        power = model.meter.drawn.told
        if model.opted_out(now):
            reports = power is not None and model.meter.drawn.reports(now)
            return power[0] if power is not None and reports else float(profile.max_power_w)
        if power is None or profile.is_heat or profile.type in FREE:
            return None
        watts, at = power
        if now - at > AGE_LIMITS["power_w"]:
            return None
        second = to_unix_floor(at)
        most, begin = self.told_most(profile.id), second - OBEYS_WITHIN_S
        allowed = max(most.value(when) for when in (begin, second, *most.between(begin, second)))
        if watts <= allowed + INEXACT_SHARE * profile.max_power_w:
            return None
        if begin < self.told_at(profile.id) and profile.id not in self._watts:
            # It may not have come to obey yet; one that did not before is not given time anew.
            return None
        return watts

    def _calm(self, name: str, watts: float) -> float:
        known = self._watts.get(name, 0.0)
        falls = watts < known - INEXACT_SHARE * self.profiles[name].max_power_w
        if watts <= known and not falls:
            return known
        return float(-(-watts // STEP_W) * STEP_W)
