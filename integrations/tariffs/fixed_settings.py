"""The settings of the source `fixed`, and how it is built from them."""

import re
from datetime import time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from agent.clock import Clock
from agent.config.base import ClockTime, EndTime, Section, Zone
from agent.config.calendar_words import DAYS, MONTHS, days_of, months_of
from agent.config.tariff import TariffSection
from agent.energy.rates import Direction
from agent.ports import TariffSource
from integrations.tariffs.fixed import FixedTariff, PriceRule

MAX_PRICE = 1_000_000


def _currency(value: object) -> str:
    if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value):
        return value
    raise ValueError("expected a currency code of three capitals such as EUR")


def _days(value: object) -> frozenset[int]:
    if isinstance(value, frozenset):
        return value
    return days_of(value)


def _months(value: object) -> frozenset[int]:
    if isinstance(value, frozenset):
        return value
    return frozenset(number + 1 for number in months_of(value))


Currency = Annotated[str, BeforeValidator(_currency)]
Price = Annotated[Decimal, Field(ge=-MAX_PRICE, le=MAX_PRICE, allow_inf_nan=False)]


class PriceRuleConfig(Section):
    """One price and when it holds. What is left out means always."""

    price: Price
    days: Annotated[frozenset[int], BeforeValidator(_days)] = frozenset(range(7))
    months: Annotated[frozenset[int], BeforeValidator(_months)] = frozenset(range(1, 13))
    start: ClockTime = Field(default=time(0), alias="from")
    end: EndTime = Field(default=time(0), alias="to")

    @model_validator(mode="after")
    def _check_span(self) -> "PriceRuleConfig":
        if self.start == self.end and self.start != time(0):
            raise ValueError("from and to are the same; leave both out for the whole day")
        return self


def _rules(value: object) -> object:
    """A bare price is one rule that always holds."""
    return [{"price": value}] if isinstance(value, int | float | str | Decimal) else value


Rules = Annotated[tuple[PriceRuleConfig, ...], BeforeValidator(_rules)]


class FixedConfig(TariffSection):
    """Prices by weekday, month and local time; of each direction the first rule that fits."""

    source: Literal["fixed"]
    timezone: Zone
    currency: Currency
    import_rules: Rules = Field(alias="import")
    export_rules: Rules = Field(default=(), alias="export")

    @property
    def address(self) -> str:
        return "fixed prices"

    @property
    def names_export(self) -> bool:
        return bool(self.export_rules)

    @model_validator(mode="after")
    def _check_rules(self) -> "FixedConfig":
        for name, rules in (("import", self.import_rules), ("export", self.export_rules)):
            if name == "import" and not rules:
                raise ValueError("import: expected a price or a list of rules")
            if rules and (missing := _uncovered(rules)):
                raise ValueError(
                    f"{name}: no rule fits {missing}; end the list with a price alone, "
                    "which holds at all other times"
                )
        return self


def _uncovered(rules: tuple[PriceRuleConfig, ...]) -> str:
    """The first day and time without a price, in words; empty where there is none."""
    clocks = sorted({time(0), *(clock for rule in rules for clock in (rule.start, rule.end))})
    for month in range(1, 13):
        for day in range(7):
            of_day = [rule for rule in rules if month in rule.months and day in rule.days]
            for clock in clocks:
                if not any(_holds(rule, clock) for rule in of_day):
                    return f"{DAYS[day]} {clock:%H:%M} in {MONTHS[month - 1]}"
    return ""


def _holds(rule: PriceRuleConfig, clock: time) -> bool:
    if rule.start < rule.end:
        return rule.start <= clock < rule.end
    return rule.start == rule.end or clock >= rule.start or clock < rule.end


def build(config: FixedConfig, clock: Clock) -> TariffSource:
    rules = {Direction.IMPORT: config.import_rules, Direction.EXPORT: config.export_rules}
    return FixedTariff(
        config.timezone,
        config.currency,
        {
            direction: [
                PriceRule(rule.price, rule.days, rule.months, rule.start, rule.end) for rule in some
            ]
            for direction, some in rules.items()
        },
    )
