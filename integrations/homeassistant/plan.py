"""What a device will do, as a sentence and as windows with what it holds after each. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.schedule import ScheduleSlot
from agent.energy.text import clean_text
from agent.energy.view import DeviceView

# A state of Home Assistant has at most 255 characters.
MOST_TEXT = 250
MOST_WINDOWS = 48
WORDS = {
    "charge": "charge",
    "discharge": "discharge",
    "hold": "hold",
    "block": "pause",
    "boost": "run",
    "force": "run",
    "run": "run",
}
# By the reason of the slot that it is in.
OF_ITS_OWN = {
    "boost": "A person asked for a boost.",
    "pause": "A person asked for a pause.",
    "floor": "It is charged to its floor at once.",
    "topping_up": "At a target of 100 % it ends when the car takes no more.",
}
WAITS_FOR_CLOCK = "It waits until the time of day is confirmed."
# People read minutes.
SECONDS = re.compile(r"\b(\d\d:\d\d):\d\d\b")
NUMBERS = re.compile(r"\d[\d.,:]*")
# What these do is use no energy of their own.
RESTING = ("hold", "block", "idle", "normal", "auto", "release", "limit")


@dataclass(frozen=True, slots=True)
class Span:
    """Slots that follow each other without a gap, as people see one run."""

    start: int
    end: int
    mode: str


def active_slot(view: DeviceView, now: datetime) -> ScheduleSlot | None:
    schedule = view.planned.schedule
    return None if schedule is None else schedule.slot_at(to_unix_floor(now))


def coming_slots(view: DeviceView, now: datetime) -> list[ScheduleSlot]:
    """What is not over, in order."""
    schedule, second = view.planned.schedule, to_unix_floor(now)
    return [] if schedule is None else [slot for slot in schedule.slots if slot.end > second]


def runs(slots: Sequence[ScheduleSlot]) -> list[Span]:
    """Spans in which something runs; neighbours of one mode are one."""
    out: list[Span] = []
    for slot in slots:
        if slot.mode in RESTING:
            continue
        last = out[-1] if out else None
        if last is not None and last.end == slot.start and last.mode == slot.mode:
            out[-1] = Span(last.start, slot.end, slot.mode)
        else:
            out.append(Span(slot.start, slot.end, slot.mode))
    return out


def cost_of(slots: Sequence[ScheduleSlot]) -> Decimal:
    """At import prices, as far as they are known; what is given counts for what it saves."""
    return sum((s.energy_kwh * s.price for s in slots if s.price is not None), Decimal(0))


def energy_of(slots: Sequence[ScheduleSlot]) -> Decimal:
    return sum((slot.energy_kwh for slot in slots if slot.mode not in RESTING), Decimal(0))


def sentence(view: DeviceView, now: datetime, zone: ZoneInfo) -> str:
    """The plan in words, short enough for a state."""
    slots = coming_slots(view, now)
    spans = runs(slots)
    if not spans:
        return "Nothing planned"
    shown = [
        f"{WORDS.get(span.mode, span.mode)} {_from(span.start, now, zone)}-{_clock(span.end, zone)}"
        for span in spans[:4]
    ]
    more = f" and {len(spans) - 4} more" if len(spans) > 4 else ""
    schedule = view.planned.schedule
    currency = schedule.currency if schedule is not None else ""
    amount = f"{float(energy_of(slots)):.1f} kWh for {float(cost_of(slots)):.2f} {currency}".strip()
    text = f"{', '.join(shown)}{more}: {amount}"
    return clean_text(f"{text[:1].upper()}{text[1:]}", MOST_TEXT)


@dataclass(frozen=True, slots=True)
class Why:
    """Why it runs or waits, weightiest first; `meaning` is what of that is no number."""

    texts: tuple[str, ...]
    meaning: tuple[object, ...]

    @property
    def text(self) -> str:
        """As many whole sentences as a state holds."""
        lengths = accumulate(len(text) + 1 for text in self.texts)
        fitting = sum(length <= MOST_TEXT + 1 for length in lengths)
        return clean_text(" ".join(self.texts[: max(1, fitting)]), MOST_TEXT)


def why(view: DeviceView, now: datetime, before: Why | None, *, clock_trusted: bool = True) -> Why:
    """The reasons, as they were when what it does or will do last changed.

    While the clock is not trusted nothing is begun, whatever was asked.
    What waiting saves is a cent more or less with every look: that is no news.
    """
    found_texts = _reasons(view, now) if clock_trusted or not view.plugged else [WAITS_FOR_CLOCK]
    texts = tuple(SECONDS.sub(r"\1", text) for text in found_texts)
    schedule, slot = view.planned.schedule, active_slot(view, now)
    revision = None if schedule is None else schedule.revision
    mode = None if slot is None else slot.mode
    found = Why(texts, (revision, mode, *(NUMBERS.sub("", text) for text in texts)))
    return before if before is not None and before.meaning == found.meaning else found


def _reasons(view: DeviceView, now: datetime) -> Sequence[str]:
    plan, slot = view.planned.plan, active_slot(view, now)
    if not view.plugged:
        return ["It is not plugged in."]
    if view.opted_out:
        return ["A person at the device has overridden it; it is planned around."]
    if slot is not None and slot.reason in OF_ITS_OWN:
        return [OF_ITS_OWN[slot.reason]]
    if plan is not None and plan.slots and plan.slots[-1].end <= to_unix_floor(now):
        return ["What was planned is done."]
    found = [] if plan is None else [item.text for item in plan.why]
    return found or ["Nothing is asked of it."]


def attributes(
    view: DeviceView, why: Sequence[str], now: datetime, zone: ZoneInfo
) -> dict[str, object]:
    """The windows, and what is to come of the goal."""
    slots = coming_slots(view, now)
    schedule = view.planned.schedule
    out: dict[str, object] = {"windows": _windows(view, slots, now, zone)}
    if schedule is not None:
        deadline = schedule.goal.ready_by
        out |= {
            "energy_kwh": energy_of(slots),
            "cost": cost_of(slots),
            "baseline_cost": schedule.baseline_cost,
            "ready_by": None if deadline is None else from_unix(deadline),
            "target_soc_percent": schedule.goal.target_soc_percent,
            "revision": schedule.revision,
            "estimated": schedule.estimated,
        }
    out["why"] = [clean_text(text, MOST_TEXT) for text in why]
    return out


def _windows(
    view: DeviceView, slots: Sequence[ScheduleSlot], now: datetime, zone: ZoneInfo
) -> list[dict[str, object]]:
    out: list[dict[str, object]] = []
    second, soc = to_unix_floor(now), view.soc_percent
    for slot in slots[:MOST_WINDOWS]:
        window: dict[str, object] = {
            "start": from_unix(slot.start).astimezone(zone).isoformat(),
            "end": from_unix(slot.end).astimezone(zone).isoformat(),
            "mode": slot.mode,
            "power_w": slot.power_w,
            "energy_kwh": slot.energy_kwh,
            "price": slot.price,
            "cost": None if slot.price is None else slot.price * slot.energy_kwh,
            "reason": slot.reason,
        }
        left = (slot.end - max(slot.start, second)) / (slot.end - slot.start)
        soc = _soc_after(view, slot, soc, left)
        if soc is not None:
            # Whole percents: what is left of a slot changes every second.
            window["soc_percent"] = round(soc)
        if (temperature := _temperature_after(view, slot)) is not None:
            window["temperature_c"] = round(float(temperature), 1)
        out.append(window)
    return out


def _soc_after(
    view: DeviceView, slot: ScheduleSlot, before: float | None, left: float
) -> float | None:
    """Where the plan says what it holds then, that; else by the energy of the slot."""
    if view.battery_kwh is None:
        return None
    stored = _planned(view, slot, "energy_kwh")
    if stored is not None:
        return min(100.0, 100 * float(stored) / view.battery_kwh)
    if before is None:
        return None
    energy = float(slot.energy_kwh) * left
    energy *= view.charge_efficiency if energy > 0 else 1 / view.discharge_efficiency
    return min(100.0, max(0.0, before + 100 * energy / view.battery_kwh))


def _temperature_after(view: DeviceView, slot: ScheduleSlot) -> Decimal | None:
    return _planned(view, slot, "temperature_c")


def _planned(view: DeviceView, slot: ScheduleSlot, what: str) -> Decimal | None:
    """What the plan expects at the slot's end."""
    plan = view.planned.plan
    if plan is None:
        return None
    found = [item for item in plan.slots if item.start < slot.end <= item.end]
    value: Decimal | None = getattr(found[0], what) if found else None
    return value


def _from(seconds: int, now: datetime, zone: ZoneInfo) -> str:
    """With its day where that is not today."""
    start = from_unix(seconds).astimezone(zone)
    today = start.date() <= now.astimezone(zone).date()
    return f"{start:%H:%M}" if today else f"{start:%a %H:%M}"


def _clock(seconds: int, zone: ZoneInfo) -> str:
    return f"{from_unix(seconds).astimezone(zone):%H:%M}"
