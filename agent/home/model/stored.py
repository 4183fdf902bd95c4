"""A device's model as text for the store, and back. What is stored is what was believed.

`restore` raises ValueError, KeyError or TypeError for a text that cannot be believed and then has
changed nothing; times are whole seconds. The meter stands there to a millionth of a kWh, as the
ledger counts; only hundredths are worth a write.
"""

import json
import math
from datetime import datetime, timedelta
from typing import Any

from agent.energy.instants import format_instant, parse_instant, to_unix_floor
from agent.home.estimates.heat_loss import believable
from agent.home.model.arrived import FOR_EVER, Arrived
from agent.home.model.device_model import DeviceModel
from agent.home.model.latest_readings import UNTIMED_RETAINED_AGE
from agent.home.model.meter import Counter
from agent.home.model.once import OnceTaken
from agent.home.model.own_switching import LONGEST, OwnSwitching
from agent.home.model.session import Session
from agent.home.model.soc import Told
from agent.home.model.thermal import ThermalState

# Keys of the stored session that had another name in earlier versions.
FORMER_NAMES = {"met_at": "satisfied_at"}
THERMAL_INSTANTS = ("at", "told_at", "hot_since", "hygiene_at")
SESSION_INSTANTS = (
    "since",
    "heard_at",
    "satisfied_at",
    "opted_out_at",
    "started_at",
    "deviated_at",
    "says_run_since",
    "says_stopped_at",
)
# These change seldom, and a restart must not forget them.
URGENT = (
    "confirmed",
    "soc_known",
    "learned_power_w",
    "block_since",
    "block_ended",
    "own_since",
    "own_switching",
    "arrived_since",
)
# What runs by its own logic begins and ends runs all the time, as heat: each is worth no write.
OWN_HEAT = "own_heat_since"
# A time that has moved within so many seconds is not worth a write of its own: a car that stays
# full was full until now, a switch told a little later when it really happened.
SAME_WITHIN_S = {"satisfied_at": 6 * 3600, "on_since": 600, "off_since": 600}
MAX_KWH = 1e9
MAX_WATTS = 1e9
MAX_REFUSALS = 1_000_000


def progress_key(start: datetime, index: int) -> str:
    """The name of a window that began then, of the need with that index."""
    return format_instant(start) if index == 0 else f"{format_instant(start)}/{index}"


def to_text(model: DeviceModel) -> str:
    """What a restart needs; most of it changes all the time and is stored now and then."""
    session = {
        name: format_instant(when)
        for name in SESSION_INSTANTS
        if (when := getattr(model.session, name)) is not None
    }
    before = model.meter.before_session
    meter, soc, learned = model.meter, model.soc.anchor, model.following.learned_power_w
    power = meter.drawn.told
    stored: dict[str, Any] = {
        "session": session,
        "begin_judged": True,
        "confirmed": model.session.confirmed,
        "was_led": model.was_led or None,
        "soc_known": soc is not None,
        "learned_power_w": learned and round(learned),
        "block_since": model.schedules.block_since,
        "block_ended": model.schedules.block_ended,
        "progress": {key: round(kwh, 6) for key, kwh in model.progress.items()},
        "promised": sorted(model.promised) or None,
        "once": model.once and [model.once.asked_at_kwh, round(model.once.kwh, 6)],
        "total_kwh": round(meter.total_kwh, 6),
        "session_kwh": round(meter.session_kwh, 6),
        "since_counter_kwh": round(meter.since_counter_kwh, 6) or None,
        "session_since": _text(meter.session_since),
        "integrated_to": _text(meter.integrated_to),
        "between_sessions": meter.between_sessions or None,
        "before_session": before and [round(before.kwh, 6), _text(before.at)],
        "counters": {kind: [round(c.kwh, 6), _text(c.at)] for kind, c in meter.counters.items()},
        "soc": soc and [round(soc.percent, 1), _text(soc.at), round(model.soc.anchor_total_kwh, 2)],
        "soc_stuck_at": model.soc.stuck_at,
        "soc_overruled_at": model.soc.overruled_at,
        "on_since": _text(model.switching.on_since),
        "off_since": _text(model.switching.off_since),
        "power": power and [round(power[0], 1), _text(power[1])],
        OWN_HEAT if model.schedules.free_outside else "own_since": _text(model.switching.own_since),
        "own_switching": _own_record(model.switching.own) or None,
        **_arrived_record(meter.drawn.arrived),
        "thermal": None if model.thermal is None else _thermal_record(model.thermal),
    }
    return json.dumps(
        {k: v for k, v in stored.items() if v not in (None, {})}, separators=(",", ":")
    )


def was_told_to_run(text: str) -> bool:
    """Had one that is told each time been told to run last, and not been let go since?"""
    try:
        raw = json.loads(text)
    except ValueError:
        return False
    return isinstance(raw, dict) and raw.get("arrived_since") is not None


