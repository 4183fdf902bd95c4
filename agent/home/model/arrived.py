"""What has reached a device that is told each command as its time comes, and how long it does that.

What was planned says nothing of one that was not there, or that nobody could tell. Pure.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agent.home.model.commanded import CommandedSpan

# Until it is told otherwise.
FOR_EVER = datetime.max.replace(tzinfo=UTC)
# A counter or a power that comes late corrects what was counted no further back.
KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Shown:
    """It is on, or off, `since` then; it said so at `told_at` last."""

    on: bool
    since: datetime
    told_at: datetime


@dataclass(slots=True)
class Arrived:
    """`spans` in order; the last ends when the device goes back by itself, or never.

    `absent_since`: by its own last will, or its maker's gateway, it is not there, and it has not
    spoken since. `told_w` is what it was told last, heard or not. `is_resumed`: an earlier life
    told it that, and may have done so later than it has stored. `off_since`: it tells that it is
    off though it was told to run. `shown` is what it told last. `doubted` is what it would have
    gone on doing while it was not there: its first word then tells.
    """

    spans: list[CommandedSpan] = field(default_factory=list)
    absent_since: datetime | None = None
    is_resumed: bool = False
    told_w: float = 0.0
    off_since: datetime | None = None
    shown: Shown | None = None
    doubted: CommandedSpan | None = None
    _lasts: timedelta | None = None

    def come(self, power_w: float, now: datetime, lasts: timedelta | None) -> None:
        """It was told this, which it does for so long without hearing it again; None: for ever."""
        self.told_w, self._lasts = power_w, lasts
        if self.absent_since is not None:
            return
        self.is_resumed = False
        if not power_w:
            self.off_since = None
        self._does(power_w, now)

    def leave(self, now: datetime) -> None:
        """It says, or the broker in its place, that it is not there: without power perhaps."""
        last = self.spans[-1] if self.spans else None
        if last is not None and last.end > now:
            self.doubted = CommandedSpan(max(now, last.start), last.end, last.power_w)
        self._cut(now)
        if self.absent_since is None:
            self.absent_since = now
        self.told_w, self.off_since = 0.0, None

    def come_back(self) -> None:
        """It is there again, and does what it is told anew, or says that it has gone on doing."""
        self.absent_since = None

    def missed(self, now: datetime) -> CommandedSpan | None:
        """What it did that nobody has counted, if its next word is that it is on."""
        last = self.spans[-1] if self.spans else None
        if self.doubted is not None:
            end = min(now, self.doubted.end)
            if last is not None and last.start >= self.doubted.start:
                end = min(end, last.start)
            return CommandedSpan(self.doubted.start, end, self.doubted.power_w)
        if self.is_resumed and self.told_w and last is not None and last.end < now:
            return CommandedSpan(last.end, now, last.power_w)
        return None

    def show(self, now: datetime, *, on: bool) -> None:
        """It tells that it is on or off: it is there."""
        missed = self.missed(now)
        self.absent_since, self.is_resumed, self.doubted = None, False, None
        stands = self.shown is not None and self.shown.on is on
        self.shown = Shown(on, self.shown.since if self.shown and stands else now, now)
        if not on:
            self._cut(now)
            if self.told_w:
                self.off_since = self.off_since or now
            return
        self.off_since = None
        if missed is not None and missed.start < missed.end:
            self.spans = sorted([*self.spans, missed], key=lambda span: span.start)
        if self.told_w:
            self._does(self.told_w, now)

    def power_w(self, when: datetime) -> float:
        span = next((span for span in self.spans if span.start <= when < span.end), None)
        return span.power_w if span else 0.0

    def is_absent(self, when: datetime) -> bool:
        return self.absent_since is not None and when >= self.absent_since

    def instants(self) -> set[datetime]:
        edges = {edge for span in self.spans for edge in (span.start, span.end)}
        return edges if self.absent_since is None else {*edges, self.absent_since}

    def switchings(self, now: datetime) -> list[tuple[datetime, bool]]:
        """When it went on last, and off again since."""
        since = self.on_since()
        if since is None:
            return []
        end = self.spans[-1].end
        return [(since, True)] if end > now else [(since, True), (end, False)]

    def on_since(self) -> datetime | None:
        """When the last run began, at whatever power it went on."""
        since: datetime | None = None
        for span in reversed(self.spans):
            if since is not None and span.end < since:
                break
            since = span.start
        return since

    def resume(self, power_w: float, since: datetime, until: datetime | None) -> None:
        """An earlier life had told it that."""
        self.spans = [CommandedSpan(since, until or FOR_EVER, power_w)]
        self.told_w, self.is_resumed = power_w, True
        # How much longer nobody knows, until it is told again.
        self._lasts = None if until is None else timedelta(0)

    def _does(self, power_w: float, now: datetime) -> None:
        until = FOR_EVER if self._lasts is None else now + self._lasts
        last = self.spans[-1] if self.spans else None
        if last is not None and last.end >= now and last.power_w == power_w:
            self.spans[-1] = CommandedSpan(last.start, max(until, last.end), power_w)
        else:
            self._cut(now)
            if power_w:
                self.spans.append(CommandedSpan(now, until, power_w))
        self.spans = [span for span in self.spans if span.end > now - KEPT]

    def _cut(self, now: datetime) -> None:
        last = self.spans[-1] if self.spans else None
        if last is None or last.end <= now:
            return
        del self.spans[-1]
        if last.start < now:
            self.spans.append(CommandedSpan(last.start, now, last.power_w))
