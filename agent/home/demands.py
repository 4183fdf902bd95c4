"""From what is configured, wished and known to what a device asks of the planner. Pure.

One function a device type; each returns Asked: the planner's device, the goal that people see, and
the override (boost or pause) that holds before the plan begins.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from agent.config.devices import (
    DeviceSection,
    EvCharger,
    HeatPump,
    Need,
    ProfilePart,
    ProgramAppliance,
    Switched,
    WaterHeater,
)
from agent.energy.instants import format_instant, to_unix_ceil, to_unix_floor
from agent.energy.schedule import Goal
from agent.energy.situation import ZERO, Demand, Flexible, ProfileSegment, Program
from agent.home.tracker import Tracker
from agent.home.windows import Place, next_ready_by, occurrences
from agent.home.wishes import Wish

# Less than this is full: chargers stop on their own a little early or late.
MET_KWH = Decimal("0.05")
# A car is charged this much beyond its target, so that metering cannot leave a rest behind.
EV_MARGIN_KWH = Decimal("0.05")
# For a car that never told its SoC: what is charged is bounded by the car, not by us.
ASSUMED_SOC_PERCENT = Decimal(40)
# A car without any deadline is charged within a day of its arrival.
WITHOUT_DEADLINE = timedelta(hours=24)
PLANNED_AHEAD = timedelta(hours=48)
JUST_OVER = timedelta(minutes=10)
NO_GOAL = Goal()
# A boost without an end is published an hour at a time, so that a lost agent cannot leave it on.
BOOST_AHEAD = timedelta(hours=1)
BOOST_RENEWED_BEFORE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Override:
    """What holds until `until` whatever the prices: boost at full power, or pause."""

    mode: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OpenNeed:
    """A need that has begun: what is missing of it and until when, named by its beginning."""

    key: str
    missing_kwh: Decimal
    power_w: int
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """`device` is None where there is nothing to plan; `full`: it cannot take any more.

    `running`: a program says that it runs, so nothing may start it again.
    """

    device: Flexible | Program | None
    goal: Goal = NO_GOAL
    override: Override | None = None
    full: bool = True
    latest: datetime | None = None
    needs: tuple[OpenNeed, ...] = ()
    running: bool = False


def ask(
    section: DeviceSection,
    tracker: Tracker,
    wish: Wish,
    place: Place,
    now: datetime,
    away_until: datetime | None = None,
) -> Asked:
    """What the device asks for now. While people are away no heat is made in advance."""
    if tracker.opted_out(now):
        return Asked(None)
    if isinstance(section, EvCharger):
        return _ev(section, tracker, wish, place, now)
    if isinstance(section, ProgramAppliance):
        return _program(section, tracker, wish, place, now)
    if away_until is None or not isinstance(section, HeatPump | WaterHeater):
        away_until = now
    return _switched(section, tracker, wish, place, now, away_until)


def _override(wish: Wish, tracker: Tracker, now: datetime) -> Override | None:
    if wish.mode == "auto" or wish.until is None:
        return None
    until = wish.until
    if wish.mode == "boost" and wish.mode_open:
        published = tracker.boost_until
        if published is None or published - now <= BOOST_RENEWED_BEFORE:
            published = now + BOOST_AHEAD
        until = min(until, published)
    return Override(wish.mode, _whole(until), wish.mode)


def _whole(when: datetime) -> datetime:
    return when.replace(microsecond=0)


# --- EV -----------------------------------------------------------------------------------------


def ev_missing_kwh(
    section: EvCharger, tracker: Tracker, wish: Wish, now: datetime, target: Decimal
) -> Decimal:
    """Energy from the grid still missing to that SoC; by the session's counter without a SoC."""
    if wish.energy_kwh is not None:
        counter = tracker.number("energy_kwh", now) or 0.0
        since = Decimal(repr(counter)) - (wish.energy_from_kwh or ZERO)
        return max(ZERO, wish.energy_kwh - max(ZERO, since))
    soc = tracker.number("soc_percent", now)
    if section.battery_kwh is not None and (soc is not None or section.energy_kwh is None):
        known = Decimal(repr(soc)) if soc is not None else ASSUMED_SOC_PERCENT
        missing = (target - known) / 100 * section.battery_kwh / section.charge_efficiency
        return max(ZERO, missing - Decimal(repr(round(tracker.since_soc_kwh, 6))))
    session = tracker.number("energy_kwh", now)
    taken = Decimal(repr(session if session is not None else round(tracker.taken_kwh, 6)))
    return max(ZERO, (section.energy_kwh or ZERO) - taken)


