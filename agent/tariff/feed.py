"""What the rate cache remembers of one direction, over restarts too."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from agent.energy.instants import format_instant, parse_instant
from agent.energy.rates import Direction, Rate
from agent.health import State
from agent.store import Store
from agent.tariff import refresh

# A due time further ahead than any rule gives: the wall clock was set back.
MAX_PLAUSIBLE_AHEAD = timedelta(hours=27)
# After this outcome a restart may ask at once: the owner may have corrected what was refused.
REFUSED = "refused"
UNAVAILABLE = "unavailable"
OK = ""


@dataclass(slots=True)
class Feed:
    """One direction: when it was asked and is asked again, what is known of it, what is wrong.

    `known` in order, from five weeks ago on. `retries` count refreshes that brought nothing new,
    `failures` those that failed. `told_at`: not to be asked before, said the other side.
    """

    direction: Direction
    due: datetime
    known: list[Rate] = field(default_factory=list)
    fetched_at: datetime | None = None
    last_attempt_at: datetime | None = None
    retry_after: datetime | None = None
    next_update: datetime | None = None
    last_backfill_day: date | None = None
    history_from: datetime | None = None
    history_target: datetime | None = None
    outcome: str = OK
    retries: int = 0
    failures: int = 0
    history_failures: int = 0
    state: State = State.OK
    why: str = ""
    who_acts: str = ""
    late: bool = False
    changes: int = 0

    @property
    def horizon(self) -> datetime | None:
        return self.known[-1].end if self.known else None

    @property
    def confirmed_until(self) -> datetime | None:
        ends = (rate.end for rate in reversed(self.known) if rate.confidence >= 1)
        return next(ends, None)

    @property
    def empty(self) -> bool:
        """Nothing is known at all."""
        return not self.known

    def covers(self, now: datetime) -> bool:
        return self.horizon is not None and self.horizon > now

    def earliest_attempt(self, now: datetime) -> datetime:
        """Before this no rule may ask again."""
        if self.last_attempt_at is None or self.last_attempt_at > now:
            return now  # never asked, or while the clock was ahead
        empty = self.empty or self.outcome == REFUSED
        return self.last_attempt_at + (
            refresh.MIN_INTERVAL_EMPTY if empty else refresh.MIN_INTERVAL
        )

    def set_problem(self, state: State, why: str, who_acts: str = "") -> None:
        self.state, self.why, self.who_acts = state, why, who_acts

    def load(self, store: Store) -> None:
        """Take up where the last run ended. `resume` decides what follows from it."""
        kept = _read(store.get_value(_fact(self.direction)))
        self.due = _instant(kept.get("due")) or self.due
        self.fetched_at = _instant(kept.get("fetched_at"))
        self.last_attempt_at = _instant(kept.get("tried_at"))
        self.retry_after = _instant(kept.get("told_at"))
        self.next_update = _instant(kept.get("next_update"))
        self.history_from = _instant(kept.get("history_from"))
        self.history_target = _instant(kept.get("history_target"))
        self.outcome = kept.get("outcome") or OK
        self.retries = int(kept["retries"]) if kept.get("retries", "").isdigit() else 0
        try:
            self.last_backfill_day = date.fromisoformat(kept.get("asked_day", ""))
        except ValueError:
            self.last_backfill_day = None

    def resume(self, now: datetime, zone: ZoneInfo, jitter: float) -> None:
        """After a restart: a fresh cache is not asked for again, nothing is asked too soon."""
        if self.outcome == REFUSED or self.fetched_at is None:
            self.due = now
        elif self.due > now + MAX_PLAUSIBLE_AHEAD:
            self.due = refresh.next_refresh(now, self.next_update, zone, jitter)
        self.due = max(self.due, now)
        self.clamp_due(now)

    def save(self, store: Store) -> None:
        kept = {
            "due": _text(self.due),
            "fetched_at": _text(self.fetched_at),
            "tried_at": _text(self.last_attempt_at),
            "told_at": _text(self.retry_after),
            "next_update": _text(self.next_update),
            "history_from": _text(self.history_from),
            "history_target": _text(self.history_target),
            "asked_day": self.last_backfill_day.isoformat() if self.last_backfill_day else "",
            "outcome": self.outcome,
            "retries": str(self.retries),
        }
        store.set_value(_fact(self.direction), json.dumps({k: v for k, v in kept.items() if v}))

    def clamp_due(self, now: datetime) -> None:
        """Move `due` out of the time in which no call is allowed."""
        self.due = max(self.due, self.earliest_attempt(now))
        # A limit beyond every rule was set while the clock was wrong.
        if self.retry_after is not None and self.retry_after <= now + MAX_PLAUSIBLE_AHEAD:
            self.due = max(self.due, self.retry_after)


def _fact(direction: Direction) -> str:
    return f"tariff.{direction}"


def _read(text: str | None) -> dict[str, str]:
    try:
        kept = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}


def _instant(text: str | None) -> datetime | None:
    try:
        return parse_instant(text) if text else None
    except (ValueError, OverflowError):
        return None


def _text(when: datetime | None) -> str:
    return format_instant(when) if when else ""
