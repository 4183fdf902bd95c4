"""An appliance as the home page shows it: in a few words what it does and will do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.schedule import NOTHING_SHARE, DeviceType, ScheduleSlot, spoken_mode
from agent.energy.view import DeviceView, Problem
from agent.web.visit import Visit
from agent.web.words import device_name

# What is no run: nothing of it stands among what comes.
RESTING = frozenset({"idle", "hold", "block", "normal", "auto", "release", "limit"})
MOST_RUNS = 12


@dataclass(frozen=True, slots=True)
class Run:
    """One span of the plan; `reason` is the planner's code, or words of its own."""

    mode: str
    start: datetime
    end: datetime
    power_w: int
    reason: str


@dataclass(frozen=True, slots=True)
class ApplianceCard:
    """`state` in a sentence; `wished` is boost or pause where one holds, until `wished_until`, or
    `boost_later` where it waits for a car.

    `takes_start`: a person says when it is loaded; `loaded`: that it is, and has not run yet.
    """

    id: str
    name: str
    kind: str
    state: str
    facts: Sequence[str]
    wished: str
    wished_until: datetime | None
    runs: Sequence[Run]
    problems: Mapping[str, Problem]
    takes_modes: bool
    takes_start: bool
    loaded: bool


def appliance_card(visit: Visit, view: DeviceView) -> ApplianceCard:
    words, now = visit.words, visit.now
    wish = visit.context.document(visit.context.topics.wish(view.id)) or {}
    mode, until = str(wish.get("mode", "auto")), wish.get("until")
    if mode == "boost" and view.has_stays and not view.plugged:
        mode = "boost_later"
    return ApplianceCard(
        id=view.id,
        name=device_name(view.id),
        kind=words(f"device.kind_{view.kind}"),
        state=_state(visit, view),
        facts=_facts(visit, view),
        wished="" if mode == "auto" else mode,
        wished_until=datetime.fromisoformat(until) if until else None,
        runs=_runs(view, now),
        problems=view.problems,
        takes_modes="mode" in view.wish_keys,
        takes_start="start" in view.wish_keys,
        loaded=bool(wish.get("loaded")),
    )


def _state(visit: Visit, view: DeviceView) -> str:
    words, now = visit.words, visit.now
    schedule = view.planned.schedule
    if view.has_stays and not view.plugged:
        return words("device.not_plugged")
    if view.opted_out:
        return words("device.overridden")
    if schedule is None or not visit.context.services.clock_trusted:
        return words("device.no_plan")
    slot = schedule.slot_at(to_unix_floor(now))
    if slot is not None:
        until = words.moment(from_unix(slot.end), now)
        mode = spoken_mode(schedule.device_type, slot.mode)
        if slot.mode in RESTING or not slot.power_w:
            return words(f"device.mode_{mode}_until", until=until)
        power = words.power(abs(slot.power_w))
        if view.linked and _does_otherwise(slot, view.power_w):
            doing = words(f"device.do_{mode}")
            return words("device.asked_until", doing=doing, power=power, until=until)
        return words(f"device.mode_{mode}_power_until", power=power, until=until)
    return words(f"device.mode_{schedule.default.mode}")


def _does_otherwise(slot: ScheduleSlot, power_w: float) -> bool:
    """Does it take nothing, or give, where it is told to take; or the other way round?"""
    sign = -1 if slot.mode == "discharge" else 1
    return sign * power_w < NOTHING_SHARE * abs(slot.power_w)


def _facts(visit: Visit, view: DeviceView) -> Sequence[str]:
    words, out = visit.words, []
    if view.linked:
        key = "device.gives" if view.power_w < 0 else "device.draws"
        out.append(words(key, power=words.power(abs(view.power_w))))
    if view.soc_percent is not None:
        out.append(words("device.soc", percent=f"{view.soc_percent:.0f}"))
    if view.temperature_c is not None:
        out.append(words("device.temperature", degrees=words.number(view.temperature_c, 1)))
    return out


def _runs(view: DeviceView, now: datetime) -> Sequence[Run]:
    """What is still to come, spans that touch as one."""
    schedule, out = view.planned.schedule, list[Run]()
    for slot in () if schedule is None else schedule.slots:
        if from_unix(slot.end) <= now or slot.mode in RESTING:
            continue
        run = _run(slot, view.profile.type)
        last = out[-1] if out else None
        if last is not None and (last.mode, last.power_w, last.end) == (
            run.mode,
            run.power_w,
            run.start,
        ):
            out[-1] = Run(last.mode, last.start, run.end, last.power_w, last.reason)
        else:
            out.append(run)
    return out[:MOST_RUNS]


def _run(slot: ScheduleSlot, device_type: DeviceType) -> Run:
    mode = spoken_mode(device_type, slot.mode)
    return Run(mode, from_unix(slot.start), from_unix(slot.end), slot.power_w, slot.reason)
