"""What a session's energy would have cost at best, had every price been known. Pure.

The least that the same energy could have cost between its beginning and its deadline (or its last
energy, where that came later), at the device's power and the prices that held. What came from the
roof stays as it was. It bounds from below: minimum times and a shared limit are not in it.
"""

from collections.abc import Sequence
from decimal import Decimal

from agent.energy.situation import ZERO
from agent.records.day_book import GRID, QUARTER_S, DayBook
from agent.records.demand_session import DemandSession
from agent.records.known_prices import KnownPrices
from agent.records.sums import millionths, whole

# Start, end (Unix seconds) and energy (millionths of a kWh).
Shape = Sequence[tuple[int, int, int]]


def best_cost(session: DemandSession, books: Sequence[DayBook], prices: KnownPrices) -> int | None:
    """Millionths of the currency; None where a price is missing or what it took is not known."""
    shape = _shape(session, books)
    if session.sums.pending or not session.sums.energy:
        return None if session.sums.pending else session.sums.cost
    if not shape:
        return None
    paid = [prices.imported(start, end) for start, end, _ in shape]
    grid_cost = sum(
        (whole(e) * p.per_kwh for (_, _, e), p in zip(shape, paid, strict=True) if p), ZERO
    )
    due = min(session.deadline, session.until or session.deadline)
    end = max(due, shape[-1][1])
    if session.contiguous:
        best = cheapest_shift(shape, session.since, end, prices)
    else:
        power_w = max(
            *(float(part.power_w) for part in session.asked),
            *(energy * 3.6 / (until - begin) for begin, until, energy in shape),
            1.0,
        )
        energy = sum(energy for _, _, energy in shape)
        best = cheapest(energy, session.since, end, power_w, prices)
    if best is None or None in paid:
        return None
    cost = session.sums.cost
    return min(cost, cost - millionths(grid_cost) + millionths(best))


def _shape(session: DemandSession, books: Sequence[DayBook]) -> Shape:
    """What it took from the grid, in order."""
    out: dict[tuple[int, int], int] = {}
    for book in books:
        for piece, energy in book.pieces.items():
            if piece.session == session.key and piece.flow == GRID:
                span = piece.start, piece.end
                out[span] = out.get(span, 0) + energy
    return [(*span, energy) for span, energy in sorted(out.items())]


def cheapest(
    energy: int,
    start: int,
    end: int,
    power_w: float,
    prices: KnownPrices,
) -> Decimal | None:
    """The least that that energy could have cost in `[start, end)`; None where it does not fit.

    Time without a known price is not used.
    """
    left, cost = whole(energy), ZERO
    power_kw = Decimal(repr(power_w)) / 1000
    for begin, until, price in sorted(prices.spans(start, end), key=lambda span: span[2]):
        share = min(left, power_kw * (until - begin) / 3600)
        cost += share * price
        left -= share
        if left <= 0:
            return cost
    return None


def cheapest_shift(shape: Shape, start: int, end: int, prices: KnownPrices) -> Decimal | None:
    """The same for a run that cannot be cut: its own course, begun at any other quarter."""
    first, last = shape[0][0], shape[-1][1]
    earliest = min(0, -((first - start) // QUARTER_S) * QUARTER_S)
    best: Decimal | None = None
    for shift in range(earliest, max(0, end - last) + 1, QUARTER_S):
        means = [prices.imported(a + shift, b + shift) for a, b, _ in shape]
        if any(mean is None for mean in means):
            continue
        cost = sum(
            (whole(e) * m.per_kwh for (_, _, e), m in zip(shape, means, strict=True) if m), ZERO
        )
        best = cost if best is None else min(best, cost)
    return best
