"""Which temperature is wanted when: the week's bands, a person's wish, an absence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.config.devices import EVERY_DAY
from agent.config.heat import Band, ComfortBand
from agent.energy.instants import to_unix_floor
from agent.energy.localtime import local_instant
from agent.energy.situation import ComfortSpan
from agent.home.wishes import Wish, WishValues

# A person who asks for a higher minimum does not want a maximum that is hardly above it.
LEAST_WIDTH_C = 0.5


@dataclass(frozen=True, slots=True)
class ComfortPiece:
    """°C over `[start, end)`, Unix seconds."""

    start: int
    end: int
    min_c: float
    max_c: float

    def span(self) -> ComfortSpan:
        return ComfortSpan(self.start, self.end, decimal_c(self.min_c), decimal_c(self.max_c))


def decimal_c(value: float) -> Decimal:
    return Decimal(repr(round(value, 3)))


def comfort_pieces(
    bands: Sequence[ComfortBand], setback: Band, zone: ZoneInfo, start: datetime, end: datetime
) -> list[ComfortPiece]:
    """What is wanted from `start` to `end` by the week's bands, without a hole."""
    begin, until = to_unix_floor(start), to_unix_floor(end)
    spans = []
    day = start.astimezone(zone).date() - timedelta(days=1)
    while day <= end.astimezone(zone).date():
        for band in bands:
            if EVERY_DAY[day.weekday()] not in band.days:
                continue
            next_day = day + timedelta(days=band.end <= band.start)
            first = to_unix_floor(local_instant(day, band.start, zone))
            last = to_unix_floor(local_instant(next_day, band.end, zone))
            spans.append((first, last, band))
        day += timedelta(days=1)
    out: list[ComfortPiece] = []
    at = begin
    for first, last, band in sorted(spans, key=lambda item: item[0]):
        # On the day on which a clock change skips a band's start two bands may touch unevenly.
        first, last = max(first, at), min(last, until)
        if first >= last:
            continue
        if at < first:
            out.append(ComfortPiece(at, first, setback.min_c, setback.max_c))
        out.append(ComfortPiece(first, last, band.min_c, band.max_c))
        at = last
    if at < until:
        out.append(ComfortPiece(at, until, setback.min_c, setback.max_c))
    return out


def with_absence(
    pieces: Sequence[ComfortPiece], setback: Band, away_until: datetime | None
) -> list[ComfortPiece]:
    """While everybody is away the setback is enough."""
    if away_until is None:
        return list(pieces)
    until = to_unix_floor(away_until)
    out = []
    for before, piece in _cut(pieces, until):
        if before:
            low, high = min(piece.min_c, setback.min_c), min(piece.max_c, setback.max_c)
            piece = ComfortPiece(piece.start, piece.end, low, max(high, low + LEAST_WIDTH_C))
        out.append(piece)
    return out


def with_wish(pieces: Sequence[ComfortPiece], wish: Wish) -> list[ComfortPiece]:
    """What a person asked for in place of the config: kept always, once until its end."""
    out = [_changed(piece, wish.kept) for piece in pieces]
    until = wish.once.comfort_until
    if until is None:
        return out
    return [
        _changed(piece, wish.once) if before else piece
        for before, piece in _cut(out, to_unix_floor(until))
    ]


def band_with(band: Band, values: WishValues) -> tuple[float, float]:
    """The minimum and maximum that would hold in place of a band's."""
    low = band.min_c if values.comfort_min_c is None else float(values.comfort_min_c)
    high = band.max_c if values.comfort_max_c is None else float(values.comfort_max_c)
    return low, high


def raised_by(
    pieces: Sequence[ComfortPiece], start: datetime, end: datetime, more_c: float
) -> list[ComfortPiece]:
    """With a minimum that is so much higher over a span, as far as the maximum allows."""
    first, last = to_unix_floor(start), to_unix_floor(end)
    out = []
    for before, piece in _cut([part for _, part in _cut(pieces, first)], last):
        if before and piece.start >= first:
            low = min(piece.min_c + more_c, piece.max_c)
            piece = ComfortPiece(piece.start, piece.end, low, piece.max_c)
        out.append(piece)
    return out


def _changed(piece: ComfortPiece, values: WishValues) -> ComfortPiece:
    low, high = piece.min_c, piece.max_c
    if values.comfort_min_c is not None:
        low = float(values.comfort_min_c)
        high = max(high, low + LEAST_WIDTH_C)
    if values.comfort_max_c is not None:
        high = float(values.comfort_max_c)
        low = min(low, high - LEAST_WIDTH_C)
    return ComfortPiece(piece.start, piece.end, low, high)


def _cut(pieces: Sequence[ComfortPiece], at: int) -> list[tuple[bool, ComfortPiece]]:
    """The pieces cut at an instant, each with whether it lies before it."""
    out = []
    for piece in pieces:
        if piece.start < at < piece.end:
            out.append((True, ComfortPiece(piece.start, at, piece.min_c, piece.max_c)))
            out.append((False, ComfortPiece(at, piece.end, piece.min_c, piece.max_c)))
        else:
            out.append((piece.end <= at, piece))
    return out
