"""The setpoint of the moment, brought to each device in the way that its family needs. Plain calls.

A device that holds a schedule is told once. One that does not is told again whenever it may have
missed or forgotten it, and in between as often as its family wants, so that a device which goes
back to a safe state by itself does so only when the agent is gone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.dispatch.outbox import Outbox, device_lane
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import Setpoint
from agent.energy.sentences import sentence
from agent.ports import DeviceAdapter, OutgoingMessage


@dataclass(slots=True)
class SetpointSender:
    """`adapters` by device, meters among them: those are only asked. Instants in Unix seconds.

    `on_arrived(device, setpoint, lasts_s)` hears when one that holds no schedule has been told its
    setpoint, again too, and for how long that lasts; None: it is released.
    """

    adapters: Mapping[str, DeviceAdapter]
    outbox: Outbox
    on_arrived: Callable[[str, Setpoint | None, int | None], None] = lambda device, told, lasts: (
        None
    )
    _setpoints: dict[str, Setpoint] = field(default_factory=dict, init=False)
    # The last message of what each is told, until it is out.
    _on_way: dict[str, tuple[OutgoingMessage, Setpoint | None]] = field(
        default_factory=dict, init=False
    )
    _refreshed_at: dict[str, int] = field(default_factory=dict, init=False)
    _released: bool = field(default=False, init=False)

    def current(self, device: str) -> Setpoint | None:
        return self._setpoints.get(device)

    def next_moments(self) -> Iterator[int]:
        """When each setpoint ends, and when each is said again."""
        yield from (setpoint.until for setpoint in self._setpoints.values())
        for device, at in self._refreshed_at.items():
            yield at + (self.adapters[device].refresh_s or 0)

    def tell(self, device: str, setpoint: Setpoint) -> None:
        self._setpoints[device] = setpoint
        if self.adapters[device].refresh_s is not None:
            self._refreshed_at[device] = setpoint.at
        self._command(device, self.adapters[device].encode_setpoint(setpoint), setpoint)

    def withdraw(self, device: str) -> None:
        """Take everything back that the device was told, its schedule too."""
        self._setpoints.pop(device, None)
        self._command(device, self.adapters[device].withdraw(), None)

    def refresh(self, now: int) -> None:
        """Say again what is due to be said again, and ask those devices how they are."""
        for device, adapter in self.adapters.items():
            if adapter.refresh_s is None:
                continue
            last = self._refreshed_at.get(device)
            # One of the future was before the clock was set back.
            if last is not None and last <= now < last + adapter.refresh_s:
                continue
            self._refreshed_at[device] = now
            if (setpoint := self._setpoints.get(device)) is not None:
                messages = adapter.encode_setpoint(setpoint, repeated=True)
                if messages:
                    self._command(device, messages, setpoint)
            self._send(device, adapter.queries())

    def connected(self) -> None:
        """A new connection, or a clock that is trusted again.

        What was said meanwhile is lost to devices that hold no schedule.
        """
        for device in self.adapters:
            self.tell_again(device)

    def tell_again(self, device: str) -> None:
        """It may not have heard or has forgotten what it was told, and may have done anything."""
        adapter, setpoint = self.adapters[device], self._setpoints.get(device)
        if adapter.holds_schedule:
            return
        if setpoint is not None:
            self._command(device, adapter.encode_setpoint(setpoint), setpoint)
        self._send(device, adapter.queries())

    def release_at_end(self) -> None:
        """The agent stops: devices that hold no schedule are on their own logic from now on."""
        for device in self._setpoints:
            if not self.adapters[device].holds_schedule:
                self._command(device, self.adapters[device].withdraw(), None)
        self._released = True

    def refused(self, topic: str) -> None:
        """The broker's rules forbid it: whoever it is for does not hear it."""
        for device, (last, _) in list(self._on_way.items()):
            if last.topic == topic:
                del self._on_way[device]

    def sent(self, message: OutgoingMessage) -> None:
        """The broker has it: it was told to whoever is there."""
        for device, (last, setpoint) in self._on_way.items():
            if last is message:
                del self._on_way[device]
                self._arrives(device, setpoint)
                return

    def _command(
        self, device: str, messages: Sequence[OutgoingMessage], setpoint: Setpoint | None
    ) -> None:
        if self._released or self.adapters[device].holds_schedule:
            self._send(device, messages)
            return
        self._on_way.pop(device, None)
        if messages:
            self._on_way[device] = messages[-1], setpoint
        else:
            # By its own word it stands so.
            self._arrives(device, setpoint)
        self._send(device, messages)

    def _arrives(self, device: str, setpoint: Setpoint | None) -> None:
        lasts_s = None if setpoint is None else self.adapters[device].lasts_s(setpoint)
        self.on_arrived(device, setpoint, lasts_s)

    def _send(self, device: str, messages: Iterable[OutgoingMessage]) -> None:
        if not self._released or self.adapters[device].holds_schedule:
            self.outbox.set(device_lane(device), *messages)


def kept_running(setpoint: Setpoint, profile: DeviceProfile, until: int | None) -> Setpoint:
    """The setpoint for one that keeps no run by itself: `run` until it is through (None: is)."""
    if until is None or until <= setpoint.at or setpoint.mode == profile.on_mode:
        return setpoint
    return replace(
        setpoint,
        mode=profile.on_mode,
        power_w=profile.max_power_w,
        until=min(until, setpoint.until),
        reason=sentence("runs until it is through"),
    )
