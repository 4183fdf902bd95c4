"""What the last plans made devices do, as the next plan is held against it. Pure.

The planner takes an edge for the same that moves by at most `SAME_EDGE_S` (situation.md section 4,
"Change cost"). Held against what was told last, edges would wander by so much with every plan, each
time for nothing: so they are held against where they were when they were new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from agent.energy.plan import DevicePlan, Plan
from agent.energy.schedule import HEAT, DeviceType, Schedule
from agent.energy.situation import PowerSpan, PreviousPlan
from agent.home.planning_input import OVERRIDE_REASONS

SAME_EDGE_S = 120


@dataclass(slots=True)
class PlansInForce:
    """`_runs` by device: where its runs were when they were new."""

    _runs: dict[str, tuple[PowerSpan, ...]] = field(default_factory=dict, init=False)

    def of(
        self, held: Mapping[str, Schedule], plan: Plan | None, now: int
    ) -> tuple[PreviousPlan, ...]:
        """The last plan, of devices that hold a schedule; after a restart what they hold.

        What is told later than in an hour may wait, so that schedules alone are parts of several
        plans, and together none. What a person asked for at once was no plan; what a roof may give
        follows from what others take.
        """
        planned = {device.id: device for device in plan.devices} if plan else {}
        found: dict[str, tuple[PowerSpan, ...]] = {}
        for device, schedule in held.items():
            if schedule.device_type is DeviceType.PV_INVERTER:
                continue
            if device in planned:
                found[device] = _spans_of(planned[device])
            elif schedule.device_type is not DeviceType.PROGRAM:
                # A program's schedule says less than its plan.
                found[device] = _told(schedule)
        self._runs = {device: self._settled(device, runs, now) for device, runs in found.items()}
        return tuple(PreviousPlan(device, runs) for device, runs in self._runs.items())

    def _settled(self, device: str, runs: Sequence[PowerSpan], now: int) -> tuple[PowerSpan, ...]:
        before = self._runs.get(device, ())
        out: list[PowerSpan] = []
        for run in runs:
            settled = next((old for old in before if _is_same(old, run, now)), run)
            # Where one that touches it has not moved back as far, it begins when that ends.
            start = max(settled.start, out[-1].end) if out else settled.start
            if start < settled.end:
                out.append(replace(settled, start=start))
        return tuple(out)


def _spans_of(plan: DevicePlan) -> tuple[PowerSpan, ...]:
    """Where it runs; also where a battery holds or heat is blocked, at 0 W, and nothing where its
    own logic does what it likes."""
    spans: list[PowerSpan] = []
    for slot in plan.slots:
        if slot.mode == "auto":
            continue
        last = spans[-1] if spans else None
        if last is not None and last.end == slot.start and last.power_w == slot.power_w:
            spans[-1] = PowerSpan(last.start, slot.end, slot.power_w)
        else:
            spans.append(PowerSpan(slot.start, slot.end, slot.power_w))
    return tuple(spans)


def _told(schedule: Schedule) -> tuple[PowerSpan, ...]:
    own_logic = schedule.device_type in (DeviceType.BATTERY, *HEAT)
    return tuple(
        PowerSpan(slot.start, slot.end, Decimal(slot.power_w))
        for slot in schedule.slots
        if slot.reason not in OVERRIDE_REASONS and (slot.power_w > 0 or own_logic)
    )


def _is_same(old: PowerSpan, new: PowerSpan, now: int) -> bool:
    return (
        old.power_w == new.power_w
        and abs(max(old.start, now) - max(new.start, now)) <= SAME_EDGE_S
        and abs(old.end - new.end) <= SAME_EDGE_S
    )
