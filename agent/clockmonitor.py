"""May the wall clock be believed? Until then nothing is switched.

Confirmed by the kernel's synchronisation flag or by the Date header of the tariff source, never by
a device. Where neither comes, a clock that fits what is stored is believed after a minute, any
other after ten, unless it lies behind the newest instant that a *confirmed* clock has seen: one
plan that was stored under a wrong date locks nobody. A server that says otherwise is waited for
ten minutes too; by more than an hour it says that the clock is wrong.
"""

import asyncio
import contextlib
import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agent.clock import Clock
from agent.energy.sentences import sentence
from agent.health import Health

log = logging.getLogger(__name__)

MAX_CLOCK_OFFSET = timedelta(minutes=1)
# While nobody has confirmed the time: when to ask for it, and when to go on without an answer.
ASK_AFTER_S = 5.0
ASK_AGAIN_AFTER_S = 900.0
WAIT_WHERE_IT_FITS_S = 60.0
WAIT_FOR_CONFIRMATION_S = 600.0
# A gateway without a battery-backed clock starts where it was switched off, and rarely for long.
FITS_WITHIN = timedelta(days=2)
LOOK_EVERY_S = 30.0
LOOK_EVERY_DOUBTED_S = 1.0
# By so much a server's clock may be as wrong as ours.
MINUTES_OFF = timedelta(hours=1)
# Each one is a write to the disk.
REMEMBER_EVERY = timedelta(hours=6)
# A clock before this was never set: the program is younger.
EARLIEST_PLAUSIBLE = datetime(2025, 1, 1, tzinfo=UTC)
NOT_SYNCHRONISED = 5  # adjtimex(2) returns TIME_ERROR
SET_THE_CLOCK = sentence("owner: set the clock, switch on systemd-timesyncd or chrony")
KEEP_IT_RIGHT = sentence("owner: switch on systemd-timesyncd or chrony")