def _ev(section: EvCharger, tracker: Tracker, wish: Wish, place: Place, now: datetime) -> Asked:
    if tracker.value("plugged", now) is not True:
        return Asked(None)
    target = wish.target_soc_percent
    if target is None:
        target = Decimal(repr(section.target_soc_percent))
    floor = wish.floor_soc_percent
    if floor is None:
        floor = Decimal(repr(section.floor_soc_percent))
    missing = ev_missing_kwh(section, tracker, wish, now, target)
    deadline = _ev_deadline(section, tracker, wish, place, now)
    full = missing < MET_KWH
    override = None if full and wish.mode == "boost" else _override(wish, tracker, now)
    goal = Goal(missing, target if section.battery_kwh else None, to_unix_floor(deadline))
    since = tracker.session.since or now
    needs = (OpenNeed(format_instant(since), missing, section.max_power_w, deadline),)
    if full:
        return Asked(None, goal, override, needs=needs)
    if floor and wish.energy_kwh is None and override is None:
        urgent = ev_missing_kwh(section, tracker, wish, now, floor)
        if urgent >= MET_KWH:
            seconds = float(urgent * 3_600_000 / section.max_power_w)
            override = Override("boost", _whole(now + timedelta(seconds=seconds)), "floor")
    begin = max(now, override.until) if override else now
    if override and override.mode == "boost":
        missing -= _kwh(section.max_power_w, (override.until - now).total_seconds())
    demands = []
    if missing >= MET_KWH:
        cap = wish.price_cap if wish.price_cap is not None else section.price_cap
        energy = missing + EV_MARGIN_KWH
        demands.append(_demand(energy, begin, deadline, now, cap, contiguous=section.contiguous))
    if not demands:
        return Asked(None, goal, override, full=False, needs=needs)
    device = Flexible(
        id=section.id,
        max_power_w=Decimal(section.max_power_w),
        min_power_w=Decimal(section.min_power_w),
        demands=tuple(demands),
        priority=section.priority,
    )
    device = _with_minimum_times(device, section, tracker)
    return Asked(device, goal, override, full=False, latest=deadline, needs=needs)


def _ev_deadline(
    section: EvCharger, tracker: Tracker, wish: Wish, place: Place, now: datetime
) -> datetime:
    """The ready-by of this stay: the first one after the car came, or after it was last full."""
    since = max(
        when
        for when in (tracker.session.since, tracker.session.met_at, now - WITHOUT_DEADLINE)
        if when is not None
    )
    if wish.ready_by is not None and wish.ready_by > since:
        return wish.ready_by
    if wish.ready_by_clock is not None:
        section = section.model_copy(
            update={"ready_by": type(section.ready_by)(every_day=wish.ready_by_clock)}
        )
    found = next_ready_by(section.ready_by, since, place.zone)
    return found if found is not None else since + WITHOUT_DEADLINE


# --- loads that need some hours or kWh in each window ---------------------------------------------


def _switched(
    section: Switched,
    tracker: Tracker,
    wish: Wish,
    place: Place,
    now: datetime,
    away_until: datetime,
) -> Asked:
    override = _override(wish, tracker, now)
    begin = max(now, override.until) if override else now
    cap = wish.price_cap if wish.price_cap is not None else section.price_cap
    demands, still, ready_by = [], ZERO, None
    for need in section.needs:
        for start, end in occurrences(need.window, place, now, now + PLANNED_AHEAD):
            missing = need_kwh(need, section) - taken_kwh(tracker, start)
            if override and override.mode == "boost" and start <= now:
                missing -= _kwh(section.power_w, (override.until - now).total_seconds())
            if missing < MET_KWH or end <= away_until:
                continue
            if max(start, begin) < end:
                demands.append(
                    _demand(missing, max(start, begin), end, now, cap, contiguous=need.contiguous)
                )
            if ready_by is None or end < ready_by:
                still, ready_by = missing, end
    goal = Goal(still, None, to_unix_floor(ready_by) if ready_by else None)
    needs = _open_needs(section, tracker, place, now, away_until)
    if not demands:
        return Asked(None, goal, override, full=False, needs=needs)
    demands.sort(key=lambda demand: (demand.deadline or 0, demand.earliest or 0))
    device = Flexible(
        id=section.id,
        max_power_w=Decimal(section.power_w),
        min_power_w=Decimal(section.power_w),
        demands=tuple(demands),
        priority=section.priority,
        start_cost=section.start_cost,
    )
    device = _with_minimum_times(device, section, tracker)
    latest = max(demand.deadline or 0 for demand in demands)
    return Asked(
        device,
        goal,
        override,
        full=False,
        latest=datetime.fromtimestamp(latest, now.tzinfo),
        needs=needs,
    )


