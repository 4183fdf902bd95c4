"""Devices of other makers, spoken to as a profile says: readings in, commands out.

What such a device is told is never retained: it would be told again when it comes back, whatever
holds then.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from agent.config.devices import DeviceSection
from agent.contracts.state import KEYS, shown, unreadable
from agent.contracts.text import UNREADABLE
from agent.energy.readings import Presence
from agent.energy.schedule import Schedule, Setpoint
from agent.errors import Malformed
from agent.ports import Decoded, Forgotten, Message, OutgoingMessage, Switched, UntimedReading
from integrations.devices.payloads import (
    ABSENT,
    Scalar,
    Values,
    at_path,
    fill,
    render,
    same,
    scalar_of,
    text_of,
)
from integrations.devices.profile import (
    MISSED_REFRESHES,
    Condition,
    PresenceTopic,
    Profile,
    Read,
    Step,
)

MAX_BYTES = 8192
SWITCHED = "switched"


class TemplateDevice:
    """One device of a profile's family. Remembers what it read last, for conditions."""

    acknowledges = False
    holds_schedule = False
    keeps_run = False

    def __init__(self, profile: Profile, section: DeviceSection, base_topic: str) -> None:
        self._profile = profile
        given = section.adapter.model_dump()
        self._given: dict[str, Scalar | None] = {key: given[key] for key in profile.parameters}
        self._given |= {"base": base_topic, "device": section.id}
        self._switches_phases = getattr(section, "phases", None) == SWITCHED
        self._last: dict[str, Scalar] = {}
        self._reads: dict[str, list[Read]] = defaultdict(list)
        for read in profile.reads:
            if (topic := fill(read.topic, self._given)) is not None:
                path = fill(read.path, self._given) or ""
                self._reads[topic].append(read.model_copy(update={"path": path}))
        presence = profile.presence
        self._presence: PresenceTopic | None = presence
        self._presence_topic = None if presence is None else fill(presence.topic, self._given)

    @property
    def refresh_s(self) -> int | None:
        return self._profile.refresh_s

    @property
    def subscriptions(self) -> Sequence[str]:
        topics = dict.fromkeys(self._reads)
        if self._presence_topic is not None:
            topics[self._presence_topic] = None
        return tuple(topics)

    # --- what it says ---------------------------------------------------------------------------

    def decode(self, message: Message) -> Sequence[Decoded]:
        topic, payload = message.topic, message.payload
        if len(payload) > MAX_BYTES:
            raise Malformed(f"{topic}: {len(payload)} bytes, at most {MAX_BYTES} are read")
        out: list[Decoded] = []
        if topic == self._presence_topic and self._presence is not None:
            out += self._presence_in(self._presence, message)
        for read in self._reads.get(topic, ()):
            out += self._value_in(read, message)
        return out

    def _presence_in(self, presence: PresenceTopic, message: Message) -> list[Decoded]:
        found = _found(message, presence.path)
        word = text_of(found) if isinstance(found, bool | int | float | str) else ""
        if word in (presence.online, presence.offline):
            return [Presence(word == presence.online)]
        expected = f"expected {presence.online} or {presence.offline}"
        raise Malformed(f"{message.topic}: is {shown(word)}; {expected}")

    def _value_in(self, read: Read, message: Message) -> list[Decoded]:
        raw = _found(message, read.path)
        if raw is ABSENT:
            # Many messages tell a part of the state only.
            raw = read.absent
            value = raw
        else:
            try:
                says_nothing = raw is None or (read.ignore and text_of(raw) in read.ignore)
                value = None if says_nothing else read.conversion.apply(raw)
                if value is not None and read.name in KEYS:
                    value = KEYS[read.name](value)
            except (ValueError, OverflowError) as error:
                return [unreadable(read.name, shown(raw), error)]
        if value is None:
            return []
        forgotten = self._goes_neutral(read, value)
        self._last[read.name] = value
        if read.name not in KEYS:
            return [Forgotten()] if forgotten else []
        out: list[Decoded] = [
            UntimedReading(read.name, value, current=self._profile.retained_is_current)
        ]
        runs = self._profile.runs
        if runs is not None and runs.read == read.name:
            out.append(Switched(self._holds(runs, self._given)))
        return out

    def _goes_neutral(self, read: Read, value: Scalar) -> bool:
        """Is it back, by no command of ours, in the state that nobody chooses?"""
        neutral, last = self._profile.neutral, self._last.get(read.name)
        if neutral is None or neutral.read != read.name or last is None:
            return False
        wanted = render(neutral.equals, self._given)
        return wanted is not None and same(value, wanted) and not same(last, wanted)

    # --- what it is told ------------------------------------------------------------------------

    def fit(self, schedule: Schedule) -> Schedule:
        return schedule

    def encode_schedule(self, schedule: Schedule) -> Sequence[OutgoingMessage]:
        return ()

    def encode_setpoint(
        self, setpoint: Setpoint, *, repeated: bool = False
    ) -> Sequence[OutgoingMessage]:
        if repeated and setpoint.mode not in self._profile.repeat:
            return ()
        steps = self._profile.modes.get(setpoint.mode, ())
        return self._messages(steps, self._values(setpoint), timed=True)

    def lasts_s(self, setpoint: Setpoint) -> int | None:
        if self._profile.lasts is None or setpoint.mode not in self._profile.repeat:
            return None
        seconds = render(self._profile.lasts, self._values(setpoint))
        return None if seconds is None else int(seconds)

    def _values(self, setpoint: Setpoint) -> dict[str, Scalar | None]:
        refresh_s = self._profile.refresh_s or 0
        return {
            **self._given,
            "mode": setpoint.mode,
            "power_w": setpoint.power_w,
            "current_a": setpoint.current_a,
            "phases": setpoint.phases,
            "switch_phases": setpoint.phases if self._switches_phases else None,
            "watchdog_s": max(setpoint.offline.after_s, MISSED_REFRESHES * refresh_s),
        }

    def queries(self) -> Sequence[OutgoingMessage]:
        return self._messages(self._profile.queries, self._given, timed=False)

    @property
    def harmless(self) -> str | None:
        payload = self._profile.harmless
        return None if payload is None else render(payload, self._given)

    def withdraw(self) -> Sequence[OutgoingMessage]:
        if self._profile.release is None:
            return ()
        # Back to its own logic is right at any time, whatever the clock shows.
        return self._messages(self._profile.modes[self._profile.release], self._given, timed=False)

    def _messages(
        self, steps: Iterable[Step], values: Values, *, timed: bool
    ) -> Sequence[OutgoingMessage]:
        out = []
        for step in steps:
            if step.when is not None and not self._holds(step.when, values):
                continue
            if step.unless is not None and self._holds(step.unless, values):
                continue
            topic, payload = fill(step.topic, values), render(step.payload, values)
            if topic is None or payload is None:
                continue
            out.append(OutgoingMessage(topic, payload, retain=False, timed=timed))
            if step.unless is not None:
                # Not known until it is read back: the next command must not be spared by it.
                self._last.pop(step.unless.read, None)
        return tuple(out)

    def _holds(self, condition: Condition, values: Values) -> bool:
        last, wanted = self._last.get(condition.read), render(condition.equals, values)
        return last is not None and wanted is not None and same(last, wanted)


def _found(message: Message, path: str) -> Any:
    """The value of the payload at the path. Raises Malformed."""
    if not path:
        return scalar_of(message.payload)
    try:
        return at_path(json.loads(message.payload), path)
    except UNREADABLE:
        raise Malformed(
            f"{message.topic}: is no JSON", message.payload[:200].decode("utf-8", "replace")
        ) from None
