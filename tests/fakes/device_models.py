"""Models of a car and of a relay, told and heard without the rest of a home."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from agent.energy.instants import to_unix_floor
from agent.energy.readings import Reading
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule, ScheduleSlot
from agent.home.model import stored
from agent.home.model.device_model import DeviceModel
from agent.home.model.traits import Traits

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def car() -> DeviceModel:
    return DeviceModel("ev", Traits(7400.0, 50.0, 0.9, has_stays=True))


def say(model: DeviceModel, minutes: float, **values: float | bool | str) -> None:
    """Minutes after NOW."""
    when = NOW + minutes * MINUTE
    for kind, value in values.items():
        model.report(Reading(kind, value, when), when)


def schedule(*spans: tuple[int, int, int], mode: str = "charge") -> Schedule:
    """Slots as (first minute, last minute, W), told at NOW."""
    begin = to_unix_floor(NOW)
    return Schedule(
        device="ev",
        device_type=DeviceType.EVSE,
        revision=begin,
        issued_at=begin,
        valid_from=begin - 300,
        valid_until=begin + 86_400,
        currency="EUR",
        slots=tuple(
            ScheduleSlot(begin + a * 60, begin + b * 60, mode, watts, Decimal(0), None, "cheapest")
            for a, b, watts in spans
        ),
        default=DefaultCommand("idle", 0),
        offline=OfflineRule(900, "idle", 0),
    )


def restarted(before: DeviceModel) -> DeviceModel:
    """A new life, with what the one before had stored."""
    after = DeviceModel(before.device, before.traits)
    stored.restore(after, stored.to_text(before))
    return after


def relay(minutes: float, *spans: tuple[int, int, int]) -> DeviceModel:
    """Told that at NOW, and counted up to then."""
    model = DeviceModel("pool", Traits(1500.0))
    model.told(replace(schedule(*spans), device_type=DeviceType.FLEXIBLE), NOW)
    model.advance(NOW + minutes * MINUTE)
    return model
