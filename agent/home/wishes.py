"""Wishes of the owner: what holds beyond the config, and when it ends. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal

MODE_KEYS = frozenset({"mode", "until", "for_s"})


@dataclass(frozen=True, slots=True)
class ModeWish:
    """Boost or pause until `until`; `open_ended`: it also ends when full or unplugged."""

    name: str = "auto"
    until: datetime | None = None
    open_ended: bool = False


@dataclass(frozen=True, slots=True)
class WishValues:
    """Values that replace the config's; None: as configured. kWh, percent, °C, currency per kWh.

    `counter_start_kwh` is what the meter showed when `energy_kwh` or `hours` was asked;
    `comfort_until` ends what was asked once of comfort.
    """

    energy_kwh: Decimal | None = None
    hours: Decimal | None = None
    counter_start_kwh: Decimal | None = None
    target_soc_percent: Decimal | None = None
    floor_soc_percent: Decimal | None = None
    ready_by: datetime | None = None
    ready_by_clock: time | None = None
    price_cap: Decimal | None = None
    comfort_min_c: Decimal | None = None
    comfort_max_c: Decimal | None = None
    comfort_until: datetime | None = None


VALUE_KEYS = (
    "energy_kwh",
    "hours",
    "target_soc_percent",
    "floor_soc_percent",
    "ready_by",
    "price_cap",
    "comfort_min_c",
    "comfort_max_c",
)
COMFORT_KEYS = frozenset({"comfort_min_c", "comfort_max_c"})
ENERGY_FIELDS = ("energy_kwh", "hours", "counter_start_kwh", "ready_by", "ready_by_clock")
COMFORT_FIELDS = ("comfort_min_c", "comfort_max_c", "comfort_until")
NO_VALUES = WishValues()
# What was asked once and has not come in its time is made good within a day.
ONCE_LATE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """How an instant came of a request at `since`: as the next `clock` time, None: a length."""

    since: datetime
    clock: time | None = None


# The instants of a wish that may be reckoned.
MODE_END, READY_BY, COMFORT_END, ONCE_END = "mode", "ready_by", "comfort_until", "once_until"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner wants of one device beyond the config.

    `once` ends with the session (or at `once_until`, where a device has none), `kept` stands until
    it is changed. `pending`: asked while nothing was plugged in, for the next stay. `loaded_at`:
    since when a program waits. `asked_at` and `id` are of the last request. `reckoned` says of
    instants (by the names above) how they came about; those that were given as such are not there.
    """

    mode: ModeWish = field(default_factory=ModeWish)
    once: WishValues = NO_VALUES
    kept: WishValues = NO_VALUES
    once_until: datetime | None = None
    pending: bool = False
    loaded_at: datetime | None = None
    asked_at: datetime | None = None
    id: str | None = None
    reckoned: Mapping[str, Reckoned] = field(default_factory=dict)

    @property
    def values(self) -> WishValues:
        """What holds: what was asked once before what was kept."""
        merged = {}
        for item in dataclasses.fields(WishValues):
            once = getattr(self.once, item.name)
            merged[item.name] = once if once is not None else getattr(self.kept, item.name)
        return WishValues(**merged)

    @property
    def holds_anything(self) -> bool:
        return self.mode.name != "auto" or self.values != NO_VALUES or self.loaded_at is not None


def _only(once: WishValues, fields: Sequence[str]) -> WishValues:
    return WishValues(**{key: getattr(once, key) for key in fields})


def expired(
    wish: Wish,
    now: datetime,
    *,
    plugged: bool,
    session_over: bool,
    full: bool,
    owed: bool = False,
) -> Wish:
    """The wish without what has ended by now.

    `session_over`: a stay has ended, or the program has run. `full`: the car has what was asked.
    `owed`: energy asked once has not come yet.
    """
    out = wish
    if out.pending and plugged:
        out = dataclasses.replace(out, pending=False)
    ended = session_over and not out.pending
    mode = out.mode
    if mode.name != "auto" and (
        (mode.until is not None and now >= mode.until)
        or (mode.open_ended and not out.pending and (ended or full))
    ):
        out = dataclasses.replace(out, mode=ModeWish())
    # What is asked of comfort has an end of its own, and energy that is owed comes late.
    if ended:
        out = dataclasses.replace(out, once=NO_VALUES, once_until=None)
    elif out.once_until is not None and now >= out.once_until:
        late = owed and now < out.once_until + ONCE_LATE
        stays = (*ENERGY_FIELDS, *COMFORT_FIELDS) if late else COMFORT_FIELDS
        until = out.once_until if late else None
        out = dataclasses.replace(out, once=_only(out.once, stays), once_until=until)
    if out.once.comfort_until is not None and out.once.comfort_until <= now:
        once = dataclasses.replace(out.once, **dict.fromkeys(COMFORT_FIELDS))
        out = dataclasses.replace(out, once=once)
    if ended and out.loaded_at is not None:
        out = dataclasses.replace(out, loaded_at=None)
    if ended and out.kept.energy_kwh is not None:
        kept = dataclasses.replace(out.kept, counter_start_kwh=Decimal(0))
        out = dataclasses.replace(out, kept=kept)
    passed = out.once.ready_by is not None and out.once.ready_by <= now and not out.pending
    if passed and not session_over and plugged and full:
        once = dataclasses.replace(out.once, ready_by=None)
        out = dataclasses.replace(out, once=once)
    return out
