"""What people are told of a device: its line in health, and events told once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.control.managed_device import ManagedDevice
from agent.energy.phases import SWITCHED
from agent.energy.readings import Acknowledgement, AckStatus
from agent.energy.sentences import joined, sentence
from agent.health import Health
from agent.home.kinds import KINDS
from agent.home.model.following import Deviation
from agent.ports import UnknownKeys
from agent.report.event_queue import EventQueue

# One that has no stays is said anew so often not to do what it is told, or to refuse it.
SAID_AGAIN_AFTER = timedelta(hours=24)
SILENT_AFTER = timedelta(hours=24)
ACTION_INSPECT = sentence("owner: look at the device")
ACTION_CORRECT = sentence("owner: correct the config, or what is set in the device")
ACTION_PUBLISH = sentence("owner: connect the device to the broker; it publishes its state")
NOT_HEARD = sentence("not heard from yet")
SILENT = sentence("silent for a day")
OFFLINE = sentence("offline by its own word")
NO_ANSWER = sentence("does not acknowledge its schedule: nobody knows whether it follows it")
UNKNOWN_KEYS_NAMED = 16


@dataclass(slots=True)
class DeviceReport:
    """`acknowledges(device)`: it is expected to confirm what it is told.

    `revision_problem(device)`: what is wrong with the revision that it says it holds.
    """

    health: Health
    events: EventQueue
    acknowledges: Callable[[str], bool]
    revision_problem: Callable[[str], str | None]

    def update(self, name: str, device: ManagedDevice, now: datetime) -> None:
        """Bring its line in health up to date, and say what is new."""
        part, model = f"device:{name}", device.model
        problems = self._problems(name, device, now)
        if model.last_seen_at is None:
            self.health.degraded(part, NOT_HEARD, ACTION_PUBLISH)
        elif now - model.last_seen_at > SILENT_AFTER:
            why = SILENT
            known = self.health.parts.get(part)
            if known is None or known.why != why:
                self.events.event("device_silent", name, why)
            self.health.degraded(part, why, ACTION_INSPECT)
        elif model.online is False:
            self.health.degraded(part, OFFLINE, ACTION_INSPECT)
        elif problems:
            wrong_config = problems == contradictions(device)
            action: str = ACTION_CORRECT if wrong_config else ACTION_INSPECT
            self.health.degraded(part, joined((*problems, *device.notes)), action)
        elif device.notes:
            action = KINDS[device.section.type].assumed_action
            self.health.degraded(part, joined((*device.notes, *device.beliefs)), action)
        else:
            self.health.ok(part, joined(device.beliefs))
        self._say_deviation(name, device, now)

    def answered(
        self, name: str, device: ManagedDevice, ack: Acknowledgement, now: datetime
    ) -> None:
        """It has acknowledged: a refusal is an event once, until it accepts or a day is over."""
        if ack.status is AckStatus.REJECTED:
            device.rejected = sentence(
                "rejected its schedule: {reason}",
                reason=ack.diagnostic or sentence("no reason given"),
            )
            said = device.refusal_said_at
            if said is None or now - said >= SAID_AGAIN_AFTER:
                device.refusal_said_at = now
                self.events.event("device_refuses", name, device.rejected)
        elif ack.status is AckStatus.ACCEPTED:
            device.rejected, device.refusal_said_at = "", None

    def unknown_keys(self, name: str, device: ManagedDevice, item: UnknownKeys) -> None:
        new = [key for key in item.keys if key not in device.said_unknown]
        if not new or len(device.said_unknown) >= UNKNOWN_KEYS_NAMED:
            return
        device.said_unknown.update(new)
        text = sentence(
            "its state has unknown key(s) {keys}; they are skipped", keys=", ".join(new)
        )
        self.events.event("unknown_keys", name, text)

    def _problems(self, name: str, device: ManagedDevice, now: datetime) -> list[str]:
        problems = device.model.problems(now)
        if device.rejected:
            problems.append(device.rejected)
        elif device.model.never_answers() and self.acknowledges(name):
            problems.append(NO_ANSWER)
        if (problem := self.revision_problem(name)) is not None:
            problems.append(problem)
        return problems + contradictions(device)

    def _say_deviation(self, name: str, device: ManagedDevice, now: datetime) -> None:
        """One event a stay, a day where there are none, that it does something else than told."""
        model = device.model
        deviation, said = model.following.deviation, model.session.deviated_at
        if deviation is None:
            return
        if said is None or (not model.traits.has_stays and now - said >= SAID_AGAIN_AFTER):
            model.session.deviated_at = now
            takes_nothing = deviation is Deviation.TAKES_NOTHING
            tried = sentence("tried again in half an hour") if takes_nothing else ""
            self.events.event("not_following", name, joined((str(deviation), tried)))


def contradictions(device: ManagedDevice) -> list[str]:
    """Where the device's own words differ from the config."""
    info, profile = device.info, device.profile
    out: list[str] = []
    if info is None:
        return out
    if info.max_power_w is not None and info.max_power_w + 50 < profile.max_power_w:
        out.append(
            sentence(
                "says it can take {told:g} W, the config {configured} W",
                told=info.max_power_w,
                configured=profile.max_power_w,
            )
        )
    if info.min_power_w is not None and info.min_power_w > profile.max_power_w:
        out.append(
            sentence(
                "says it needs {told:g} W, the config at most {configured}",
                told=info.min_power_w,
                configured=profile.max_power_w,
            )
        )
    if info.phases is not None and profile.phases is not None:
        can = SWITCHED if info.phases == "switched" else (info.phases,)
        counts = profile.phases.counts
        if not set(counts) <= set(can):
            *some, last = map(str, counts)
            planned = sentence("{some} or {last}", some=", ".join(some), last=last)
            text = sentence(
                "says phases: {told}, it is planned with {planned}",
                told=info.phases,
                planned=planned if some else last,
            )
            out.append(text)
    return out
