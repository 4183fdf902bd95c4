"""Rates: what a kWh costs when, over half-open spans."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

# A household's kWh has never cost more, nor paid more: beyond it somebody wrote cents or MWh.
# Currencies of other sizes are not judged.
PLAUSIBLE_PER_KWH = {
    **dict.fromkeys(("EUR", "GBP", "USD", "CHF", "CAD", "AUD", "NZD"), Decimal(5)),
    **dict.fromkeys(("SEK", "NOK", "DKK", "CZK", "PLN"), Decimal(50)),
}
# What hundredths of them are called.
HUNDREDTHS = {
    "GBP": "pence",
    **dict.fromkeys(("SEK", "NOK", "DKK"), "öre"),
    "CZK": "haléřů",
    "PLN": "groszy",
    "CHF": "Rappen",
}
# Others in which electricity is sold (ISO 4217); what a kWh costs there is not known here.
OTHER_CURRENCIES = frozenset(
    (  # noqa: SIM905  # a list would be eighty lines
        "AED ALL AMD ARS AZN BAM BDT BGN BHD BRL BYN CLP CNY COP CRC DOP EGP GEL GHS GTQ HKD HNL "
        "HUF IDR ILS INR ISK JMD JOD JPY KES KRW KWD KZT LBP LKR MAD MDL MKD MUR MXN MYR NGN OMR "
        "PAB PEN PHP PKR PYG QAR RON RSD RUB SAR SGD THB TND TRY TTD TWD TZS UAH UGX UYU UZS VND "
        "XAF XCD XOF XPF ZAR ZMW ZWG "
    ).split()
)


class Direction(StrEnum):
    IMPORT = "import"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class Rate:
    """One price over `[start, end)`, aware UTC.

    `price` in major currency units per kWh; `confidence` 0 (unknown, never free) .. 1 (confirmed);
    `carbon_g_per_kwh` where known.
    """

    start: datetime
    end: datetime
    price: Decimal
    confidence: float = 1.0
    carbon_g_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """All rates of one direction, in time order, never overlapping; gaps are real gaps.

    `horizon` is the end of the last rate with confidence above 0, `fetched_at` None before the
    first fetch, `stale` where a refresh is overdue or the known prices have run out.
    """

    direction: Direction
    currency: str
    timezone: str
    rates: tuple[Rate, ...] = ()
    fetched_at: datetime | None = None
    next_update: datetime | None = None
    stale: bool = False

    @property
    def horizon(self) -> datetime | None:
        return max((rate.end for rate in self.rates if rate.confidence > 0), default=None)

    def at(self, when: datetime) -> Rate | None:
        """The rate that holds at `when`; None in a gap."""
        for rate in self.rates:
            if rate.start <= when < rate.end:
                return rate
        return None


def same_ahead(
    old: Mapping[Direction, Rates], new: Mapping[Direction, Rates], now: datetime
) -> bool:
    """Whether both say the same of what is to come, whenever they were fetched."""

    def ahead(rates: Mapping[Direction, Rates]) -> dict[Direction, object]:
        return {
            direction: (
                one.currency,
                one.timezone,
                [rate for rate in one.rates if rate.end > now],
            )
            for direction, one in rates.items()
        }

    return ahead(old) == ahead(new)


def merged(rates: Iterable[Rate]) -> Sequence[Rate]:
    """Touching neighbours of equal price, confidence and carbon as one; the input is in order."""
    out: list[Rate] = []
    for rate in rates:
        last = out[-1] if out else None
        if (
            last is not None
            and last.end == rate.start
            and (last.price, last.confidence, last.carbon_g_per_kwh)
            == (rate.price, rate.confidence, rate.carbon_g_per_kwh)
        ):
            out[-1] = Rate(last.start, rate.end, rate.price, rate.confidence, rate.carbon_g_per_kwh)
        else:
            out.append(rate)
    return out
