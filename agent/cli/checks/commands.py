"""What the agent would say to a device of another maker: nothing is sent."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from agent.cli.checks.result import CheckResult, passed
from agent.config import Config
from agent.config.devices import DeviceSection
from agent.energy.instants import to_unix_floor
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import MODES, Setpoint
from agent.home.kinds import profile_of
from agent.ports import OutgoingMessage
from integrations.registry import device_adapter

EXAMPLE_S = 3600


def check_commands(device: DeviceSection, config: Config) -> Iterator[CheckResult]:
    """A line a mode, at full power; nothing for a device that gets our own schedules."""
    adapter = device_adapter(device, config.base_topic)
    if adapter.holds_schedule:
        return
    profile = profile_of(device, config)
    for mode in MODES[profile.type]:
        messages = adapter.encode_setpoint(_full(profile, mode))
        yield passed(device.id, f"{mode}: {_shown(messages)}")


def would_say(device: DeviceSection, config: Config) -> list[OutgoingMessage]:
    """What a device of another maker would be told in all its modes, at full power."""
    adapter, profile = device_adapter(device, config.base_topic), profile_of(device, config)
    return [
        message
        for mode in MODES[profile.type]
        for message in adapter.encode_setpoint(_full(profile, mode))
    ]


def _shown(messages: Sequence[OutgoingMessage]) -> str:
    return ", then ".join(f"{message.topic} {message.payload}" for message in messages)


def _full(profile: DeviceProfile, mode: str) -> Setpoint:
    """That mode for the next hour, at the most that the device may take."""
    now, wiring = to_unix_floor(datetime.now(UTC)), profile.phases
    phases = wiring.counts[-1] if wiring is not None else None
    power_w = profile.max_power_w if mode == profile.on_mode else 0
    return Setpoint(
        revision=now,
        at=now,
        mode=mode,
        power_w=power_w,
        until=now + EXAMPLE_S,
        default=profile.default,
        offline=profile.offline,
        reason="cheapest",
        current_a=wiring.current_a(power_w, phases) if wiring and phases else None,
        phases=phases,
    )
