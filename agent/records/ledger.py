"""What each device took and what it cost, beside the frozen baseline: starting at once.

Energy is booked at the price that held when it was taken, and beside it at the mean price that its
need would have cost without a planner: fixed when the need begins, from the prices known then. So
both sides always stand for the same energy, also in the middle of a night.

A battery's cost is what it was charged for. Its baseline is the same, until it gives: then it grows
by what the house would have paid at that moment, less what the energy given was charged for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from agent.energy.rates import Rate
from agent.energy.situation import ZERO
from agent.home.baseline import cost_at_once, cost_of
from agent.home.model.meter import MeteredInterval
from agent.home.planning_input import SATISFIED_TOLERANCE_KWH, ActiveNeed


@dataclass(slots=True)
class Account:
    """Totals of one device since the start, in kWh and currency. `open_needs` have not ended."""

    energy_kwh: Decimal = ZERO
    cost: Decimal = ZERO
    baseline_cost: Decimal = ZERO
    deadlines: int = 0
    deadlines_met: int = 0
    open_needs: int = 0
    schedules: int = 0
    schedules_followed: int = 0


@dataclass(slots=True)
class _OpenNeed:
    """`price_per_kwh` is the frozen baseline's, `left_kwh` what it still stands for."""

    deadline: datetime
    price_per_kwh: Decimal
    left_kwh: Decimal
    settled: bool = False


@dataclass(slots=True)
class _Stock:
    """What a battery was charged with and has not given yet: kWh that went in, and their cost."""

    energy_kwh: Decimal = ZERO
    cost: Decimal = ZERO

    def take(self, energy_kwh: Decimal, price_per_kwh: Decimal) -> Decimal:
        """The cost of that much of it; what was in it before anybody counted is at the price."""
        known = min(energy_kwh, self.energy_kwh)
        cost = self.cost * known / self.energy_kwh if known else ZERO
        self.energy_kwh -= known
        self.cost -= cost
        return cost + (energy_kwh - known) * price_per_kwh


@dataclass(slots=True)
class Ledger:
    accounts: dict[str, Account] = field(default_factory=dict)
    _open: dict[tuple[str, str], _OpenNeed] = field(default_factory=dict, init=False)
    _stocks: dict[str, _Stock] = field(default_factory=dict, init=False)

    def of(self, device: str) -> Account:
        return self.accounts.setdefault(device, Account())

    def book(
        self, device: str, intervals: Iterable[MeteredInterval], rates: Sequence[Rate]
    ) -> None:
        """Book what was metered; energy of no need costs the same with and without a planner."""
        account = self.of(device)
        for interval in intervals:
            energy = Decimal(repr(round(interval.energy_kwh, 9)))
            cost = cost_of(energy, interval.start, interval.end, rates)
            account.energy_kwh += energy
            account.cost += cost
            account.baseline_cost += self._baseline(device, energy, cost)

    def book_storage(
        self,
        device: str,
        intervals: Iterable[MeteredInterval],
        rates: Sequence[Rate],
        round_trip: Decimal,
    ) -> None:
        """Book what a battery took and gave (negative); `round_trip` is the share it gives back."""
        account = self.of(device)
        stock = self._stocks.setdefault(device, _Stock())
        for interval in intervals:
            energy = Decimal(repr(round(interval.energy_kwh, 9)))
            worth = cost_of(abs(energy), interval.start, interval.end, rates)
            if energy > 0:
                account.energy_kwh += energy
                account.cost += worth
                account.baseline_cost += worth
                stock.energy_kwh += energy
                stock.cost += worth
            elif energy < 0:
                used = -energy / round_trip
                account.baseline_cost += worth - stock.take(used, worth / used)

    def _baseline(self, device: str, energy: Decimal, cost: Decimal) -> Decimal:
        if not energy:
            return cost
        mean, left, total = cost / energy, energy, ZERO
        for (name, _), need in self._open.items():
            if name != device or left <= 0:
                continue
            share = min(left, need.left_kwh)
            total += share * need.price_per_kwh
            need.left_kwh -= share
            left -= share
        return total + left * mean

    def track(
        self, device: str, needs: Sequence[ActiveNeed], rates: Sequence[Rate], now: datetime
    ) -> None:
        """Open new needs, settle those that are met or whose deadline has come."""
        keys = {(device, need.key) for need in needs}
        for need in needs:
            key = (device, need.key)
            begins = need.missing_kwh >= SATISFIED_TOLERANCE_KWH and now < need.deadline
            if key not in self._open and begins:
                cost = cost_at_once(need.missing_kwh, need.power_w, now, rates)
                price = cost / need.missing_kwh
                self._open[key] = _OpenNeed(need.deadline, price, need.missing_kwh)
            held = self._open.get(key)
            if held is None or held.settled:
                continue
            held.deadline = need.deadline
            if need.missing_kwh < SATISFIED_TOLERANCE_KWH or now >= held.deadline:
                self._settle(device, held, met=need.missing_kwh < SATISFIED_TOLERANCE_KWH)
        for key in [key for key in self._open if key[0] == device and key not in keys]:
            held = self._open.pop(key)
            if not held.settled and now >= held.deadline:
                self._settle(device, held, met=False)
        mine = [need for (name, _), need in self._open.items() if name == device]
        self.of(device).open_needs = sum(not need.settled for need in mine)

    def _settle(self, device: str, held: _OpenNeed, *, met: bool) -> None:
        account = self.of(device)
        held.settled = True
        account.deadlines += 1
        account.deadlines_met += met
