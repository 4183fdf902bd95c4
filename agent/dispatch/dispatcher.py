"""What each device holds: revisions, schedules, the setpoint of the moment, acknowledgements."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.contracts.text import read_member
from agent.dispatch.device_store import DeviceStore
from agent.dispatch.event_queue import EventQueue
from agent.dispatch.ledger import Ledger
from agent.dispatch.limit import PendingReductions, decreases, increases, minimum_of
from agent.dispatch.outbox import Outbox
from agent.dispatch.schedules import (
    DeviceProfile,
    describe_schedule,
    needs_publishing,
    next_revision,
    setpoint_at,
)
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.schedule import DeviceType, Schedule, Setpoint
from agent.health import Health
from agent.home.windows import SiteLocation
from agent.ports import DeviceAdapter, OutgoingMessage

LIMIT = "limit"
# Anybody may acknowledge anything; a number at the end of the 32 bits would leave us none.
MAX_PLAUSIBLE_REVISION = 2**32 - 1_000_000


@dataclass(slots=True)
class Dispatcher:
    """`limited`: a site limit holds, so what raises waits for what lowers.

    `retire` gives the messages that empty all topics of a device that is not in the config;
    `on_switch(device, is_on)` is told when a setpoint turns a device on or off, `on_room` when
    what waited may now be raised.
    """

    profiles: Mapping[str, DeviceProfile]
    adapters: Mapping[str, DeviceAdapter]
    outbox: Outbox
    device_store: DeviceStore
    events: EventQueue
    health: Health
    ledger: Ledger
    place: Callable[[], SiteLocation]
    withdraw_device: Callable[[str], list[OutgoingMessage]]
    on_switch: Callable[[str, bool], None]
    on_headroom: Callable[[], None]
    limited: bool = False
    _published: dict[str, Schedule] = field(default_factory=dict)
    _setpoints: dict[str, Setpoint] = field(default_factory=dict)
    _highest_seen: dict[str, int] = field(default_factory=dict)
    _unanswered: dict[str, set[int]] = field(default_factory=dict)
    _room: PendingReductions = field(default_factory=PendingReductions)

    def restore(self) -> None:
        """What devices held when an earlier life ended is true until it is changed."""
        for device, schedule in self.device_store.schedules().items():
            if device in self.profiles:
                self._published[device] = schedule
                self.events.put(*self.adapters[device].encode_schedule(schedule))
            else:
                self.events.put(*self.withdraw_device(device))
                self.device_store.forget_schedule(device)

    @property
    def holds_any(self) -> bool:
        return bool(self._published)

    def next_change(self) -> datetime | None:
        """When the next setpoint is due."""
        ends = [setpoint.until for setpoint in self._setpoints.values()]
        return from_unix(min(ends)) if ends else None

    # --- what comes in --------------------------------------------------------------------------

    def on_ack(self, device: str, ack: Acknowledgement) -> None:
        self._note_revision(device, ack.revision)
        waiting = self._unanswered.get(device, set())
        if ack.status is AckStatus.ACCEPTED and ack.revision in waiting:
            waiting.discard(ack.revision)
            self.ledger.of(device).schedules_followed += 1
        if self._room.acknowledged(device, ack.revision) and self._room.complete:
            self.health.ok(LIMIT)
            self.on_headroom()

    def on_retained_schedule(self, device: str, payload: bytes) -> None:
        """What the broker still holds from an earlier life of ours."""
        if device not in self.profiles:
            self.events.put(*self.withdraw_device(device))
            return
        revision = read_member(payload, "revision")
        if isinstance(revision, int):
            self._note_revision(device, revision)

    def _note_revision(self, device: str, revision: int) -> None:
        if revision <= MAX_PLAUSIBLE_REVISION:
            self._highest_seen[device] = max(self._highest_seen.get(device, 0), revision)

    # --- what goes out --------------------------------------------------------------------------

    async def issue(
        self, wanted: Mapping[str, Schedule], exact: Mapping[str, bool], now: int
    ) -> list[str]:
        """Publish those schedules that are due; the devices whose schedule is new."""
        fitted = {device: self.adapters[device].fit(item) for device, item in wanted.items()}
        if self.limited:
            fitted = self._within_limit(fitted, now)
        issued = []
        for device, schedule in fitted.items():
            if needs_publishing(self._published.get(device), schedule, now, exact=exact[device]):
                await self._publish(device, schedule, now)
                issued.append(device)
        return issued

    def _within_limit(self, wanted: dict[str, Schedule], now: int) -> dict[str, Schedule]:
        """First everybody takes the lower of old and new; more only when that is acknowledged."""
        if late := self._room.overdue(now):
            names = ", ".join(sorted(late))
            self.health.degraded(LIMIT, f"unproven: {names} did not acknowledge to take less")
        making_room = not self._room.complete or any(
            decreases(self.profiles[device], self._published.get(device), item, now)
            for device, item in wanted.items()
        )
        if not making_room:
            return wanted
        out = {}
        for device, item in wanted.items():
            profile, held = self.profiles[device], self._published.get(device)
            waits = increases(profile, held, item, now)
            out[device] = minimum_of(profile, held, item, now) if waits else item
        return out

    async def _publish(self, device: str, schedule: Schedule, now: int) -> None:
        revision = next_revision(
            now, self.device_store.highest_revision(device), self._highest_seen.get(device, 0)
        )
        schedule = replace(schedule, revision=revision)
        if self.limited and decreases(
            self.profiles[device], self._published.get(device), schedule, now
        ):
            self._room.lowered(device, revision, now)
        self.device_store.issue(schedule)
        self._note_revision(device, revision)
        self.ledger.of(device).schedules += 1
        self._unanswered.setdefault(device, set()).add(revision)
        self._published[device] = schedule
        await self.outbox.put(*self.adapters[device].encode_schedule(schedule))
        self.events.event(
            "plan_changed", device, describe_schedule(schedule, self.place().zone, now)
        )

    @property
    def increase_due_at(self) -> datetime | None:
        """When what waits for an acknowledgement is raised without it."""
        when = self._room.waits_until
        return None if when is None else from_unix(when)

    async def publish_due_setpoints(self, now: datetime) -> None:
        """Publish each setpoint whose time has come."""
        second = to_unix_floor(now)
        for device, schedule in self._published.items():
            old = self._setpoints.get(device)
            if old and old.revision == schedule.revision and second < old.until:
                continue
            profile = self.profiles[device]
            new = setpoint_at(schedule, profile, second)
            self._setpoints[device] = new
            await self.outbox.put(self.adapters[device].encode_setpoint(new))
            is_on = new.mode == profile.on_mode
            if is_on != (old is not None and old.mode == profile.on_mode):
                self._queue_switch_event(profile, new, is_on=is_on)
                self.on_switch(device, is_on)

    def _queue_switch_event(
        self, profile: DeviceProfile, setpoint: Setpoint, *, is_on: bool
    ) -> None:
        if is_on:
            text = f"{setpoint.mode} at {setpoint.power_w} W"
            self.events.event("window_started", profile.id, text)
        elif profile.type is not DeviceType.PROGRAM:
            # A program runs on when nothing tells it to start any more.
            self.events.event("window_ended", profile.id, f"now {setpoint.mode}")