def urgent_part(text: str) -> object:
    """What of the text has to be stored at once: the session, and what was learned.

    While a need stays met the time at which it last was moves on with the clock.
    """
    raw = json.loads(text or "{}")
    session = raw.pop("session", {})
    session["satisfied_at"] = "satisfied_at" in session
    return session, {name: value for name, value in raw.items() if name in URGENT}


def substance(text: str) -> object:
    """What of the text is worth a write: not that time has passed and nothing has happened."""
    raw = json.loads(text or "{}")
    for name in ("integrated_to", "since_counter_kwh", "power", OWN_HEAT, "arrived_until"):
        raw.pop(name, None)
    session = raw.pop("session", {})
    for times, name in ((session, "satisfied_at"), (raw, "on_since"), (raw, "off_since")):
        if name in times:
            times[name] = to_unix_floor(parse_instant(times[name])) // SAME_WITHIN_S[name]
    counters = {kind: round(kwh, 2) for kind, (kwh, _) in raw.pop("counters", {}).items()}
    raw["progress"] = {key: round(kwh, 2) for key, kwh in raw.get("progress", {}).items()}
    if (once := raw.get("once")) is not None:
        raw["once"] = [once[0], round(once[1], 2)]
    energies = {name: round(raw.pop(name, 0.0), 2) for name in ("total_kwh", "session_kwh")}
    thermal = {k: v for k, v in raw.pop("thermal", {}).items() if k not in ("at", "told_at")}
    return raw, session, counters, energies, thermal


def restore(model: DeviceModel, text: str) -> None:
    """Take up what an earlier life stored."""
    raw = json.loads(text)
    kept = {FORMER_NAMES.get(name, name): at for name, at in raw.get("session", {}).items()}
    session = Session(
        **{name: _instant(kept[name]) for name in SESSION_INSTANTS if name in kept},
        confirmed=bool(raw.get("confirmed")),
    )
    progress = {_progress_key(key): _kwh(kwh) for key, kwh in raw.get("progress", {}).items()}
    promised = {_progress_key(key) for key in raw.get("promised", ())}
    once = None
    if raw.get("once") is not None:
        asked_at_kwh, kwh = raw["once"]
        once = OnceTaken(_kwh(asked_at_kwh), _kwh(kwh))
    counters = {
        str(kind): Counter(_kwh(kwh), parse_instant(at))
        for kind, (kwh, at) in raw.get("counters", {}).items()
    }
    before = raw.get("before_session")
    if before is not None:
        kwh, at = before
        before = Counter(_kwh(kwh), parse_instant(at))
    total, in_session = _kwh(raw.get("total_kwh", 0.0)), _kwh(raw.get("session_kwh", 0.0))
    since_counter = _kwh(raw.get("since_counter_kwh", 0.0))
    anchor, anchor_total = None, 0.0
    if soc := raw.get("soc"):
        percent, at, kwh = soc
        if not 0 <= percent <= 100:
            raise ValueError(f"a state of charge of {percent}")
        anchor, anchor_total = Told(percent, parse_instant(at), parse_instant(at)), _kwh(kwh)
    stuck_at, overruled_at = raw.get("soc_stuck_at"), raw.get("soc_overruled_at")
    for percent in (stuck_at, overruled_at):
        if percent is not None and not 0 <= percent <= 100:
            raise ValueError(f"a state of charge of {percent}")
    learned = raw.get("learned_power_w")
    if learned is not None and not 0 < learned <= model.traits.max_power_w:
        raise ValueError(f"a learned power of {learned}")
    times = {
        name: _instant(raw.get(name))
        for name in (
            "session_since",
            "integrated_to",
            "on_since",
            "off_since",
            "own_since",
            OWN_HEAT,
            "arrived_since",
            "arrived_until",
        )
    }
    power, own = raw.get("power"), _own_of(raw.get("own_switching", {}))
    if power is not None:
        power_w, at = power
        power = _watts(power_w), parse_instant(at)
    arrived_w = raw.get("arrived_w", 0.0)
    if not math.isfinite(arrived_w):
        raise ValueError(f"a command of {arrived_w} W")
    blocks = [raw.get("block_since"), raw.get("block_ended")]
    if not all(when is None or (type(when) is int and 0 < when < 2**33) for when in blocks):
        raise ValueError(f"blocks {blocks}")
    if model.thermal is not None and (thermal := raw.get("thermal")):
        _restore_thermal(model.thermal, thermal)
    model.schedules.block_since, model.schedules.block_ended = blocks
    if model.traits.has_stays and raw.get("begin_judged") is not True:
        _judge_begin(session, times["session_since"], times["integrated_to"])
    model.session, model.progress = session, progress
    model.promised, model.once = promised, once
    model.was_led = raw.get("was_led") is True
    meter = model.meter
    meter.total_kwh, meter.session_kwh, meter.counters = total, in_session, counters
    meter.before_session, meter.since_counter_kwh = before, since_counter
    meter.between_sessions = raw.get("between_sessions") is True
    meter.session_since, meter.integrated_to = times["session_since"], times["integrated_to"]
    meter.is_resumed = meter.integrated_to is not None
    model.soc.anchor, model.soc.anchor_total_kwh = anchor, anchor_total
    model.soc.stuck_at, model.soc.overruled_at = stuck_at, overruled_at
    model.following.learned_power_w = learned
    own_since = times["own_since"] or times[OWN_HEAT]
    model.switching.restore(times["on_since"], times["off_since"], own_since)
    model.switching.own = own
    if power is not None:
        model.operation.resume(*power)
    if meter.drawn.arrived is not None and (since := times["arrived_since"]) is not None:
        meter.drawn.arrived.resume(float(arrived_w), since, times["arrived_until"])


