"""What is wrong with the rates, of all directions as one part of the agent's health. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.energy.rates import Direction
from agent.energy.sentences import joined, sentence
from agent.health import THE_OWNER, State
from agent.tariff.feed import Feed

ONLY_FORECASTS = sentence(
    "every price is only a forecast; if that lasts, the contract is over: connect the tariff again"
)


@dataclass(frozen=True, slots=True)
class TariffHealth:
    state: State
    why: str = ""
    who_acts: str = ""


@dataclass(frozen=True, slots=True)
class _Problem:
    state: State
    why: str
    who_acts: str = ""


def assess(feeds: Iterable[Feed], concerns: Sequence[str], now: datetime) -> TariffHealth:
    """Failed where a person must act for every direction; degraded where anything is wrong.

    `concerns` are about the contract as a whole, and the owner's to act on.
    """
    found = [(feed, _problems(feed, now)) for feed in feeds]
    directions: dict[_Problem, list[Direction]] = {}
    for feed, problems in found:
        for problem in problems:
            directions.setdefault(problem, []).append(feed.direction)
    texts: list[str] = [_about(some, problem.why) for problem, some in directions.items()]
    texts += concerns
    if not texts:
        return TariffHealth(State.OK)
    owner = bool(concerns) or any(problem.who_acts for problem in directions)
    all_failed = bool(found) and all(
        any(problem.state is State.FAILED for problem in problems) for _, problems in found
    )
    state = State.FAILED if all_failed else State.DEGRADED
    return TariffHealth(state, joined(texts), THE_OWNER if owner else "")


def _about(directions: Sequence[Direction], why: str) -> str:
    if len(directions) > 1:
        return sentence("import and export: {why}", why=why)
    if directions[0] is Direction.IMPORT:
        return sentence("import: {why}", why=why)
    return sentence("export: {why}", why=why)


def _problems(feed: Feed, now: datetime) -> list[_Problem]:
    """The first thing that is wrong with the prices, and what else the owner should do."""
    out = []
    failure = feed.failure
    if failure.state is not State.OK:
        owner = failure.state is State.FAILED or failure.owner_acts
        who = THE_OWNER if owner else ""
        out.append(_Problem(failure.state, failure.why, who))
    elif feed.fetched_at is None:
        out.append(_Problem(State.DEGRADED, sentence("no prices yet")))
    elif feed.horizon is None:
        why = sentence("the tariff has no prices; is it connected?")
        out.append(_Problem(State.DEGRADED, why, THE_OWNER))
    elif feed.horizon <= now:
        why = sentence("known prices ended at {ended}", ended=feed.horizon)
        out.append(_Problem(State.DEGRADED, why))
    elif feed.late:
        out.append(_Problem(State.DEGRADED, sentence("the next prices are late")))
    return out + [_Problem(State.DEGRADED, warning, THE_OWNER) for warning in feed.warnings]
