"""Controllable devices under §14a EnWG: what they may draw from the grid together. Pure.

The rule is that of the Bundesnetzagentur's BK6-22-300, annex 1, section 4.5.2: behind an energy
manager the grid operator leaves 4.2 kW for the first device, or 0.4 of what heat pumps above 11 kW
can draw where that is more, and a share of 4.2 kW for each further one.
"""

from collections.abc import Iterable

from agent.config.site import LimitScope, SiteSection
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DeviceType

DIM_W = 4200
LARGE_HEAT_PUMP_W = 11_000
LARGE_HEAT_PUMP_SHARE = 0.4
KINDS = frozenset({DeviceType.EVSE, DeviceType.SPACE_HEATING, DeviceType.BATTERY})


def controllable(site: SiteSection, profiles: Iterable[DeviceProfile]) -> list[DeviceProfile]:
    """Those that the owner names, else chargers, heat pumps and batteries above 4.2 kW."""
    named = site.controllable_devices
    if named is not None:
        return [profile for profile in profiles if profile.id in named]
    return [item for item in profiles if item.type in KINDS and item.max_power_w > DIM_W]


def limit_group(site: SiteSection, profiles: Iterable[DeviceProfile]) -> frozenset[str] | None:
    """The devices that a limit of the grid binds together; None: all that the house imports."""
    if site.limit_scope is not LimitScope.CONTROLLABLE:
        return None
    return frozenset(profile.id for profile in controllable(site, profiles))


def allowed_w(limit_w: float, dim_allowance_w: float) -> float:
    """What a limit that came allows: another than that of 4.2 kW is taken at its word."""
    return dim_allowance_w if limit_w == DIM_W else limit_w


def dim_allowance_w(site: SiteSection, profiles: Iterable[DeviceProfile]) -> float:
    """What a limit of 4.2 kW a device leaves for all controllable ones together, W.

    4,200 W as they stand where limits are not those of §14a.
    """
    if site.limit_scope is not LimitScope.CONTROLLABLE:
        return float(DIM_W)
    devices = controllable(site, profiles)
    large_w = sum(
        item.max_power_w
        for item in devices
        if item.type is DeviceType.SPACE_HEATING and item.max_power_w > LARGE_HEAT_PUMP_W
    )
    further = max(0, len(devices) - 1)
    factors = site.simultaneity_factors
    factor = factors[min(further, len(factors)) - 1] if further else 0.0
    return max(float(DIM_W), LARGE_HEAT_PUMP_SHARE * large_w) + further * factor * DIM_W
