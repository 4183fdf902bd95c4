"""Numbers that owners write in another unit than the key has, and what they mean."""

import re
from collections.abc import Mapping

# By the end of a key, the longer before the shorter: the unit it is in, and what another one has to
# be multiplied by.
UNITS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "_per_kwh": ("currency per kWh", {}),
    "_kwh_per_c": ("kWh per degree", {"kwh": 1, "wh": 0.001}),
    "_w": ("W", {"w": 1, "kw": 1000}),
    "_kw": ("kW", {"kw": 1, "w": 0.001}),
    "_kwh": ("kWh", {"kwh": 1, "wh": 0.001, "mwh": 1000}),
    "_s": ("seconds", {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}),
    "_percent": ("percent", {"%": 1, "percent": 1}),
    "_c": ("degrees Celsius", {"°c": 1, "c": 1, "°": 1}),
    "_v": ("V", {"v": 1}),
}
AMOUNT = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*([a-z°%]+)\s*", re.IGNORECASE)
COMMA = re.compile(r"\s*([+-]?\d+),(\d+)\s*")
# No appliance and no roof is so small, and no home has a charger of so many kW.
LEAST_W = 25


def in_unit(key: str, value: object) -> str:
    """In words: the unit that the key is in and, where it can be told, what was meant.

    Empty where the key's name says nothing of a unit.
    """
    for suffix, (unit, factors) in UNITS.items():
        if key.endswith(suffix):
            return f"it is in {unit}{_meant(suffix, value, factors)}"
    return ""


def _meant(suffix: str, value: object, factors: Mapping[str, float]) -> str:
    if suffix == "_w" and isinstance(value, float):
        # Powers in W have no fractions.
        return f": {kw_as_w(value)}"
    if suffix == "_w" and (point := with_point(value)):
        return f": {kw_as_w(float(point))}"
    found = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    factor = factors.get(found[2].lower()) if found else None
    if found is None or factor is None:
        return ""
    return f": {found[0].strip()} are {float(found[1].replace(',', '.')) * factor:.10g}"


def with_point(value: object) -> str:
    """A number with a decimal comma as it is to be written; empty for all else."""
    found = COMMA.fullmatch(value) if isinstance(value, str) else None
    return "" if found is None else f"{found[1]}.{found[2]}"


def kw_as_w(value: float) -> str:
    return f"{value:g} kW are {value * 1000:.10g}"


def kw_meant(power_w: float) -> str:
    """What to add to a refusal, where so small a power can only be meant in kW."""
    return f"; powers are in W: {kw_as_w(power_w)}" if 0 < power_w < LEAST_W else ""
