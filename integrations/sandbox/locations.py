"""The locations of the sandbox: one zone, one currency, tariffs to import and to export each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from integrations.sandbox.series import (
    FileSeries,
    Flat,
    PriceFile,
    RepeatedYear,
    Scaled,
    Series,
    TimeOfDay,
)

PRICES = Path(__file__).parent / "prices"
# The first eight digits of an id are a Unix time; here 1 January 2024 for all of them.
CREATED_AT = 0x65920080
# Round numbers, so that prices have the right size; not a rate of any day.
PER_EURO = {
    "AUD": Decimal("1.65"),
    "CHF": Decimal("0.95"),
    "DKK": Decimal("7.45"),
    "GBP": Decimal("0.85"),
    "NOK": Decimal("11.5"),
    "SEK": Decimal("11.2"),
    "USD": Decimal("1.1"),
}

ZONES = {
    "AU-NSW": "Australia/Sydney",
    "DE-LU": "Europe/Berlin",
    "DK1": "Europe/Copenhagen",
    "ES": "Europe/Madrid",
    "FI": "Europe/Helsinki",
    "FR": "Europe/Paris",
    "GB-A": "Europe/London",
    "GB-C": "Europe/London",
    "NL": "Europe/Amsterdam",
    "NO2": "Europe/Oslo",
    "SE3": "Europe/Stockholm",
    "US-ERCOT": "America/Chicago",
}


def object_id(prefix: str, number: int) -> str:
    """An id with the right prefix and 24 hex digits, the same on every start."""
    return f"{prefix}_{CREATED_AT:08x}{number:016x}"


@dataclass(frozen=True, slots=True)
class ProviderName:
    """An energy provider as it stands in a location's status."""

    id: str = object_id("prv", 1)
    name: str = "Sandbox Energy"


