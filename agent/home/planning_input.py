"""What a device asks of the planner, and the parts that each kind makes it from. Pure."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from agent.config.devices import EvCharger, Switched
from agent.energy.instants import to_unix_ceil, to_unix_floor
from agent.energy.schedule import Goal
from agent.energy.situation import Demand, Flexible, Program
from agent.home.device_state import DeviceState
from agent.home.wishes import Wish

# Less than this is full: chargers stop on their own a little early or late.
SATISFIED_TOLERANCE_KWH = Decimal("0.05")
PLANNED_AHEAD = timedelta(hours=48)
# A car or a program without any deadline is served within a day.
WITHOUT_DEADLINE = timedelta(hours=24)
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
class ActiveNeed:
    """A need that has begun: what is missing of it and until when, named by its beginning."""

    key: str
    missing_kwh: Decimal
    power_w: int
    deadline: datetime


@dataclass(frozen=True, slots=True)
class PlanningInput:
    """`device` is None where there is nothing to plan; `full`: it cannot take any more.

    `running`: a program says that it runs, so nothing may start it again.
    """

    device: Flexible | Program | None
    goal: Goal = NO_GOAL
    override: Override | None = None
    full: bool = True
    latest: datetime | None = None
    needs: tuple[ActiveNeed, ...] = ()
    running: bool = False


def override_of(wish: Wish, tracker: DeviceState, now: datetime) -> Override | None:
    if wish.mode == "auto" or wish.until is None:
        return None
    until = wish.until
    if wish.mode == "boost" and wish.open_ended:
        published = tracker.boost_until
        if published is None or published - now <= BOOST_RENEWED_BEFORE:
            published = now + BOOST_AHEAD
        until = min(until, published)
    return Override(wish.mode, whole_second(until), wish.mode)


def whole_second(when: datetime) -> datetime:
    return when.replace(microsecond=0)


def energy_kwh_of(power_w: int, seconds: float) -> Decimal:
    return Decimal(power_w) * Decimal(repr(round(seconds, 3))) / 3_600_000


def demand_of(
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


def with_minimum_times(
    device: Flexible, section: EvCharger | Switched, tracker: DeviceState
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
