"""A tariff that needs nobody: prices by weekday, month and local time of day, from the config.

The first rule that fits what the clock on the wall shows is the price. So on the day on which
clocks go back the repeated hour has its prices twice, and where clocks go forward the skipped times
never come. Weekday and month are those of the calendar day that the clock shows: "Monday, 22:30 to
06:00" is Monday until 06:00 and Monday from 22:30.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from agent.energy.instants import from_unix, to_unix_ceil, to_unix_floor
from agent.energy.rates import Direction, Rate, merged
from agent.errors import Malformed
from agent.ports import FetchedRates

EVERY_DAY = frozenset(range(7))
EVERY_MONTH = frozenset(range(1, 13))
MIDNIGHT = time(0)
HOUR_S = 3600
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A price per kWh and when it holds: `[start, end)` by the clock on the wall.

    `days` 0 (Monday) to 6, `months` 1 to 12. An `end` not after `start` is past midnight; equal
    ends are the whole day.
    """

    price: Decimal
    days: frozenset[int] = EVERY_DAY
    months: frozenset[int] = EVERY_MONTH
    start: time = MIDNIGHT
    end: time = MIDNIGHT

    def applies_at(self, local: datetime) -> bool:
        if local.weekday() not in self.days or local.month not in self.months:
            return False
        clock = local.time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return self.start == self.end or clock >= self.start or clock < self.end


class FixedTariff:
    """Rules by direction, the first that fits holds. A time that no rule fits is a gap."""

    def __init__(
        self, timezone: str, currency: str, rules: Mapping[Direction, Sequence[PriceRule]]
    ) -> None:
        self._timezone = timezone
        self._currency = currency
        self._rules = {direction: tuple(some) for direction, some in rules.items() if some}
        self.directions = tuple(self._rules)
        # Other prices are another contract: the old ones must not linger.
        described = [
            (
                direction.value,
                rule.price,
                sorted(rule.days),
                sorted(rule.months),
                rule.start,
                rule.end,
            )
            for direction, some in self._rules.items()
            for rule in some
        ]
        digest = hashlib.sha256(repr((timezone, currency, described)).encode()).hexdigest()
        self.identity = f"fixed:{digest[:16]}"

    async def fetch(self, direction: Direction, start: datetime, end: datetime) -> FetchedRates:
        """The rates over `[start, end)`. Raises Malformed for a direction without rules."""
        rules = self._rules.get(direction)
        if rules is None:
            raise Malformed(f"the fixed tariff has no prices for {direction}")
        rates = fixed_rates(rules, ZoneInfo(self._timezone), start, end)
        return FetchedRates(direction, self._currency, self._timezone, rates)

    async def close(self) -> None:
        """Nothing is open."""


def fixed_rates(
    rules: Sequence[PriceRule], zone: ZoneInfo, start: datetime, end: datetime
) -> list[Rate]:
    """The rates over `[start, end)`, touching ones of equal price merged."""
    out = []
    for began, ended in pairwise(_changes(rules, zone, start, end)):
        local = began.astimezone(zone)
        rule = next((rule for rule in rules if rule.applies_at(local)), None)
        if rule is not None:
            out.append(Rate(began, ended, rule.price))
    return list(merged(out))


def _changes(
    rules: Sequence[PriceRule], zone: ZoneInfo, start: datetime, end: datetime
) -> list[datetime]:
    """Every instant at which another rule may begin to fit, `start` and `end` included."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    clocks = {MIDNIGHT, *(clock for rule in rules for clock in (rule.start, rule.end))}
    changes = {start, end, *_clock_changes(zone, start, end)}
    day = start.astimezone(zone).date()
    while day <= end.astimezone(zone).date():
        for clock in clocks:
            # The clock shows a time of the repeated hour twice.
            for fold in (0, 1):
                local = datetime.combine(day, clock.replace(fold=fold), tzinfo=zone)
                changes.add(local.astimezone(UTC))
        day += DAY
    return sorted(change for change in changes if start <= change <= end)


def _clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The whole seconds in `(start, end]` at which the zone's offset has changed."""

    def offset(second: int) -> timedelta | None:
        return from_unix(second).astimezone(zone).utcoffset()

    out = []
    at, until = to_unix_floor(start), to_unix_ceil(end)
    while at < until:
        following = min(at + HOUR_S, until)
        low, high = at, following
        if offset(low) != offset(high):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
            out.append(from_unix(high))
        at = following
    return out
