"""What each device took and what it cost, beside the frozen baseline: starting at once.

Energy is booked at the price that held when it was taken. The baseline of a need is fixed when the
need begins, from the prices known then; it counts once the need is over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from agent.energy.rates import Rate
from agent.energy.situation import ZERO
from agent.home.baseline import cost_of, uncontrolled_cost
from agent.home.device_state import MeteredInterval
from agent.home.planning_input import SATISFIED_TOLERANCE_KWH, ActiveNeed


@dataclass(slots=True)
class Account:
    """Totals of one device since the start, in kWh and currency."""

    energy_kwh: Decimal = ZERO
    cost: Decimal = ZERO
    baseline_cost: Decimal = ZERO
    deadlines: int = 0
    deadlines_met: int = 0
    schedules: int = 0
    schedules_followed: int = 0


@dataclass(slots=True)
class _OpenNeed:
    deadline: datetime
    baseline: Decimal
    settled: bool = False


@dataclass(slots=True)
class Ledger:
    accounts: dict[str, Account] = field(default_factory=dict)
    _open: dict[tuple[str, str], _OpenNeed] = field(default_factory=dict)

    def of(self, device: str) -> Account:
        return self.accounts.setdefault(device, Account())

    def book(
        self, device: str, intervals: Iterable[MeteredInterval], rates: Sequence[Rate]
    ) -> None:
        account = self.of(device)
        for taking in intervals:
            energy = Decimal(repr(taking.energy_kwh))
            account.energy_kwh += energy
            account.cost += cost_of(energy, taking.start, taking.end, rates)

    def follow(
        self, device: str, needs: Sequence[ActiveNeed], rates: Sequence[Rate], now: datetime
    ) -> None:
        """Open new needs, settle those that are met or whose deadline has come."""
        keys = {(device, need.key) for need in needs}
        for need in needs:
            key = (device, need.key)
            if (
                key not in self._open
                and need.missing_kwh >= SATISFIED_TOLERANCE_KWH
                and now < need.deadline
            ):
                baseline = uncontrolled_cost(need.missing_kwh, need.power_w, now, rates)
                self._open[key] = _OpenNeed(need.deadline, baseline)
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

    def _settle(self, device: str, held: _OpenNeed, *, met: bool) -> None:
        account = self.of(device)
        held.settled = True
        account.baseline_cost += held.baseline
        account.deadlines += 1
        account.deadlines_met += met
