"""Numbers that stand in another unit than was meant: kW for W, a share for percent, cents."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import BaseModel

from agent.cli.checks.result import CheckResult, warning
from agent.config import Config
from agent.config.base import Section
from agent.config.units import LEAST_W, kw_as_w
from agent.energy.rates import HUNDREDTHS, PLAUSIBLE_PER_KWH
from agent.home.kinds.program import ProgramAppliance

POWERS = frozenset(
    {"power_w", "max_power_w", "max_charge_w", "max_discharge_w", "peak_w", "offline_power_w"}
)
# A goal of one percent is no goal.
SHARES = frozenset({"target_soc_percent", "max_soc_percent", "assumed_soc_percent"})
# Shorter than a minute somebody meant minutes, or hours.
DURATIONS = frozenset({"min_on_s", "min_off_s", "offline_after_s", "block_max_s", "hold_s"})
LEAST_S = 60
# No program of an appliance is over so soon.
LEAST_PROGRAM = timedelta(minutes=5)
# Money a kWh, and money a start: neither is more than a kWh can be worth.
AMOUNTS = frozenset({"price_cap", "wear_per_kwh", "start_cost"})


def check_units(config: Config) -> Iterator[CheckResult]:
    """One warning for each number of the devices and of the roof that cannot be meant so."""
    if config.site.pv is not None:
        yield from _doubtful("site", "site.pv.", config.site.pv)
    for index, device in enumerate(config.devices):
        yield from _doubtful(device.id, f"devices[{index}].", device)
        if isinstance(device, ProgramAppliance) and device.duration < LEAST_PROGRAM:
            total_s = int(device.duration.total_seconds())
            hint = f"durations are in seconds: {total_s} minutes are {total_s * 60}"
            text = f"devices[{index}].profile takes {total_s} s in all"
            yield warning(device.id, text, hint)


def check_amounts(config: Config, currency: str) -> Iterator[CheckResult]:
    """One warning for each amount of the devices that no kWh of that currency is worth."""
    most = PLAUSIBLE_PER_KWH.get(currency)
    for index, device in enumerate(config.devices):
        for name in sorted(AMOUNTS.intersection(type(device).model_fields)):
            value = getattr(device, name)
            if most is not None and value is not None and abs(value) > most:
                cents = HUNDREDTHS.get(currency, "cents")
                hint = f"amounts are in whole {currency}: 20 {cents} are 0.20"
                text = f"devices[{index}].{name} is {value:g} {currency}"
                yield warning(device.id, text, hint)


def _doubtful(part: str, path: str, section: BaseModel) -> Iterator[CheckResult]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in POWERS and value and value < LEAST_W:
            hint = f"powers are in W: {kw_as_w(value)}"
            yield warning(part, f"{path}{name} is {value:g} W", hint)
        if name in DURATIONS and 0 < value < LEAST_S:
            hint = f"durations are in seconds: {value} minutes are {value * 60}"
            yield warning(part, f"{path}{name} is {value} s", hint)
        if isinstance(value, Section) and name != "adapter":
            yield from _doubtful(part, f"{path}{name}.", value)
        if name in SHARES and 0 < value <= 1:
            hint = f"it is in percent, of 0 to 100: {value * 100:g} for a share of {value:g}"
            yield warning(part, f"{path}{name} is {value:g} %", hint)
