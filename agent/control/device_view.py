"""What people are shown of a device: its values, the settings in force, its problems. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from agent.config.devices import ReadyBy
from agent.control.device_report import (
    ACTION_CORRECT,
    ACTION_INSPECT,
    ACTION_PUBLISH,
    NO_ANSWER,
    NOT_HEARD,
    OFFLINE,
    SILENT,
    SILENT_AFTER,
    contradictions,
)
from agent.control.managed_device import ManagedDevice
from agent.energy.instants import from_unix
from agent.energy.readings import DeviceInfo
from agent.energy.sentences import joined, sentence
from agent.energy.view import DeviceView, Planned, Problem, Setting
from agent.home.kinds import KINDS
from agent.home.planning_input import PlanningContext
from agent.home.windows import next_ready_by
from agent.home.wishes import VALUE_KEYS

# What is stated or asked for once is no setting: nothing stays in force of it but the value itself.
NUMBERS = frozenset(VALUE_KEYS) - {"ready_by"}
STATED = "soc_percent"
STATE_IT = sentence("State the state of charge, or have the device tell it.")
LOOK_FOR_IT = sentence("Look why the device does not tell it.")


def device_view(
    device: ManagedDevice,
    context: PlanningContext,
    planned: Planned,
    *,
    acknowledges: bool,
) -> DeviceView:
    """`acknowledges`: it is expected to confirm what it is told."""
    section, model, now = device.section, device.model, context.now
    kind = KINDS[section.type]
    soc = _soc_percent(device, now)
    return DeviceView(
        id=section.id,
        kind=section.type,
        profile=device.profile,
        info=device.info or DeviceInfo(),
        wish_keys=kind.wish_keys(section),
        settings=_settings(device, context, soc),
        linked=_is_linked(device, now),
        opted_out=model.opted_out(now),
        has_stays=kind.has_stays,
        plugged=not kind.has_stays or model.plugged(now),
        power_w=model.meter.drawn.power_w(now),
        session_kwh=model.session_kwh,
        soc_percent=soc,
        battery_kwh=model.traits.battery_kwh,
        charge_efficiency=model.traits.charge_efficiency,
        discharge_efficiency=model.traits.discharge_efficiency,
        temperature_c=model.temperature_c(now),
        # What a person at the device has overridden is not what it will do.
        planned=_nothing_of(planned) if model.opted_out(now) else planned,
        problems=_problems(device, context, planned.at_risk, acknowledges=acknowledges),
        ready_at=_ready_at(device, context),
        tells_temperature=section.adapter.tells("temperature_c"),
    )


def _nothing_of(planned: Planned) -> Planned:
    schedule = planned.schedule
    return Planned(None if schedule is None else replace(schedule, slots=()), None, planned.at_risk)


def _soc_percent(device: ManagedDevice, now: datetime) -> float | None:
    """What is known, else what is planned with; of a car that is away nothing."""
    model, kind = device.model, KINDS[device.section.type]
    known, traits = model.soc_percent(now), model.traits
    if known is not None or traits.battery_kwh is None:
        return known
    assumed: float | None = getattr(device.section, "assumed_soc_percent", None)
    if assumed is None or not kind.has_stays:
        return assumed
    if not model.plugged(now):
        return None
    taken_kwh = model.session_kwh * traits.charge_efficiency
    return min(100.0, assumed + 100 * taken_kwh / traits.battery_kwh)


def _is_linked(device: ManagedDevice, now: datetime) -> bool:
    seen = device.model.last_seen_at
    return device.model.online is not False and seen is not None and now - seen <= SILENT_AFTER


def _settings(
    device: ManagedDevice, context: PlanningContext, soc: float | None
) -> Mapping[str, Setting]:
    section, values = device.section, device.wish.values
    kind = KINDS[section.type]
    out: dict[str, Setting] = {}
    for key in sorted(kind.wish_keys(section)):
        if key == "ready_by":
            out[key] = Setting(_ready_by(device, context))
        elif key == STATED:
            out[key] = _number(soc, kind.limits(section, key))
        elif key in NUMBERS:
            wished, configured = getattr(values, key), _float(kind.configured(section, key))
            value = configured if wished is None else float(wished)
            out[key] = _number(value, kind.limits(section, key), configured)
    return out


def _number(
    value: float | None, limits: tuple[float, float] | None, configured: float | None = None
) -> Setting:
    """What is in force lies within the limits, though it could not be asked for again: the config

    may say more than a person, and a wish may be older than its config.
    """
    if limits is None:
        return Setting(value)
    known = [number for number in (value, configured) if number is not None]
    return Setting(value, min((limits[0], *known)), max((limits[1], *known)))


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) else None


def _ready_by(device: ManagedDevice, context: PlanningContext) -> str | None:
    """The local clock time by which it has to be ready next."""
    values, zone = device.wish.values, context.location.zone
    if values.ready_by is not None:
        return f"{values.ready_by.astimezone(zone):%H:%M}"
    if values.ready_by_clock is not None:
        return f"{values.ready_by_clock:%H:%M}"
    when = _ready_at(device, context)
    return None if when is None else f"{when.astimezone(zone):%H:%M}"


def _ready_at(device: ManagedDevice, context: PlanningContext) -> datetime | None:
    kind, values, now = KINDS[device.section.type], device.wish.values, context.now
    if "ready_by" not in kind.wish_keys(device.section):
        return None
    if values.ready_by is not None and values.ready_by > now:
        return values.ready_by
    ready_by = kind.configured(device.section, "ready_by")
    if values.ready_by_clock is not None:
        ready_by = ReadyBy(every_day=values.ready_by_clock)
    if not isinstance(ready_by, ReadyBy):
        return None
    return next_ready_by(ready_by, now, context.location.zone)


def _problems(
    device: ManagedDevice,
    context: PlanningContext,
    risk: tuple[int, Decimal] | None,
    *,
    acknowledges: bool,
) -> Mapping[str, Problem]:
    """Each fact in one problem only."""
    model, now = device.model, context.now
    out: dict[str, Problem] = {}
    if risk is not None:
        deadline, missing = risk
        when = from_unix(deadline).astimezone(context.location.zone)
        text = sentence(
            "{missing:.1f} kWh will be missing at {at:%H:%M}", missing=float(missing), at=when
        )
        out["deadline_at_risk"] = Problem(text, KINDS[device.section.type].missing_action)
    if not _is_linked(device, now):
        seen = model.last_seen_at
        if seen is None:
            out["silent"] = Problem(NOT_HEARD, _whole(ACTION_PUBLISH))
        else:
            why = OFFLINE if model.online is False else SILENT
            out["silent"] = Problem(why, sentence("Look at its power and its network."))
    if (contrary := _not_following(device, acknowledges=acknowledges)) is not None:
        out["not_following"] = Problem(
            contrary,
            sentence("Look at the device: does it wait for a release, or is a limit set in it?"),
        )
    if device.notes:
        stated = STATED in KINDS[device.section.type].wish_keys(device.section)
        out["assumed_value"] = Problem(joined(device.notes), STATE_IT if stated else LOOK_FOR_IT)
    deviation = model.following.deviation
    own = [text for text in model.problems(now) if text != deviation]
    contrary_words = contradictions(device)
    if own or contrary_words:
        what_to_do = _whole(ACTION_INSPECT if own else ACTION_CORRECT)
        if own and contrary_words:
            what_to_do = sentence(
                "{first} {second}", first=what_to_do, second=_whole(ACTION_CORRECT)
            )
        out["fault"] = Problem(joined([*own, *contrary_words]), what_to_do)
    return out


def _not_following(device: ManagedDevice, *, acknowledges: bool) -> str | None:
    if device.rejected:
        return device.rejected
    if device.model.following.deviation is not None:
        return str(device.model.following.deviation)
    if device.model.never_answers() and acknowledges:
        return NO_ANSWER
    return None


def _whole(action: str) -> str:
    """As a sentence that stands by itself."""
    text = action.removeprefix("owner: ")
    return sentence(f"{text[:1].upper()}{text[1:]}.")
