"""One language as a visitor reads it: texts, numbers, prices, local times."""

import re
import string
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from agent.energy.rates import Rate
from agent.energy.sentences import DeviceNames, Sentence
from agent.web.languages import ENGLISH, OWNER, plain_template, sentences, texts

# Where a sentence begins with a value, and a key as it is written in a message.
PLACE, KEY = re.compile(r"\{(\w+)"), re.compile(r"[a-z0-9]+(_[a-z0-9]+)+\b")
# Prices a kWh are read in the hundredth of the currency where it has one with a short name.
HUNDREDTHS = {
    "EUR": "ct",
    "GBP": "p",
    "USD": "¢",
    "AUD": "c",
    "SEK": "öre",
    "NOK": "øre",
    "DKK": "øre",
}


def device_name(device: str) -> str:
    """The id of a device as people write a name."""
    return device.upper() if len(device) <= 3 else device.replace("_", " ").capitalize()


class Words:
    """Called with a key and the values of its places gives the text.

    A key that the language lacks is given in English, one that nobody knows as it is.
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self.zone = zone
        self._texts = texts(language)
        self._sentences = sentences(language)

    def __call__(self, key: str, /, **values: object) -> str:
        text = self._texts.get(key, key)
        return text.format_map(values) if values else text

    def has(self, key: str) -> bool:
        return key in self._texts

    def said(self, text: str) -> list[tuple[str, bool]]:
        """What the agent says, piece by piece, and whether the piece is in English all the same."""
        if isinstance(text, Sentence) and text.parts:
            return [piece for part in text.parts for piece in self.said(part)]
        template, values = text, {}
        if isinstance(text, Sentence):
            template, values = text.template, dict(text.values)
        found = self._sentences.get(plain_template(template))
        if found is not None and template.endswith("."):
            found = f"{found.removesuffix('.')}."
        elif found is None and self.language == ENGLISH:
            found = template.removeprefix(OWNER)
        if found is None:
            return [(text.removeprefix(OWNER), True)]
        return [(_Places(self).vformat(found, (), values) if values else found, False)]

    def begins_with_key(self, text: str) -> bool:
        """Does it begin with what others wrote, such as a key, that must not get a capital?"""
        while isinstance(text, Sentence):
            if text.parts:
                text = text.parts[0]
                continue
            template = self._sentences.get(plain_template(text.template), text.template)
            if (place := PLACE.match(template)) is None:
                return bool(KEY.match(template))
            value = text.values.get(place[1])
            if not isinstance(value, str) or isinstance(value, DeviceNames):
                return False
            if not isinstance(value, Sentence):
                return True
            text = value
        return bool(KEY.match(text))

    def plain(self, text: str) -> str:
        """The same as one text, where nothing can be marked as English."""
        return "; ".join(piece for piece, _ in self.said(text))

    def number(self, value: Decimal | float, digits: int = 1) -> str:
        text = f"{value:,.{digits}f}"
        if self("words.decimal_comma") == "yes":
            text = text.translate(str.maketrans(",.", ".,"))
        return text

    def price(self, per_kwh: Decimal | float, currency: str) -> str:
        """Such as `31.4 ct/kWh`."""
        small = HUNDREDTHS.get(currency)
        if small is None:
            return f"{self.number(per_kwh, 4)} {currency}/kWh"
        return f"{self.number(Decimal(str(per_kwh)) * 100, 1)} {small}/kWh"

    def rate(self, rate: Rate, currency: str) -> str:
        """Its price, and whether that is an estimate."""
        text = self.price(rate.price, currency)
        return self("words.estimated_price", price=text) if rate.confidence < 1 else text

    def money(self, value: Decimal | float, currency: str) -> str:
        return f"{self.number(value, 2)} {currency}"

    def power(self, power_w: float) -> str:
        if abs(power_w) < 1000:
            return f"{power_w:.0f} W"
        return f"{self.number(power_w / 1000, 1)} kW"

    def day(self, day: date) -> str:
        """A date of which the year matters."""
        return self("words.date_with_year", day=day.day, month=day.month, year=day.year)

    def clock(self, when: datetime) -> str:
        return f"{when.astimezone(self.zone):%H:%M}"

    def moment(self, when: datetime, now: datetime) -> str:
        """Local time, with the day where it is another than today."""
        local, today = when.astimezone(self.zone), now.astimezone(self.zone).date()
        days = (local.date() - today).days
        if days == 0:
            return f"{local:%H:%M}"
        if days in (1, -1):
            day = self("words.tomorrow" if days == 1 else "words.yesterday")
        else:
            day = self._weekday_and_date(local)
        return self("words.day_and_time", day=day, time=f"{local:%H:%M}")

    def instant(self, when: datetime, exactness: str = "") -> str:
        """Local time as a place asks for it: the clock alone, the weekday, the date, the year."""
        local = when.astimezone(self.zone)
        if "%Y" in exactness:
            day = self.day(local.date())
        elif "%d" in exactness or not exactness:
            day = self._weekday_and_date(local)
        elif "%a" in exactness:
            day = self(f"words.weekday_{local.weekday()}")
        else:
            return f"{local:%H:%M}"
        return self("words.day_and_time", day=day, time=f"{local:%H:%M}")

    def _weekday_and_date(self, local: datetime) -> str:
        weekday = self(f"words.weekday_{local.weekday()}")
        return self("words.date", weekday=weekday, day=local.day, month=local.month)


class _Places(string.Formatter):
    """Fills the places of a sentence as one language writes numbers, dates and times."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, Sentence):
            return self._words.plain(value)
        if isinstance(value, DeviceNames):
            return ", ".join(map(device_name, value.ids))
        if isinstance(value, datetime):
            return self._words.instant(value, format_spec)
        if isinstance(value, date):
            return self._words.day(value)
        text = format(value, format_spec)
        if isinstance(value, float | Decimal) and self._words("words.decimal_comma") == "yes":
            text = text.replace(".", ",")
        return text
