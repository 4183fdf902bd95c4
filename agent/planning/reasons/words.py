"""Numbers and times as people read them: local clock times, amounts with the currency."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from agent.energy.instants import format_instant, from_unix
from agent.energy.plan import Number
from agent.energy.situation import Situation

Numbers = dict[str, Number]
ZERO = Fraction(0)

# Amounts below this are shown with more digits.
SMALL = 0.01


def number(value: Fraction | float, places: int = 4) -> Decimal:
    exact = Fraction(value)
    rounded = round(exact * 10**places)
    return Decimal(rounded).scaleb(-places).normalize() + 0


class Words:
    """`second` counts from now. A weekday stands before times of another local day than now's."""

    def __init__(self, situation: Situation) -> None:
        self._now = situation.now
        self._zone = ZoneInfo(situation.timezone)
        self.currency = situation.currency
        self._today = self._local(0).date()

    def instant(self, second: int) -> str:
        """As in documents: RFC 3339."""
        return format_instant(from_unix(self._now + second))

    def clock(self, second: int) -> str:
        when = self._local(second)
        text = when.strftime("%H:%M:%S" if when.second else "%H:%M")
        # In the hour that comes twice, the name of the time says which.
        if when.utcoffset() != when.replace(fold=1 - when.fold).utcoffset():
            text += when.strftime(" %Z")
        return text if when.date() == self._today else f"{when:%a} {text}"

    def span(self, start: int, end: int) -> str:
        first, last = self.clock(start), self.clock(end)
        if self._local(start).date() == self._local(end).date() != self._today:
            last = last.split(" ", 1)[1]
        return f"{first} to {last}"

    def amount(self, value: Fraction | float) -> str:
        """`0.31`, with more digits where it is small."""
        size = abs(float(value))
        if size >= SMALL or size == 0:
            return f"{float(value):.2f}"
        return f"{number(value):f}"

    def money(self, value: Fraction | float) -> str:
        return f"{self.amount(value)} {self.currency}"

    def price(self, per_kwh: float) -> str:
        """A price of a kWh, to a hundredth of a cent where it has them."""
        text = f"{number(per_kwh):f}"
        whole, _, digits = text.partition(".")
        return f"{whole}.{digits.ljust(2, '0')}"

    def kwh(self, energy_kwh: float) -> str:
        if energy_kwh >= 1:
            return f"{energy_kwh:.1f} kWh"
        return f"{number(energy_kwh, 3 if energy_kwh >= SMALL else 6):f} kWh"

    def power(self, watts: float) -> str:
        return f"{number(watts / 1000, 2):f} kW" if watts >= 1000 else f"{watts:.0f} W"

    def length(self, seconds: int) -> str:
        """`2 hours`, `1 h 30 min`, `45 min`, `50 s`."""
        if seconds < 60:
            return f"{seconds} s"
        hours, minutes = divmod(-(-seconds // 60), 60)
        if not minutes:
            return "an hour" if hours == 1 else f"{hours} hours"
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"

    def _local(self, second: int) -> datetime:
        return from_unix(self._now + second).astimezone(self._zone)
