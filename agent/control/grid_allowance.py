"""What the grid allows: heard on `site/limit`, kept over restarts, judged in health. Nothing waits.

The rules are those of the wire contract's section 2a.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agent.clock import Clock
from agent.contracts.topics import Topics
from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.sentences import joined, sentence
from agent.energy.steps import Steps
from agent.errors import Malformed
from agent.health import Health
from agent.home.grid_limit import (
    FOR_EVER,
    UNLIMITED_W,
    GridLimit,
    from_stored,
    heard_before,
    lower_of,
    read_limit,
    stored_text,
)
from agent.home.heard_limits import HeardLimits, Standing
from agent.records.device_store import UNBELIEVABLE, DeviceStore
from agent.records.limit_log import LimitLog, LimitSaid, LimitSource
from agent.report.event_queue import EventQueue

log = logging.getLogger(__name__)

PART = "grid_limit"
# Obeyed like any other, for it is the stricter reading; but no operator allows a light bulb.
LEAST_MEANT_W = 100.0
WHO_LIMITS = "grid operator or energy manager: publish it on site/limit"
LIMITS_EVERY_S = 1.0


@dataclass(slots=True)
class GridAllowance:
    """`failsafe_w` holds where a limit is expected and nobody says one; None: none is expected.

    `dim_allowance_w` is what a limit of 4.2 kW a device leaves for all of them together.
    `on_stricter()` is called when less is allowed than before, `on_change()` when anything changed.
    """

    clock: Clock
    health: Health
    topics: Topics
    events: EventQueue
    store: DeviceStore
    limit_log: LimitLog
    failsafe_w: float | None
    dim_allowance_w: float
    on_stricter: Callable[[], None]
    on_change: Callable[[], None]
    _limit: GridLimit = field(init=False)
    _unreadable: str = field(default="", init=False)
    _taken: bool = field(default=False, init=False)
    _waiting: bytes | None = field(default=None, init=False)
    _heard: HeardLimits = field(default_factory=HeardLimits, init=False)
    _stored: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._limit = GridLimit((), self.failsafe_w)
        text = self.store.grid_limit()
        if text is not None:
            try:
                self._limit = from_stored(text, self.failsafe_w)
                self._heard = heard_before(text)
            except UNBELIEVABLE:
                self.health.count("unreadable_rows")
        self.judge(self.clock.now())

    # --- what it allows -------------------------------------------------------------------------

    def steps(self) -> Steps:
        """What it allows at each instant, W; UNLIMITED_W where it limits nothing."""
        return self._limit.steps(self.dim_allowance_w)

    @property
    def limits(self) -> bool:
        """Does it limit anything, now or later?"""
        return any(value < UNLIMITED_W for value in self.steps().values)

    def limit_w(self, now: datetime) -> float | None:
        """What the grid allows now; None where nothing is known to limit it."""
        limit_w = self.steps().value(to_unix_floor(now))
        return limit_w if limit_w < UNLIMITED_W else None

    def said(self, now: datetime, source: LimitSource = LimitSource.ANNOUNCED) -> LimitSaid:
        """What was said of what holds now, for the record."""
        second = to_unix_floor(now)
        windows = [w for w in self._limit.windows if w.start <= second < w.end]
        if windows:
            window = min(windows, key=lambda window: window.import_w)
            end = from_unix(window.end) if window.end < FOR_EVER else None
            return LimitSaid(window.import_w, end, source)
        if self.failsafe_holds(now):
            return LimitSaid(self._limit.failsafe_w, None, LimitSource.FAILSAFE)
        return LimitSaid(None, None, source)

    def next_change(self, now: datetime) -> datetime | None:
        """When the grid allows more or less, as far as is known."""
        following = self.steps().between(to_unix_floor(now), FOR_EVER)
        return from_unix(following[0]) if following else None

    def failsafe_holds(self, now: datetime) -> bool:
        """Does the failsafe hold, because nothing that was said holds any more?"""
        told = any(window.end > to_unix_floor(now) for window in self._limit.windows)
        return self._limit.failsafe_w is not None and not told

    # --- what is said ---------------------------------------------------------------------------

    def receive(self, payload: bytes, *, retained: bool = False) -> None:
        """The first at once, a flood a second later and only the newest of it. Raises Malformed."""
        doubtful = False
        if retained:
            doubtful = self._heard.hand_out(payload) is Standing.DOUBTFUL
        else:
            self._heard.note(payload)
        if self._taken and not doubtful:
            self._waiting = payload
            self.health.count("limits_put_off")
            return
        self._take(payload, doubtful=doubtful, kept=retained)

    def _take_next(self) -> None:
        self._taken = False
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            try:
                self._take(waiting, doubtful=False)
            except Malformed as error:
                log.warning("%s", error)

    def _take(self, payload: bytes, *, doubtful: bool, kept: bool = False) -> None:
        """`doubtful`: it may be older than what holds, so that it can only make that stricter."""
        self._taken = True
        asyncio.get_running_loop().call_later(LIMITS_EVERY_S, self._take_next)
        now = self.clock.now()
        try:
            new = read_limit(payload, self.topics.site_limit, now, self.failsafe_w)
        except Malformed as error:
            if doubtful:
                return
            self._unreadable = joined(
                (error.sentence, sentence("the last known limit holds to its end"))
            )
            self.judge(now)
            raise
        second, allowance_w, old = to_unix_floor(now), self.dim_allowance_w, self._limit
        stricter = _is_stricter(old.steps(allowance_w), new.steps(allowance_w), second)
        if doubtful:
            new = lower_of(old, new, second, allowance_w) if stricter else old
        else:
            self._unreadable = ""
        text = stored_text(new, self._heard)
        if text != self._stored:
            self._stored = text
            self.store.save_grid_limit(text)
        if new == old:
            self.judge(now)
            return
        self._limit = new
        self.judge(now)
        source = LimitSource.KEPT if kept else LimitSource.MESSAGE
        self.limit_log.received(now, self.limit_w(now), self.said(now, source))
        text = sentence("the limit has changed")
        if stricter:
            text = sentence("a stricter limit is obeyed at once")
        self.events.event("limit_changed", None, text)
        if stricter:
            self.on_stricter()
        self.on_change()

    def judge(self, now: datetime) -> None:
        """Say in health what is known of the grid's limit."""
        failsafe_w = self._limit.failsafe_w
        told = any(window.end > to_unix_floor(now) for window in self._limit.windows)
        if self._unreadable:
            self.health.degraded(PART, self._unreadable, WHO_LIMITS)
        elif failsafe_w is not None and not told:
            why = sentence(
                "nobody has said what the grid allows now: the failsafe of {power:g} W holds",
                power=failsafe_w,
            )
            self.health.degraded(PART, why, WHO_LIMITS)
        elif (limit_w := self.limit_w(now)) is not None and 0 < limit_w < LEAST_MEANT_W:
            why = sentence("the grid allows {limit:g} W: is that in kW?", limit=limit_w)
            self.health.degraded(PART, why, WHO_LIMITS)
        elif failsafe_w is not None or told or PART in self.health.parts:
            self.health.ok(PART)


def _is_stricter(old: Steps, new: Steps, now: int) -> bool:
    edges = {now, *(at for at in (*old.at, *new.at) if at > now)}
    return any(new.value(at) < old.value(at) for at in edges)
