"""Postal addresses: what FlatPeak derives from one, and what it finds wrong with it."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from integrations.sandbox.locations import Location, market_prices, object_id
from integrations.sandbox.responses import BadRequestError
from integrations.sandbox.series import Series

ADDRESS_FIELDS = ("address_line1", "address_line2", "city", "state", "post_code", "country_code")
MAX_FIELD = 200
# Where the sandbox has prices for, or can pretend to: zone and currency by country.
COUNTRIES = {
    "AT": ("Europe/Vienna", "EUR"),
    "AU": ("Australia/Sydney", "AUD"),
    "BE": ("Europe/Brussels", "EUR"),
    "CH": ("Europe/Zurich", "CHF"),
    "DE": ("Europe/Berlin", "EUR"),
    "DK": ("Europe/Copenhagen", "DKK"),
    "ES": ("Europe/Madrid", "EUR"),
    "FI": ("Europe/Helsinki", "EUR"),
    "FR": ("Europe/Paris", "EUR"),
    "GB": ("Europe/London", "GBP"),
    "IE": ("Europe/Dublin", "EUR"),
    "LU": ("Europe/Luxembourg", "EUR"),
    "NL": ("Europe/Amsterdam", "EUR"),
    "NO": ("Europe/Oslo", "NOK"),
    "SE": ("Europe/Stockholm", "SEK"),
    "US": ("America/Chicago", "USD"),
}


@dataclass(frozen=True, slots=True)
class Region:
    """Where a home is."""

    address: dict[str, str]
    timezone: str
    currency: str

    def location(self, number: int, reference_id: str = "", customer_id: str = "") -> Location:
        return Location(
            number,
            f"home {number}",
            self.timezone,
            self.currency,
            {},
            self.address["country_code"],
            self.address["city"],
            reference_id=reference_id,
            customer_id=customer_id or object_id("cus", 1),
            postal_address=self.address,
        )

    def market(self) -> Series:
        return market_prices(ZoneInfo(self.timezone), self.currency)


def region_of(address: object, context: str, *, complete: bool = False) -> Region:
    """Raises BadRequestError. `complete`: with line 1 and post code, as on the page."""

    def refuse(code: str, message: str) -> BadRequestError:
        return BadRequestError(code, message, 422, context)

    if not isinstance(address, dict):
        raise refuse("data_json_invalid", "postal_address is an object")
    kept = {}
    for name in ADDRESS_FIELDS:
        value = address.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > MAX_FIELD):
            raise refuse("data_json_invalid", f"{name} is text")
        if value and value.strip():
            kept[name] = value.strip()
    wanted = ("address_line1", "city", "post_code", "country_code")
    for name in wanted if complete else ("city", "country_code"):
        if name not in kept:
            raise refuse(f"{name}_missing", f"{name} is missing")
    code = kept["country_code"]
    if len(code) != 2 or not code.isascii() or not code.isalpha():
        raise refuse("country_code_invalid", "country_code has two letters")
    kept["country_code"] = code.upper()
    if kept["country_code"] not in COUNTRIES:
        raise refuse("timezone_not_found", "there is no time zone for this address")
    return Region(kept, *COUNTRIES[kept["country_code"]])
