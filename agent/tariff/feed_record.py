"""A feed over restarts: what of it is kept on disk, read through one door that may say no."""

from datetime import datetime

from agent.health import State
from agent.tariff.feed import OUTCOMES, REFUSED, YEAR, BackfillState, Due, FailureState, Feed
from agent.tariff.rate_store import RateStore
from agent.tariff.records import Record


def load(feed: Feed, store: RateStore, now: datetime) -> None:
    """Take up where the last run ended. `Feed.resume` decides what follows from it."""
    kept = store.get_record(feed.direction)
    feed.due = kept.instant("due") or feed.due
    feed.fetched_at = kept.instant("fetched_at")
    feed.last_attempt_at = kept.instant("tried_at")
    feed.next_update = kept.instant("next_update")
    feed.last_backfill_day = kept.day("asked_day")
    feed.retries = kept.number("retries")
    due_as = kept.text("due_as") or Due.SCHEDULED
    feed.due_as = Due(due_as) if due_as in list(Due) else Due.SCHEDULED
    feed.warnings = kept.lines("warnings")
    feed.failure = _failure(kept)
    asked_from, target = kept.instant("history_from"), kept.instant("history_target")
    if asked_from is not None and target is not None and asked_from < now + YEAR:
        feed.backfill = BackfillState(asked_from, max(target, asked_from - YEAR))


def save(feed: Feed, store: RateStore) -> None:
    """Written only where something changed. The keys are those of the first release."""
    store.set_record(
        feed.direction,
        {
            "due": feed.due,
            "fetched_at": feed.fetched_at,
            "tried_at": feed.last_attempt_at,
            "told_at": feed.failure.retry_after,
            "next_update": feed.next_update,
            "history_from": feed.backfill.asked_from,
            "history_target": feed.backfill.target,
            "asked_day": feed.last_backfill_day,
            "outcome": feed.failure.outcome,
            "code": feed.failure.code,
            "failures": feed.failure.count or None,
            "refusals": feed.failure.refusals or None,
            "state": feed.failure.state if feed.failure.outcome else None,
            "why": feed.failure.why,
            "retries": feed.retries or None,
            "due_as": feed.due_as if feed.due_as is not Due.SCHEDULED else None,
            "warnings": list(feed.warnings) or None,
        },
    )


def _failure(kept: Record) -> FailureState:
    outcome, retry_after = kept.text("outcome"), kept.instant("told_at")
    if outcome not in OUTCOMES:
        return FailureState(retry_after=retry_after)
    state = State.FAILED if kept.text("state") == State.FAILED else State.DEGRADED
    return FailureState(
        outcome,
        kept.text("code"),
        max(1, kept.number("failures")),
        kept.number("refusals") or (1 if outcome == REFUSED else 0),
        retry_after,
        state,
        kept.text("why") or "the last call failed",
    )