def _judge_begin(
    session: Session, counts_from: datetime | None, counted_to: datetime | None
) -> None:
    """Earlier versions kept no note of a begin that was only a guess, always as old: of a stay that
    was under way when the device was first heard, so that nothing counts from its begin.
    """
    if session.since is None or session.heard_at is not None or counts_from is not None:
        return
    first_heard = session.since + UNTIMED_RETAINED_AGE
    if counted_to is not None and counted_to >= first_heard:
        session.heard_at = first_heard


def _own_record(own: OwnSwitching) -> dict[str, Any]:
    out = {
        "began_at": _text(own.began_at),
        "refused_at": _text(own.refused_at),
        "refusals": own.refusals or None,
        "lasts_s": round(own.lasts.total_seconds()) or None,
    }
    return {key: value for key, value in out.items() if value is not None}


def _own_of(raw: dict[str, Any]) -> OwnSwitching:
    refusals, lasts_s = raw.get("refusals", 0), raw.get("lasts_s", 0)
    if not (type(refusals) is int and 0 <= refusals < MAX_REFUSALS):
        raise ValueError(f"refusals {refusals}")
    if not (type(lasts_s) is int and 0 <= lasts_s <= LONGEST.total_seconds()):
        raise ValueError(f"a rest of {lasts_s} s")
    began_at, refused_at = _instant(raw.get("began_at")), _instant(raw.get("refused_at"))
    return OwnSwitching(refusals, began_at, refused_at, timedelta(seconds=lasts_s))


def _arrived_record(arrived: Arrived | None) -> dict[str, Any]:
    """The run that it was told last, where that is not known to have ended by a command."""
    since = None if arrived is None else arrived.on_since()
    if arrived is None or since is None or not arrived.told_w:
        return {}
    last = arrived.spans[-1]
    return {
        "arrived_since": _text(since),
        "arrived_until": None if last.end == FOR_EVER else _text(last.end),
        "arrived_w": round(last.power_w),
    }


def _thermal_record(state: ThermalState) -> dict[str, Any]:
    estimate, temperature = state.estimate, state.temperature_c
    out = {
        "temperature_c": temperature and round(temperature, 1),
        **{name: _text(getattr(state, name)) for name in THERMAL_INSTANTS},
        "loss_factor": round(estimate.loss_factor, 3),
        "capacity_factor": round(estimate.capacity_factor, 3),
        "losses": estimate.losses or None,
        "capacities": estimate.capacities or None,
    }
    return {key: value for key, value in out.items() if value is not None}


def _restore_thermal(state: ThermalState, raw: dict[str, Any]) -> None:
    factors = raw.get("loss_factor", 1.0), raw.get("capacity_factor", 1.0)
    losses, capacities = list(raw.get("losses", ())), list(raw.get("capacities", ()))
    for seen in (factors, losses, capacities):
        if not believable(seen):
            raise ValueError(f"factors of {seen}")
    temperature = raw.get("temperature_c")
    traits = state.traits
    if temperature is not None and not traits.lowest_c <= temperature <= traits.highest_c:
        # The config has changed; what is known of the house has not.
        temperature = None
    times = {name: _instant(raw.get(name)) for name in THERMAL_INSTANTS}
    if temperature is not None and times["at"] is not None:
        state.temperature_c, state.at = float(temperature), times["at"]
        state.told_at = times["told_at"]
    state.hot_since, state.hygiene_at = times["hot_since"], times["hygiene_at"]
    estimate = state.estimate
    estimate.loss_factor, estimate.capacity_factor = factors
    estimate.losses, estimate.capacities = losses, capacities


def _progress_key(text: str) -> str:
    start, _, index = text.partition("/")
    return progress_key(parse_instant(start), int(index or 0))


def _text(when: datetime | None) -> str | None:
    return None if when is None else format_instant(when)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def _watts(value: float) -> float:
    if not (math.isfinite(value) and abs(value) <= MAX_WATTS):
        raise ValueError(f"a power of {value}")
    return float(value)


def _kwh(value: float) -> float:
    if not (math.isfinite(value) and abs(value) <= MAX_KWH):
        raise ValueError(f"an energy of {value}")
    return float(value)
