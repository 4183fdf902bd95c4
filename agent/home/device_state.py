"""What is known of one device: its last readings, the session it is in, the energy it took.

Power is integrated between readings, so that a load without a counter is metered too, and a car's
SoC is carried on while it charges. Shell code calls in with `now`; nothing here waits.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.energy.instants import format_instant, parse_instant
from agent.energy.readings import AGE_LIMITS, Acknowledgement, AckStatus, Reading, Value

# A retained reading without a time of its own may be this old.
UNTIMED_RETAINED_AGE = timedelta(days=1)
OPT_OUT_LASTS = timedelta(hours=24)
ON_POWER_FRACTION = 0.05
# Smaller changes are not worth a new plan, nor a write to the SD card.
REPLAN_THRESHOLDS = {"soc_percent": 0.5, "energy_kwh": 0.1, "temperature_c": 0.5}
# Keys of the stored session that had another name in earlier versions.
FORMER_NAMES = {"met_at": "satisfied_at"}
PERSISTED_KINDS = ("plugged", "soc_percent", "energy_kwh", "mode", "error")


@dataclass(frozen=True, slots=True)
class MeteredInterval:
    """Energy taken over a span, as metered."""

    start: datetime
    end: datetime
    energy_kwh: float


@dataclass(slots=True)
class Session:
    """A stay of a car or a run of a program: since when, when its need was last met.

    `started_at` is when a program was told to run, `confirmed` whether it said that it does.
    """

    since: datetime | None = None
    satisfied_at: datetime | None = None
    opted_out_at: datetime | None = None
    started_at: datetime | None = None
    confirmed: bool = False


@dataclass(slots=True)
class DeviceState:
    """The state of one device. `progress` is kWh taken by window (its start as text)."""

    device: str
    max_power_w: float
    readings: dict[str, Reading] = field(default_factory=dict)
    session: Session = field(default_factory=Session)
    progress: dict[str, float] = field(default_factory=dict)
    session_energy_kwh: float = 0.0
    energy_since_soc_kwh: float = 0.0
    integrated_to: datetime | None = None
    window: str | None = None
    on_since: datetime | None = None
    off_since: datetime | None = None
    last_seen_at: datetime | None = None
    acknowledged: Acknowledgement | None = None
    boost_until: datetime | None = None
    intervals: list[MeteredInterval] = field(default_factory=list)

    def value(self, kind: str, now: datetime) -> Value | None:
        """The last reading of that kind; None where there is none or it is too old to believe."""
        reading = self.readings.get(kind)
        return reading.value if reading and reading.holds(now) else None

    def number(self, kind: str, now: datetime) -> float | None:
        value = self.value(kind, now)
        return float(value) if isinstance(value, int | float) and value is not None else None

    def integrate_to(self, now: datetime) -> None:
        """Count the energy taken since it was counted last, while the power is believed."""
        power = self.readings.get("power_w")
        if power is None or not isinstance(power.value, int | float):
            return
        start = max(power.at, self.integrated_to or power.at)
        end = min(now, power.at + AGE_LIMITS["power_w"])
        if end > start:
            self._add_energy(float(power.value), start, end)
            self.integrated_to = end

    def _reintegrate(self, reading: Reading) -> None:
        """A power that held earlier than it was told: what was counted since was another one."""
        old = self.readings.get("power_w")
        if self.integrated_to is None or old is None or reading.at >= self.integrated_to:
            return
        more = float(reading.value) - float(old.value)
        self._add_energy(more, reading.at, self.integrated_to)

    def _add_energy(self, power_w: float, start: datetime, end: datetime) -> None:
        kwh = power_w * (end - start).total_seconds() / 3_600_000
        if not kwh:
            return
        self.intervals.append(MeteredInterval(start, end, kwh))
        self.session_energy_kwh += kwh
        self.energy_since_soc_kwh += kwh
        if self.window is not None:
            self.progress[self.window] = self.progress.get(self.window, 0.0) + kwh

    def pop_intervals(self) -> list[MeteredInterval]:
        """What was taken since the last call, for the ledger."""
        intervals, self.intervals = self.intervals, []
        return intervals

    def note(self, reading: Reading, now: datetime) -> bool:
        """Take a reading in. True where it matters for the plan."""
        self.last_seen_at = now
        if reading.at > now + timedelta(minutes=5):
            # A device whose clock is ahead is heard, but its time is not believed.
            reading = Reading(reading.kind, reading.value, now)
        old = self.readings.get(reading.kind)
        if old is not None and reading.at < old.at:
            return False
        if reading.kind == "power_w":
            self.integrate_to(reading.at)
            self._reintegrate(reading)
            self._switching(float(reading.value), reading.at)
        self.readings[reading.kind] = reading
        if reading.kind == "soc_percent":
            self.integrate_to(reading.at)
            self.energy_since_soc_kwh = 0.0
        if reading.kind == "plugged" and (old is None or old.value != reading.value):
            self.session = Session(since=reading.at if reading.value else None)
        if reading.kind == "power_w":
            return False
        if old is None or old.value == reading.value or reading.kind not in REPLAN_THRESHOLDS:
            return old is None or old.value != reading.value
        return abs(float(reading.value) - float(old.value)) >= REPLAN_THRESHOLDS[reading.kind]

    def _switching(self, power_w: float, at: datetime) -> None:
        on = power_w >= ON_POWER_FRACTION * self.max_power_w
        if on and self.on_since is None:
            self.on_since, self.off_since = at, None
        elif not on and (self.on_since is not None or self.off_since is None):
            self.on_since, self.off_since = None, at

    def untimed_reading(self, kind: str, value: Value, *, retained: bool, now: datetime) -> Reading:
        """A reading without a time: now, but a retained one is as old as what it repeats."""
        if not retained:
            return Reading(kind, value, now)
        old = self.readings.get(kind)
        if old is not None and old.value == value:
            return old
        return Reading(kind, value, now - UNTIMED_RETAINED_AGE)

    def acknowledge(self, ack: Acknowledgement, now: datetime) -> bool:
        """Take an acknowledgement in. True where it matters for the plan."""
        self.last_seen_at = now
        self.acknowledged = ack
        session = self.session
        if ack.status is AckStatus.ABORTED and ack.diagnostic == "user_opt_out":
            changed = session.opted_out_at is None
            session.opted_out_at = session.opted_out_at or now
            return changed
        if ack.status is AckStatus.ACCEPTED and session.opted_out_at is not None:
            session.opted_out_at = None
            return True
        if ack.status is AckStatus.STARTED and not session.confirmed:
            session.started_at = session.started_at or now
            session.confirmed = True
            return True
        if ack.status in (AckStatus.SUCCEEDED, AckStatus.ABORTED) and session.started_at:
            session.started_at, session.confirmed = None, False
            session.satisfied_at = now
            return True
        return False

    def begin(self, now: datetime) -> None:
        """A program was told to run."""
        self.session.started_at = self.session.started_at or now

    def confirm_start(self, power_w: float) -> bool:
        """A program that draws power runs. True where that is news."""
        session = self.session
        if session.started_at is None or session.confirmed or power_w <= 0:
            return False
        session.confirmed = True
        return True

    def finish(self, length: timedelta, now: datetime) -> None:
        """A program that does not tell its end has ended when its time is over."""
        session = self.session
        if session.started_at is not None and now >= session.started_at + length:
            session.started_at, session.confirmed = None, False
            session.satisfied_at = now

    def forget_progress(self, before: datetime) -> None:
        """Windows that began before that are over and done."""
        limit = format_instant(before)
        for key in [key for key in self.progress if key < limit]:
            del self.progress[key]

    def opted_out(self, now: datetime) -> bool:
        """A person at the device has overridden it; for 24 hours at most."""
        since = self.session.opted_out_at
        return since is not None and now - since < OPT_OUT_LASTS

    def to_text(self) -> str:
        """Session and progress for the store; readings have a table of their own."""
        session = {
            name: format_instant(when)
            for name in ("since", "satisfied_at", "opted_out_at", "started_at")
            if (when := getattr(self.session, name)) is not None
        }
        progress = {key: round(kwh, 1) for key, kwh in self.progress.items()}
        stored = {"session": session, "confirmed": self.session.confirmed, "progress": progress}
        return json.dumps(stored, separators=(",", ":"))

    def restore(self, text: str | None, readings: Mapping[str, Reading]) -> None:
        """What was stored by an earlier life."""
        self.readings.update(readings)
        if text is None:
            return
        stored = json.loads(text)
        for name, when in stored["session"].items():
            setattr(self.session, FORMER_NAMES.get(name, name), parse_instant(when))
        self.session.confirmed = stored["confirmed"]
        self.progress = {key: float(kwh) for key, kwh in stored["progress"].items()}
