"""What the last plans made devices do, as the next plan is held against it. Pure.

The planner takes an edge for the same that moves by at most `SAME_EDGE_S` (situation.md section 4,
"Change cost"). Held against what was told last, edges would wander by so much with every plan, each
time for nothing: so they are held against where they were when they were new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from agent.energy.plan import Plan
from agent.energy.schedule import DeviceType, Schedule
from agent.energy.situation import PowerSpan, PreviousPlan
from agent.home.planning_input import OVERRIDE_REASONS

SAME_EDGE_S = 120
# A program's schedule says less than its plan; what a roof may give follows from what others take.
PLANNED_OTHERWISE = (DeviceType.PROGRAM, DeviceType.PV_INVERTER)


@dataclass(slots=True)
class PlansInForce:
    """`_runs` by device: where its runs were when they were new."""

    _runs: dict[str, tuple[PowerSpan, ...]] = field(default_factory=dict, init=False)

    def of(
        self, held: Mapping[str, Schedule], plan: Plan | None, now: int
    ) -> tuple[PreviousPlan, ...]:
        """By what devices hold, so also after a restart; a program by its plan's powers.

        What a person asked for at once was no plan.
        """
        self._runs = {
            device: self._settled(device, _runs_of(schedule), now)
            for device, schedule in held.items()
            if schedule.device_type not in PLANNED_OTHERWISE
        }
        out = [PreviousPlan(device, runs) for device, runs in self._runs.items()]
        programs = {
            device
            for device, schedule in held.items()
            if schedule.device_type is DeviceType.PROGRAM
        }
        out += [
            PreviousPlan(
                device.id,
                tuple(PowerSpan(slot.start, slot.end, slot.power_w) for slot in device.slots),
            )
            for device in (plan.devices if plan else ())
            if device.id in programs
        ]
        return tuple(out)

    def _settled(self, device: str, runs: Sequence[PowerSpan], now: int) -> tuple[PowerSpan, ...]:
        before = self._runs.get(device, ())
        return tuple(next((old for old in before if _is_same(old, run, now)), run) for run in runs)


def _runs_of(schedule: Schedule) -> list[PowerSpan]:
    return [
        PowerSpan(slot.start, slot.end, Decimal(slot.power_w))
        for slot in schedule.slots
        if slot.reason not in OVERRIDE_REASONS and (slot.power_w > 0 or _is_battery(schedule))
    ]


def _is_battery(schedule: Schedule) -> bool:
    """What it is told is no switching, and where it is told nothing its own logic holds."""
    return schedule.device_type is DeviceType.BATTERY


def _is_same(old: PowerSpan, new: PowerSpan, now: int) -> bool:
    return (
        old.power_w == new.power_w
        and abs(max(old.start, now) - max(new.start, now)) <= SAME_EDGE_S
        and abs(old.end - new.end) <= SAME_EDGE_S
    )