def kernel_synchronised() -> bool:
    """The kernel's own word for it (Linux); False where it cannot be asked."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    # struct timex is below 256 bytes on every Linux; all zero means: only look.
    code: int = adjtimex(ctypes.create_string_buffer(512))
    return 0 <= code < NOT_SYNCHRONISED


@dataclass(slots=True)
class ClockMonitor:
    """`trusted` looks for a jump at the moment it is asked, so none is acted upon unnoticed.

    `newest_stored` is the newest instant that anything stored carries, `newest_confirmed` the
    newest that a confirmed clock has shown; both from earlier lives, None where unknown.
    `on_trusted` is called when trust begins and after each jump that was mended, `on_jump(by)` at
    the first look after the clock was set, `by` forward or (negative) back,
    `on_confirmation_wanted` a few seconds into doubt and every quarter of an hour in it: somebody
    may ask a server for its Date. `on_confirmed_instant` is to be stored for the next life.
    `assume_trusted` is for a clock that is somebody's own (demo, tests).
    """

    clock: Clock
    health: Health
    newest_stored: datetime | None = None
    newest_confirmed: datetime | None = None
    synchronised: Callable[[], bool] = kernel_synchronised
    assume_trusted: bool = False
    on_trusted: Callable[[], None] = lambda: None
    on_jump: Callable[[timedelta], None] = lambda by: None
    on_confirmation_wanted: Callable[[], None] = lambda: None
    on_confirmed_instant: Callable[[datetime], None] = lambda when: None
    _trusted: bool = field(default=False, init=False)
    _confirmed: bool = field(default=False, init=False)
    _off: timedelta = field(default=timedelta(0), init=False)
    _doubted_since: float = field(default=0.0, init=False)
    _ask_at: float = field(default=0.0, init=False)
    _last_look: tuple[float, datetime] | None = field(default=None, init=False)
    _remembered: datetime | None = field(default=None, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def trusted(self) -> bool:
        """May something be switched now?"""
        if self.assume_trusted:
            return True
        if self._trusted:
            self._look_for_jump()
        return self._trusted

    def look(self) -> None:
        """Before anything is noted by this clock."""
        if not self.assume_trusted:
            self._look_for_jump()

    def on_server_time(self, server_time: datetime) -> None:
        """The Date header of an answer that just came."""
        if self.assume_trusted:
            return
        self._look_for_jump()
        off = abs(server_time - self.clock.now())
        if off <= MAX_CLOCK_OFFSET:
            self._confirm()
        elif not self.synchronised():
            goes_on = self._trusted and not self._confirmed and off <= MINUTES_OFF
            self._off = off
            if goes_on:
                self._trust_unconfirmed()
            else:
                why = sentence("the clock is {off} off the tariff source's", off=_rounded(off))
                self._doubt(why, SET_THE_CLOCK)

    async def run(self) -> None:
        """Look for jumps and for confirmation until it is cancelled."""
        self._begin_doubt()
        if not self._trusted:
            self.health.degraded("clock", sentence("the time is not confirmed yet"))
        while True:
            self._check()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S if self._trusted else LOOK_EVERY_DOUBTED_S):
                    await self._wake.wait()

    def _check(self) -> None:
        self._look_for_jump()
        now = self.clock.now()
        doubted_s = asyncio.get_running_loop().time() - self._doubted_since
        if self.synchronised() and now >= EARLIEST_PLAUSIBLE:
            self._confirm()
        if self._confirmed:
            self._remember(now)
        if self._trusted:
            return
        if doubted_s >= self._ask_at:
            self._ask_at = doubted_s + ASK_AGAIN_AFTER_S
            self.on_confirmation_wanted()
        # A server that says something else altogether outweighs any waiting.
        if self._off > MINUTES_OFF or self._trusted:
            return
        if (impossible := self._impossible(now)) is not None:
            if doubted_s > WAIT_FOR_CONFIRMATION_S:
                self.health.failed("clock", impossible, SET_THE_CLOCK)
        elif doubted_s > WAIT_FOR_CONFIRMATION_S or (
            doubted_s > WAIT_WHERE_IT_FITS_S and self._fits(now) and not self._off
        ):
            self._trust_unconfirmed()

    def _look_for_jump(self) -> None:
        """Has the wall clock moved other than time has passed since the last look?"""
        steady, wall = asyncio.get_running_loop().time(), self.clock.now()
        before, self._last_look = self._last_look, (steady, wall)
        if before is None:
            return
        jumped = wall - before[1] - timedelta(seconds=steady - before[0])
        if abs(jumped) > MAX_CLOCK_OFFSET:
            self.on_jump(jumped)
            self._begin_doubt()
            self._off = timedelta(0)
            self._doubt(sentence("the clock jumped by {jumped}", jumped=jumped), "")

    def _impossible(self, now: datetime) -> str | None:
        if now < EARLIEST_PLAUSIBLE:
            return sentence(
                "the time lies before {year}: nobody has set it", year=EARLIEST_PLAUSIBLE.year
            )
        if self.newest_confirmed is not None and now < self.newest_confirmed:
            return sentence(
                "the time lies before {confirmed} UTC, which was",
                confirmed=f"{self.newest_confirmed:%Y-%m-%d %H:%M}",
            )
        return None

    def _fits(self, now: datetime) -> bool:
        known = (self.newest_stored, self.newest_confirmed)
        return any(when is not None and when <= now <= when + FITS_WITHIN for when in known)

    def _begin_doubt(self) -> None:
        self._doubted_since = asyncio.get_running_loop().time()
        self._ask_at = ASK_AFTER_S

    def _confirm(self) -> None:
        first = not self._trusted
        self._trusted = self._confirmed = True
        self._off = timedelta(0)
        self.health.ok("clock")
        if first:
            self.on_trusted()

    def _trust_unconfirmed(self) -> None:
        first = not self._trusted
        self._trusted = True
        why = sentence("nothing confirmed the time; deadlines come before prices")
        if self._off:
            why = sentence(
                "the tariff source's clock is {off} off and nothing else tells; deadlines come "
                "before prices",
                off=_rounded(self._off),
            )
        self.health.degraded("clock", why, KEEP_IT_RIGHT)
        if first:
            self.on_trusted()

    def _doubt(self, why: str, who_acts: str) -> None:
        if self._trusted:
            log.warning("%s: nothing is switched until it is confirmed", why)
            self._begin_doubt()
        self._trusted = self._confirmed = False
        self.health.degraded("clock", why, who_acts)
        self._wake.set()

    def _remember(self, now: datetime) -> None:
        """Of a confirmed clock alone, and rarely."""
        self.newest_confirmed = max(now, self.newest_confirmed or now)
        if self._remembered is None or abs(now - self._remembered) >= REMEMBER_EVERY:
            self._remembered = now
            self.on_confirmed_instant(now)


def _rounded(off: timedelta) -> timedelta:
    """To the minute: told anew each time it would be news."""
    return timedelta(minutes=round(off / timedelta(minutes=1)))