def _open_needs(
    section: Switched, tracker: Tracker, place: Place, now: datetime, away_until: datetime
) -> tuple[OpenNeed, ...]:
    """Windows that have begun; those just over too, so that they can be settled."""
    out = []
    for need in section.needs:
        for start, end in occurrences(need.window, place, now - JUST_OVER, now):
            if end > away_until or away_until <= now:
                missing = max(ZERO, need_kwh(need, section) - taken_kwh(tracker, start))
                out.append(OpenNeed(format_instant(start), missing, section.power_w, end))
    return tuple(out)


def need_kwh(need: Need, section: Switched) -> Decimal:
    if need.energy_kwh is not None:
        return need.energy_kwh
    return (need.hours or ZERO) * section.power_w / 1000


def taken_kwh(tracker: Tracker, window_start: datetime) -> Decimal:
    return Decimal(repr(round(tracker.progress.get(format_instant(window_start), 0.0), 6)))


def current_window(section: Switched, place: Place, now: datetime) -> str | None:
    """The window that energy taken now counts for, as the tracker's key."""
    best: tuple[datetime, datetime] | None = None
    for need in section.needs:
        for start, end in occurrences(need.window, place, now, now + timedelta(seconds=1)):
            if start <= now and (best is None or end < best[1]):
                best = (start, end)
    return format_instant(best[0]) if best else None


# --- programs -----------------------------------------------------------------------------------


def _program(
    section: ProgramAppliance, tracker: Tracker, wish: Wish, place: Place, now: datetime
) -> Asked:
    if wish.loaded_at is None:
        return Asked(None)
    deadline = wish.ready_by or next_ready_by(section.ready_by, wish.loaded_at, place.zone)
    if deadline is None:
        deadline = wish.loaded_at + WITHOUT_DEADLINE
    started = tracker.session.started_at
    profile = tuple(
        ProfileSegment(part.duration_s, Decimal(part.power_w)) for part in section.profile
    )
    energy = sum((_kwh(part.power_w, part.duration_s) for part in section.profile), ZERO)
    ran = (now - started).total_seconds() if started else 0.0
    missing = sum((_kwh(part.power_w, seconds) for part, seconds in _rest(section, ran)), ZERO)
    peak = max(part.power_w for part in section.profile)
    needs = (OpenNeed(format_instant(wish.loaded_at), missing, peak, deadline),)
    device = Program(
        id=section.id,
        profile=profile,
        deadline=to_unix_floor(deadline),
        started_at=None if started is None else min(to_unix_floor(started), to_unix_floor(now)),
        priority=section.priority,
    )
    return Asked(
        device,
        Goal(energy, None, to_unix_floor(deadline)),
        full=False,
        latest=deadline,
        needs=needs,
        running=tracker.session.confirmed,
    )


def _rest(section: ProgramAppliance, ran_s: float) -> list[tuple[ProfilePart, float]]:
    """What is left of each part of the profile, in seconds."""
    out = []
    for part in section.profile:
        out.append((part, max(0.0, part.duration_s - max(0.0, ran_s))))
        ran_s -= part.duration_s
    return out


# --- shared -------------------------------------------------------------------------------------


def _kwh(power_w: int, seconds: float) -> Decimal:
    return Decimal(power_w) * Decimal(repr(round(seconds, 3))) / 3_600_000


def _demand(
    energy: Decimal,
    earliest: datetime,
    deadline: datetime,
    now: datetime,
    cap: Decimal | None,
    *,
    contiguous: bool,
) -> Demand:
    first, last = to_unix_ceil(earliest), to_unix_floor(deadline)
    return Demand(
        energy_kwh=energy.quantize(Decimal("1e-6")),
        # The contract has no earliest at or after the deadline; a late demand begins at once.
        earliest=first if earliest > now and first < last else None,
        deadline=last,
        contiguous=contiguous,
        price_cap=cap,
    )


def _with_minimum_times(
    device: Flexible, section: EvCharger | Switched, tracker: Tracker
) -> Flexible:
    """Minimum times, and since when the device is on or off where they or a start cost count."""
    if not (section.min_on_s or section.min_off_s or device.start_cost):
        return device
    on, off = tracker.on_since, tracker.off_since
    return dataclasses.replace(
        device,
        min_on_s=section.min_on_s,
        min_off_s=section.min_off_s,
        on_since=to_unix_floor(on) if on else None,
        off_since=to_unix_floor(off) if off and not on else None,
    )
