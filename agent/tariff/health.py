"""What is wrong with the rates, of all directions as one part of the agent's health. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agent.energy.instants import format_instant
from agent.health import State
from agent.tariff.feed import Feed


@dataclass(frozen=True, slots=True)
class TariffHealth:
    state: State
    why: str = ""
    who_acts: str = ""


def assess(feeds: Iterable[Feed], now: datetime) -> TariffHealth:
    """Failed where a person must act for every direction; degraded where anything is wrong."""
    found = [(feed, *_complaint(feed, now)) for feed in feeds]
    bad = [(feed, why) for feed, state, why in found if state is not State.OK]
    if not bad:
        return TariffHealth(State.OK)
    reasons: dict[str, list[str]] = {}
    for feed, why in bad:
        reasons.setdefault(why, []).append(feed.direction.value)
    text = "; ".join(f"{' and '.join(some)}: {why}" for why, some in reasons.items())
    who = next((feed.who_acts for feed, _ in bad if feed.who_acts), "")
    all_failed = all(state is State.FAILED for _, state, _ in found)
    return TariffHealth(State.FAILED if all_failed else State.DEGRADED, text, who)


def _complaint(feed: Feed, now: datetime) -> tuple[State, str]:
    if feed.state is not State.OK:
        return feed.state, feed.why
    if feed.fetched_at is None:
        return State.DEGRADED, "no prices yet"
    if feed.horizon is None:
        return State.DEGRADED, "the tariff has no prices"
    if feed.horizon <= now:
        return State.DEGRADED, f"known prices ended at {format_instant(feed.horizon)}"
    if feed.late:
        return State.DEGRADED, "the next prices are late"
    return State.OK, ""
