"""What a device was told to take, in time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A device that was told to take less has done so by then, whatever it told before.
OBEYS_WITHIN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class CommandedSpan:
    """What the device was told to take over `[start, end)`, W."""

    start: datetime
    end: datetime
    power_w: float


@dataclass(slots=True)
class Commanded:
    """`free_outside`: outside of the spans it is on its own logic, as heat in `normal`.

    `since` is when it was told something else than before.
    """

    spans: tuple[CommandedSpan, ...] = ()
    free_outside: bool = True
    since: datetime | None = None

    def tell(self, spans: Sequence[CommandedSpan], now: datetime, *, free_outside: bool) -> None:
        self.free_outside = free_outside
        if tuple(spans) != self.spans:
            self.spans, self.since = tuple(spans), now

    def power_w(self, when: datetime) -> float:
        span = next((span for span in self.spans if span.start <= when < span.end), None)
        return span.power_w if span else 0.0

    def stays(self, start: datetime, end: datetime, *, on: bool) -> bool:
        """Is it told to be on, or off, all through `[start, end]`?"""
        inside = (edge for edge in self.instants() if start < edge < end)
        return all((self.power_w(when) > 0) is on for when in (start, *inside))

    def overrules(self, told_at: datetime, when: datetime) -> bool:
        """Was it told something else after `told_at`, and has it had time to obey by `when`?"""
        return self.since is not None and told_at < self.since < when - OBEYS_WITHIN

    def is_new(self, when: datetime) -> bool:
        """Was it told something else just before?"""
        return self.since is not None and abs(when - self.since) <= OBEYS_WITHIN

    def instants(self) -> set[datetime]:
        """When what it is taken to do may change."""
        edges = {edge for span in self.spans for edge in (span.start, span.end)}
        if self.since is not None:
            edges.add(self.since + OBEYS_WITHIN + timedelta(microseconds=1))
        return edges

    def switchings(self, now: datetime) -> list[tuple[datetime, bool]]:
        """When it was told to go on or off by now, in order, and what holds now."""
        since = self.since or now
        out: list[tuple[datetime, bool]] = []
        at = since
        for span in self.spans:
            if span.end <= since or span.start > now or span.power_w <= 0:
                continue
            start = max(span.start, since)
            if start > at:
                out.append((at, False))
            out.append((start, True))
            at = span.end
        if at <= now:
            out.append((at, False))
        return out
