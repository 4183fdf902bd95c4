"""One direction's feed: what is known of it, when it is asked again, what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from agent.energy.rates import Direction, Rate
from agent.errors import Malformed, Misdirected, Refused, Unavailable
from agent.health import State
from agent.tariff import refresh
from agent.tariff.estimates import HISTORY
from agent.tariff.normalise import WITHDRAWN, Withdrawal, first_difference, overlay, withdraw

YEAR = timedelta(days=366)
# A due time further ahead than any rule gives: the wall clock was set back.
MAX_PLAUSIBLE_AHEAD = timedelta(hours=27)
# What a change of the config mends may have been mended by the restart.
CONFIG_CODES = ("forbidden", "no_login")
# A person may have acted; whoever restarts in a loop asks no more often than this.
REFUSED_RESTART_WAIT = timedelta(hours=1)
OK, REFUSED, UNAVAILABLE = "", "refused", "unavailable"
OUTCOMES = (REFUSED, UNAVAILABLE)


class Due(StrEnum):
    SCHEDULED = "scheduled"
    RETRY = "retry"
    EARLY = "early"


@dataclass(slots=True)
class FailureState:
    """The failures in a row: what came last, `code` of a refusal, and what to say of it.

    `refusals` are those of `count` that were no matter of trying again; `owner_acts`: nobody else
    can mend it.
    """

    outcome: str = OK
    code: str = ""
    count: int = 0
    refusals: int = 0
    retry_after: datetime | None = None
    state: State = State.OK
    why: str = ""
    owner_acts: bool = False


@dataclass(slots=True)
class BackfillState:
    """How far back was asked (`asked_from`), how far it shall be (`target`), and when to go on.

    `is_next`: the last call was no piece of history.
    """

    asked_from: datetime | None = None
    target: datetime | None = None
    due: datetime | None = None
    is_next: bool = False
    failures: int = 0

    @property
    def window(self) -> refresh.Window | None:
        """The next piece; None before the first refresh and where all was asked."""
        if self.asked_from is None or self.target is None:
            return None
        return refresh.backfill_window(self.asked_from, self.target)

    def give_up(self) -> None:
        self.asked_from = self.target


@dataclass(slots=True)
class Feed:
    """`known` in order, from five weeks ago on; `due` is the next refresh, `due_as` what it is.

    `retries` count the refreshes since the last scheduled one, at most three: those after one that
    brought nothing new, and those before known prices end. `warnings` are what the last answer
    gave the owner to do. `changes` grows with `known`; `changed_from` is the first instant from
    which it is another since that was last asked.
    """

    direction: Direction
    due: datetime
    known: list[Rate] = field(default_factory=list)
    fetched_at: datetime | None = None
    last_attempt_at: datetime | None = None
    next_update: datetime | None = None
    last_backfill_day: date | None = None
    due_as: Due = Due.SCHEDULED
    retries: int = 0
    late: bool = False
    warnings: Sequence[str] = ()
    changes: int = 0
    changed_from: datetime | None = None
    failure: FailureState = field(default_factory=FailureState)
    backfill: BackfillState = field(default_factory=BackfillState)

    @property
    def horizon(self) -> datetime | None:
        return self.known[-1].end if self.known else None

    def confirmed_until(self, now: datetime) -> datetime | None:
        """The end of the confirmed prices that reach on from `now` without a hole."""
        until = None
        for rate in self.known:
            if rate.confidence < 1 or rate.end <= now:
                continue
            if rate.start > (until or now):
                break
            until = rate.end
        return until

    @property
    def empty(self) -> bool:
        """Nothing is known at all."""
        return not self.known

    def covers(self, now: datetime) -> bool:
        """Is there a price for this very instant, that was not withdrawn?"""
        return any(
            rate.start <= now < rate.end and rate.confidence != WITHDRAWN for rate in self.known
        )

    def was_due(self, now: datetime) -> bool:
        """Whether a refresh now is for an update that was announced, or repeats such a one."""
        if self.due_as is Due.RETRY or self.fetched_at is None or self.next_update is None:
            return self.due_as is Due.RETRY
        return self.fetched_at < self.next_update <= now

    def next_call(self, now: datetime) -> datetime:
        """The ordinary refresh, or the next piece of history where there is time for it before."""
        due = self._history_due(now)
        if due is None:
            return self.due
        in_time = self._is_busy or due + refresh.MIN_INTERVAL <= self.due
        return min(due, self.due) if in_time else self.due

    def history_is_next(self, now: datetime) -> bool:
        """Whether a call now is for history: a feed that is always due soon again takes turns."""
        due = self._history_due(now)
        if due is None or due > now or self.next_call(now) > now:
            return False
        return self.due > now or (self._is_busy and self.backfill.is_next)

    @property
    def _is_busy(self) -> bool:
        fetched_at = self.fetched_at
        return fetched_at is not None and self.due < fetched_at + 2 * refresh.MIN_INTERVAL

    def _history_due(self, now: datetime) -> datetime | None:
        if self.backfill.due is None or self.backfill.window is None:
            return None
        if self.failure.count or self.due_as is Due.RETRY:
            return None
        return max(self.backfill.due, now)

    # What is known.

    def replace_known(self, known: list[Rate]) -> None:
        since = first_difference(self.known, known)
        if since is not None:
            self.changed_from = min(self.changed_from or since, since)
        self.known = known
        self.changes += 1

    def pop_changed_from(self) -> datetime | None:
        since, self.changed_from = self.changed_from, None
        return since

    def merge(self, fetched: Sequence[Rate], withdrawal: Withdrawal) -> bool:
        """Lay an answer over what is known; whether that changed anything."""
        known = overlay(withdraw(self.known, withdrawal), fetched)
        if known == self.known:
            return False
        # By the newest rate, not by the clock, which may be wrong.
        oldest = known[-1].end - HISTORY if known else None
        self.replace_known([rate for rate in known if oldest is None or rate.end > oldest])
        return True

    # When to ask.

    def earliest_attempt(self, now: datetime) -> datetime:
        """Before this no rule may ask again."""
        if self.last_attempt_at is None or self.last_attempt_at > now:
            return now  # never asked, or while the clock was ahead
        hurry = self.failure.code in CONFIG_CODES or (
            self.empty and self.failure.outcome != REFUSED
        )
        wait = refresh.MIN_INTERVAL_EMPTY if hurry else refresh.MIN_INTERVAL
        return self.last_attempt_at + wait

    def retry_after(self, now: datetime) -> datetime | None:
        """Not to be asked before, said the other side; said while the clock was wrong: None."""
        retry_at = self.failure.retry_after
        return retry_at if retry_at is not None and retry_at <= now + MAX_PLAUSIBLE_AHEAD else None

    def ask_anew(self, now: datetime) -> None:
        """What failed may be mended, what is known may be another's: due now, whatever came before.

        A person has acted, so no rule of patience holds but what the other side said.
        """
        self.failure = FailureState(retry_after=self.failure.retry_after)
        self.last_attempt_at, self.next_update, self.retries = None, None, 0
        self.late, self.warnings = False, ()
        self.last_backfill_day = None
        self.due, self.due_as = max(now, self.retry_after(now) or now), Due.SCHEDULED

    def clamp_due(self, now: datetime) -> None:
        """Move `due` out of the time in which no call is allowed."""
        self.due = max(self.due, self.earliest_attempt(now), self.retry_after(now) or now)

    def plan_next(self, now: datetime, zone: ZoneInfo, jitter: float) -> None:
        """The next scheduled refresh, or one before known prices end."""
        until = self.confirmed_until(now)
        self.due = refresh.next_refresh(now, self.next_update, until, zone, jitter)
        self.due_as = Due.SCHEDULED
        early = refresh.early_refresh(now, self.due, until, self.retries, jitter)
        if early is not None and early < self.due:
            self.due, self.due_as = early, Due.EARLY
            self.retries += 1

    def plan_retry(self, now: datetime, jitter: float) -> bool:
        """Ask again after a refresh that brought nothing new; False after three retries."""
        retry = refresh.retry_nothing_new(now, self.next_update, self.retries, jitter)
        if retry is None:
            return False
        self.due, self.due_as = retry, Due.RETRY
        self.retries += 1
        return True

    def fail(self, error: Unavailable | Malformed | Refused, now: datetime, jitter: float) -> None:
        """Remember what went wrong and when to ask again."""
        failure = self.failure
        # Those of another kind count too: what fails in turns shall not be asked all the time.
        count = failure.count + 1
        if isinstance(error, Refused):
            again = failure.refusals + 1
            self.failure = FailureState(
                REFUSED, error.code, count, again, None, State.FAILED, error.sentence
            )
            if error.code in refresh.DOUBTED and again == 1 and not self.empty:
                self.failure.state = State.DEGRADED
            self.due = refresh.retry_refused(now, error.code, again, jitter)
            if count > 1 and failure.code != error.code:
                # Not the word that came before: who knows which of them is true.
                self.due = refresh.retry_unavailable(now, None, count, self.empty, jitter)
            return
        retry_at = error.retry_at if isinstance(error, Unavailable) else None
        self.failure = FailureState(
            UNAVAILABLE,
            "",
            count,
            failure.refusals,
            retry_at,
            State.DEGRADED,
            error.sentence,
            owner_acts=isinstance(error, Misdirected),
        )
        self.due = refresh.retry_unavailable(now, retry_at, count, self.empty, jitter)

    # Over restarts.

    def resume(self, now: datetime, zone: ZoneInfo, jitter: float) -> None:
        """After a restart: a fresh cache is not asked for again, nothing is asked too soon."""
        if self.failure.code in CONFIG_CODES or (
            self.fetched_at is None and self.failure.outcome == OK
        ):
            self.due = now
        elif self.failure.outcome == REFUSED and self.last_attempt_at is not None:
            self.due = min(self.due, self.last_attempt_at + REFUSED_RESTART_WAIT)
        if self.due > now + MAX_PLAUSIBLE_AHEAD:
            self.plan_next(now, zone, jitter)
        self.due = max(self.due, now)
        self.clamp_due(now)
        self.backfill.due = self.earliest_attempt(now)
