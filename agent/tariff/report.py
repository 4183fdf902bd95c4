"""What is wrong with the rates, of all directions as one part of the agent's health. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agent.energy.instants import format_instant
from agent.health import State
from agent.tariff.way import Way


@dataclass(frozen=True, slots=True)
class Report:
    state: State
    why: str = ""
    who_acts: str = ""


def report(ways: Iterable[Way], now: datetime) -> Report:
    """Failed where a person must act for every direction; degraded where anything is wrong."""
    found = [(way, *_complaint(way, now)) for way in ways]
    bad = [(way, why) for way, state, why in found if state is not State.OK]
    if not bad:
        return Report(State.OK)
    reasons: dict[str, list[str]] = {}
    for way, why in bad:
        reasons.setdefault(why, []).append(way.direction.value)
    text = "; ".join(f"{' and '.join(some)}: {why}" for why, some in reasons.items())
    who = next((way.who_acts for way, _ in bad if way.who_acts), "")
    all_failed = all(state is State.FAILED for _, state, _ in found)
    return Report(State.FAILED if all_failed else State.DEGRADED, text, who)


def _complaint(way: Way, now: datetime) -> tuple[State, str]:
    if way.state is not State.OK:
        return way.state, way.why
    if way.fetched_at is None:
        return State.DEGRADED, "no prices yet"
    if way.horizon is None:
        return State.DEGRADED, "the tariff has no prices"
    if way.horizon <= now:
        return State.DEGRADED, f"known prices ended at {format_instant(way.horizon)}"
    if way.late:
        return State.DEGRADED, "the next prices are late"
    return State.OK, ""