# What is packaged was made then, as far as anybody can tell.
PACKAGED_AT = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What is known of one tariff of a location besides its prices.

    `connection_type` is DIRECT, LIBRARY, MARKET or MANUAL; `structure_type` FIXED, TIME_OF_DAY,
    MARKET or DYNAMIC. `contract_end` None: open-ended. Until `ready_at` FlatPeak is still working
    on it.
    """

    number: int
    display_name: str
    connection_type: str
    structure_type: str
    provider: ProviderName = ProviderName()
    contract_start: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    contract_end: datetime | None = datetime(2099, 12, 31, tzinfo=UTC)
    status: str = "CONNECTED"
    ready_at: datetime | None = None
    tiered: bool = False
    created_at: datetime = PACKAGED_AT

    @property
    def id(self) -> str:
        return object_id("trf", self.number)


@dataclass(frozen=True, slots=True)
class Location:
    """One location: what FlatPeak knows about a home, and the prices it would serve.

    `series` by direction in FlatPeak's spelling, `IMPORT` and `EXPORT`. `connected` holds what was
    connected later, by kind such as `commodity_import`; other series have a tariff made for them.
    """

    number: int
    name: str
    timezone: str
    currency: str
    series: Mapping[str, Series] = field(repr=False)
    country: str = ""
    city: str = ""
    connected: Mapping[str, Tariff] = field(default_factory=dict, repr=False)
    reference_id: str = ""
    customer_id: str = object_id("cus", 1)
    postal_address: Mapping[str, str] = field(default_factory=dict, repr=False)
    created_at: datetime = PACKAGED_AT

    @property
    def tariffs(self) -> dict[str, Tariff]:
        """Every tariff by kind such as `commodity_import`."""
        made = {
            f"commodity_{direction.lower()}": Tariff(
                10 * self.number + number,
                self.name,
                "MARKET" if series.market else "MANUAL",
                series.structure,
            )
            for number, (direction, series) in enumerate(self.series.items(), start=1)
        }
        return {**made, **self.connected}

    @property
    def id(self) -> str:
        return object_id("loc", self.number)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


def built_in() -> tuple[Location, ...]:
    """The packaged locations. Market prices are wholesale prices, see prices/ATTRIBUTION.md."""
    berlin, stockholm = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Stockholm")
    germany = _packaged("prices_DE-LU_EUR_PT1H_2024_day-ahead.csv.gz")
    sweden = _packaged("prices_SE3_EUR_PT1H_2024_day-ahead.csv.gz")
    swedish = RepeatedYear(sweden, stockholm)
    return (
        Location(
            1,
            "DE-LU, hourly market",
            "Europe/Berlin",
            "EUR",
            {"IMPORT": RepeatedYear(germany, berlin), "EXPORT": Flat(Decimal("0.0786"))},
            "DE",
            "Leipzig",
        ),
        Location(
            2,
            "SE3, hourly market both ways",
            "Europe/Stockholm",
            "EUR",
            {"IMPORT": swedish, "EXPORT": swedish},
            "SE",
            "Stockholm",
        ),
        Location(
            3,
            "DE-LU, market in quarter-hour slots",
            "Europe/Berlin",
            "EUR",
            {"IMPORT": RepeatedYear(germany, berlin, timedelta(minutes=15))},
            "LU",
            "Luxembourg",
        ),
        Location(
            4,
            "flat, the price of the documentation's example",
            "Europe/Amsterdam",
            "EUR",
            {"IMPORT": Flat(Decimal("0.02"))},
            "NL",
            "Utrecht",
        ),
        Location(
            5,
            "time of day, cheap from 00:30 to 05:30",
            "Europe/London",
            "GBP",
            {
                "IMPORT": _two_prices("Europe/London", "0.2463", "0.07", (0, 30), (5, 30)),
                "EXPORT": Flat(Decimal("0.15")),
            },
            "GB",
            "York",
        ),
        Location(
            6,
            "time of day in the south, dear from 15:00 to 21:00 on working days",
            "Australia/Sydney",
            "AUD",
            {
                "IMPORT": TimeOfDay(
                    ZoneInfo("Australia/Sydney"),
                    weekday=(
                        (time(0), Decimal("0.2412")),
                        (time(15), Decimal("0.5412")),
                        (time(21), Decimal("0.2412")),
                    ),
                    weekend=((time(0), Decimal("0.2412")),),
                ),
                "EXPORT": Flat(Decimal("0.05")),
            },
            "AU",
            "Sydney",
        ),
        Location(
            8,
            "hourly market in pounds",
            "Europe/London",
            "GBP",
            {"IMPORT": market_prices(ZoneInfo("Europe/London"), "GBP")},
            "GB",
            "London",
        ),
    )


def market_prices(zone: ZoneInfo, currency: str) -> Series:
    """Hourly market prices by this zone's clock: the German ones, at a fixed exchange."""
    germany = _packaged("prices_DE-LU_EUR_PT1H_2024_day-ahead.csv.gz")
    return Scaled(RepeatedYear(germany, zone), PER_EURO.get(currency, Decimal(1)))


def from_file(path: Path, timezone: str = "") -> Location:
    """A location that serves a price file at its own dates, both ways.

    Zone and currency come from a name like `prices_DE-LU_EUR_PT1H_2024_day-ahead.csv.gz`.
    Raises OSError, or ValueError where the file or its name is not understood.
    """
    parts = path.name.split("_")
    if len(parts) < 4 or parts[0] != "prices":
        raise ValueError(f"{path.name}: expected a name like prices_ZONE_CURRENCY_STEP_SPAN.csv.gz")
    series = FileSeries(PriceFile.read(path))
    if not series.file.starts:
        raise ValueError(f"{path.name} has no rows")
    zone = timezone or ZONES.get(parts[1], "UTC")
    return Location(7, path.name, zone, parts[2], {"IMPORT": series, "EXPORT": series})


@cache
def _packaged(name: str) -> PriceFile:
    return PriceFile.read(PRICES / name)


def _two_prices(
    zone: str, day: str, night: str, begins: tuple[int, int], ends: tuple[int, int]
) -> TimeOfDay:
    clock = (
        (time(0), Decimal(day)),
        (time(*begins), Decimal(night)),
        (time(*ends), Decimal(day)),
    )
    return TimeOfDay(ZoneInfo(zone), clock, clock)
