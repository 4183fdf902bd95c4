"""The ledger as all others see it: what each device took, cost and saved. One value for everybody.

The bookkeeper fills it in; MQTT, the pages, the demo and the command read it from here or, beside a
running agent, from the rows that are summed up alike.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from agent.energy.situation import ZERO
from agent.records.demand_session import DemandSession
from agent.records.sums import NOTHING, Sums, total


@dataclass(slots=True)
class Account:
    """One device: kWh and currency ever; counts since the start. `open_needs` have not ended."""

    energy_kwh: Decimal = ZERO
    cost: Decimal = ZERO
    baseline_cost: Decimal = ZERO
    deadlines: int = 0
    deadlines_met: int = 0
    open_needs: int = 0
    schedules: int = 0
    schedules_followed: int = 0

    def show(self, ever: Sums) -> None:
        self.energy_kwh = ever.energy_kwh
        self.cost, self.baseline_cost = ever.cost_money, ever.baseline_money


@dataclass(slots=True)
class Ledger:
    accounts: dict[str, Account] = field(default_factory=dict)

    def of(self, device: str) -> Account:
        return self.accounts.setdefault(device, Account())


@dataclass(frozen=True, slots=True)
class Periods:
    """By local days of the site; `ever` in the currency that holds."""

    today: Sums = NOTHING
    month: Sums = NOTHING
    ever: Sums = NOTHING


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """`session` is the one under way that began last, else the one that ended last."""

    periods: Periods
    session: DemandSession | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    currency: str
    timezone: str
    devices: Mapping[str, DeviceFigures]

    @property
    def total(self) -> Periods:
        found = [device.periods for device in self.devices.values()]
        return Periods(
            total(part.today for part in found),
            total(part.month for part in found),
            total(part.ever for part in found),
        )


@dataclass(slots=True)
class Totals:
    """What was booked in one currency: ever, and of the newest days."""

    ever: dict[str, Sums] = field(default_factory=dict)
    days: dict[tuple[str, int], Sums] = field(default_factory=dict)

    def add(self, device: str, day: int, change: Sums) -> None:
        self.ever[device] = self.ever.get(device, NOTHING) + change
        self.days[device, day] = self.days.get((device, day), NOTHING) + change

    def periods(self, device: str, today: int) -> Periods:
        month = today // 100
        days = (
            sums
            for (name, day), sums in self.days.items()
            if name == device and day // 100 == month
        )
        ever = self.ever.get(device, NOTHING)
        return Periods(self.days.get((device, today), NOTHING), total(days), ever)

    def forget_before(self, day: int) -> None:
        """What no period that is shown needs any more."""
        for key in [key for key in self.days if key[1] < day]:
            del self.days[key]


def last_session(found: Iterable[DemandSession]) -> DemandSession | None:
    """The one under way that began last, else the one that ended last."""
    return max(found, key=lambda one: (one.is_open, one.until or one.since), default=None)
