"""One device's local day: how much it took when, for which demand, and what that cost. Pure.

Energy is kept by quarters of an hour (cut where a price changes within one), so that it can be
priced again when a price comes late or is corrected. Beside the price that held stands the frozen
baseline: what was asked when a demand began is priced at the mean of its run begun at once, planned
heat as in held_heat.py. Other energy that no demand asked for costs the same with and without a
planner.

A battery's cost is what it was charged for. Its baseline is the same, until it gives: then it grows
by what the house would have paid at that moment, less what the energy given was charged for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from agent.energy.situation import ZERO
from agent.records.held_heat import HeldHeat, held_heat
from agent.records.known_prices import KnownPrices, MeanPrice
from agent.records.sums import NOTHING, Sums, millionths, whole

QUARTER_S = 900
# Where energy came from; GIVEN: a battery gave it. HELD is no energy that was taken, but what a
# thermostat would have: from the grid, from the roof.
GRID, SURPLUS, GIVEN = "g", "s", "d"
HELD = {GRID: "h", SURPLUS: "i"}
HELD_FLOWS = tuple(HELD.values())
# The part of a piece that no demand asked for.
BEYOND = -1
NO_SESSION = ""


class Piece(NamedTuple):
    """When, whence and for what: Unix seconds, `session` by its key, `part` of what it asked."""

    start: int
    end: int
    flow: str
    session: str = NO_SESSION
    part: int = BEYOND


class Asked(NamedTuple):
    """What a demand asked at `start`: its run begun at once, in Unix seconds, W, millionths kWh."""

    start: int
    power_w: int
    energy: int

    @property
    def end(self) -> int:
        """When a run begun at once would have been over."""
        return self.start + max(1, round(self.energy * 3600 / (self.power_w * 1000)))


@dataclass(frozen=True, slots=True)
class Stock:
    """What a battery was charged with and has not given yet: kWh that went in, and their cost."""

    energy_kwh: Decimal = ZERO
    cost: Decimal = ZERO

    def put(self, energy_kwh: Decimal, cost: Decimal) -> "Stock":
        return Stock(self.energy_kwh + energy_kwh, self.cost + cost)

    def take(self, energy_kwh: Decimal, price_per_kwh: Decimal) -> tuple["Stock", Decimal]:
        """What is left, and the cost of what was taken.

        What was in it before anybody counted is at the price.
        """
        known = min(energy_kwh, self.energy_kwh)
        cost = self.cost * known / self.energy_kwh if known else ZERO
        left = Stock(self.energy_kwh - known, self.cost - cost)
        return left, cost + (energy_kwh - known) * price_per_kwh


@dataclass(slots=True)
class _Account:
    """Sums under way, in kWh and currency."""

    energy: int = 0
    cost: Decimal = ZERO
    baseline: Decimal = ZERO
    pending: int = 0
    estimated: int = 0

    def sums(self) -> Sums:
        money = millionths(self.cost), millionths(self.baseline)
        return Sums(self.energy, *money, self.pending, self.estimated)


@dataclass(slots=True)
class DayBook:
    """`day` is local, as 20260116. `asked` holds what the sessions of its pieces asked.

    `round_trip` is the share that a battery gives back, None for all others; `stock` is what was in
    it as the day began. `base` was booked before and cannot be taken apart any more.
    """

    device: str
    day: int
    currency: str
    pieces: dict[Piece, int] = field(default_factory=dict)
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    round_trip: Decimal | None = None
    stock: Stock = Stock()
    base: Sums = NOTHING
    sums: Sums = NOTHING
    sessions: dict[str, Sums] = field(default_factory=dict)
    stock_after: Stock = Stock()
    fingerprint: int | None = None

    def add(self, piece: Piece, energy: int, asked: Sequence[Asked] = ()) -> None:
        """Book millionths of a kWh; a correction may be negative."""
        if piece.session and asked:
            self.asked[piece.session] = list(asked)
        self.pieces[piece] = self.pieces.get(piece, 0) + energy
        if not self.pieces[piece]:
            del self.pieces[piece]

    def window(self, start: int, end: int) -> tuple[int, int]:
        """The time of which prices count, given that of the local day."""
        runs = [part for parts in self.asked.values() for part in parts]
        starts = (*(part.start for part in runs), *(piece.start for piece in self.pieces))
        ends = (*(part.end for part in runs), *(piece.end for piece in self.pieces))
        return min(start, *starts, start), max(end, *ends, end)

    def price(self, prices: KnownPrices) -> None:
        """Work out what the day cost, anew."""
        whole_day, sessions = _Account(), dict[str, _Account]()
        runs = {
            (key, place): prices.partly(part.start, part.end)
            for key, parts in self.asked.items()
            for place, part in enumerate(parts)
        }
        held, taken = self._held(prices)
        stock = self.stock
        for piece in sorted(self.pieces):
            if piece.flow in HELD_FLOWS:
                continue
            energy = self.pieces[piece]
            accounts = [whole_day]
            if piece.session:
                accounts.append(sessions.setdefault(piece.session, _Account()))
            price = _price_of(piece, prices)
            if self.round_trip is not None:
                stock = _price_storage(whole_day, piece, energy, price, stock, self.round_trip)
                continue
            if piece.part != BEYOND:
                at_once = runs.get((piece.session, piece.part))
            elif held is not None and price is not None:
                at_once = held.beside(taken, price)
            else:
                at_once = price
            for account in accounts:
                _price_load(account, energy, price, at_once)
        self.sums = self.base + whole_day.sums()
        self.sessions = {key: account.sums() for key, account in sessions.items()}
        self.stock_after = stock
        self.fingerprint = prices.fingerprint

    def _held(self, prices: KnownPrices) -> tuple[HeldHeat | None, int]:
        """What a thermostat would have taken, and what was."""
        held = held_heat(
            (energy, _price_of(piece, prices))
            for piece, energy in self.pieces.items()
            if piece.flow in HELD_FLOWS
        )
        taken = (energy for piece, energy in self.pieces.items() if piece.flow not in HELD_FLOWS)
        return held, sum(taken)

    def pending_at(self, prices: KnownPrices) -> int:
        """How much of it would have no price by these."""
        trial = replace(self)
        trial.price(prices)
        return trial.sums.pending

    def taken(self, session: str) -> dict[int, int]:
        """Millionths of a kWh by the part of what that session asked."""
        out: dict[int, int] = {}
        for piece, energy in self.pieces.items():
            if piece.session == session:
                out[piece.part] = out.get(piece.part, 0) + energy
        return out


def _price_of(piece: Piece, prices: KnownPrices) -> MeanPrice | None:
    if piece.flow in (SURPLUS, HELD[SURPLUS]):
        return prices.surplus(piece.start, piece.end)
    return prices.imported(piece.start, piece.end)


def _price_load(
    account: _Account, energy: int, price: MeanPrice | None, at_once: MeanPrice | None
) -> None:
    account.energy += energy
    if price is None or at_once is None:
        account.pending += energy
        return
    energy_kwh = whole(energy)
    account.cost += energy_kwh * price.per_kwh
    account.baseline += energy_kwh * at_once.per_kwh
    if price.estimated or at_once.estimated:
        account.estimated += energy


def _price_storage(
    account: _Account,
    piece: Piece,
    energy: int,
    price: MeanPrice | None,
    stock: Stock,
    round_trip: Decimal,
) -> Stock:
    energy_kwh = whole(energy)
    if piece.flow != GIVEN:
        account.energy += energy
        if price is None:
            account.pending += energy
            return stock
        cost = energy_kwh * price.per_kwh
        account.cost += cost
        account.baseline += cost
        account.estimated += energy if price.estimated else 0
        return stock.put(energy_kwh, cost)
    used = energy_kwh / round_trip
    if price is None:
        account.pending += energy
        return stock.take(used, ZERO)[0]
    worth = energy_kwh * price.per_kwh
    left, cost = stock.take(used, worth / used)
    account.baseline += worth - cost
    account.estimated += energy if price.estimated else 0
    return left


def cut(
    start: float,
    end: float,
    energy_kwh: float,
    edges: Iterable[int],
    surplus: Sequence[tuple[float, float]],
) -> list[tuple[int, int, str, float]]:
    """Energy taken evenly over `[start, end)`, as start, end, flow and kWh of the pieces it fills.

    `edges`: where a price changes; `surplus`: when the roof gave more than the house took.
    """
    first = int(start // QUARTER_S) * QUARTER_S
    if end <= start:
        return [(first, first + QUARTER_S, GRID, energy_kwh)]
    last = -int(-end // QUARTER_S) * QUARTER_S
    marks = sorted({*range(first, last + 1, QUARTER_S), *(e for e in edges if first < e < last)})
    out = []
    for begin, until in pairwise(marks):
        a, b = max(start, begin), min(end, until)
        if b <= a:
            continue
        sunny = sum(max(0.0, min(b, y) - max(a, x)) for x, y in surplus)
        for flow, seconds in ((GRID, b - a - sunny), (SURPLUS, sunny)):
            if seconds > 0:
                out.append((begin, until, flow, energy_kwh * seconds / (end - start)))
    return out
