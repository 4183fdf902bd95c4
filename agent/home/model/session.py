"""A stay of a car or a run of a program. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.energy.readings import Acknowledgement, AckStatus
from agent.home.model.soc import SocEstimate

OPT_OUT_LASTS = timedelta(hours=24)


@dataclass(slots=True)
class Session:
    """A stay of a car or a run of a program: since when, when its need was last met.

    `heard_at` is when a stay was first heard of that had begun long before, or nobody knows when:
    deadlines count from then. `started_at` is when a program began to run by what it was told or
    said, `confirmed` whether it said so; by its mode it runs since `says_run_since` and has stopped
    at `says_stopped_at`, by its power it is at rest since `rests_since`; `deviated_at` is when it
    was last told to people that it does something else than told.
    """

    since: datetime | None = None
    heard_at: datetime | None = None
    satisfied_at: datetime | None = None
    opted_out_at: datetime | None = None
    started_at: datetime | None = None
    deviated_at: datetime | None = None
    confirmed: bool = False
    says_run_since: datetime | None = None
    says_stopped_at: datetime | None = None
    rests_since: datetime | None = None

    def opted_out(self, now: datetime) -> bool:
        """A person at the device has overridden it; for 24 hours at most."""
        since = self.opted_out_at
        return since is not None and now - since < OPT_OUT_LASTS

    def is_ended_by(self, ack: Acknowledgement) -> bool:
        """Does it say that the run under way is over?"""
        over = ack.status in (AckStatus.SUCCEEDED, AckStatus.ABORTED) and not _opts_out(ack)
        return over and self.started_at is not None

    def answer(self, ack: Acknowledgement, now: datetime) -> bool:
        """Take an acknowledgement in that ends no run. True where it is news."""
        if _opts_out(ack):
            is_news = self.opted_out_at is None
            self.opted_out_at = self.opted_out_at or now
            return is_news
        if ack.status is AckStatus.ACCEPTED and self.opted_out_at is not None:
            self.opted_out_at = None
            return True
        if ack.status is AckStatus.STARTED and not self.confirmed:
            self.started_at = self.started_at or now
            self.confirmed = True
            return True
        return False

    def confirm_run(self) -> None:
        """It says that it runs, as it was told to."""
        self.confirmed = self.confirmed or self.started_at is not None

    def note_mode(self, at: datetime, *, runs: bool) -> None:
        """A program says by its mode that it runs, or that it does not."""
        if runs:
            self.says_run_since = self.says_run_since or at
        elif self.says_run_since is not None:
            self.says_run_since, self.says_stopped_at = None, at

    def note_power(self, at: datetime, *, at_rest: bool) -> None:
        """A program tells a power, which may be that of a machine at rest."""
        self.rests_since = self.rests_since or at if at_rest else None

    def has_rested(self, now: datetime, least: timedelta) -> bool:
        """Has it come to rest in the run under way, and been at rest for so long?"""
        since, started = self.rests_since, self.started_at
        if since is None or started is None or since < started:
            return False
        return now - since >= least

    def drop_run(self) -> None:
        """The run under way is none."""
        self.started_at, self.confirmed = None, False

    def end_run(self, now: datetime) -> None:
        """Nothing more is expected of it."""
        self.drop_run()
        self.satisfied_at = now


@dataclass(frozen=True, slots=True)
class Stay:
    """What was known of a stay when it ended."""

    session: Session
    soc: SocEstimate
    taken_kwh: float


def _opts_out(ack: Acknowledgement) -> bool:
    return ack.status is AckStatus.ABORTED and ack.diagnostic == "user_opt_out"
