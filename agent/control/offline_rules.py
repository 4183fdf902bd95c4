"""What appliances do without the agent where the house may draw only so much. Pure.

The rule is that of the wire contract's section 2 ("Under a site limit"): all offline powers and the
highest expected base load stay below each limit that holds when nobody says more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.config import Config
from agent.config.site import LimitScope, SiteSection
from agent.dispatch.limit import fit_offline_rules
from agent.energy.profile import DeviceProfile
from agent.energy.sentences import Sentence, device_names, sentence
from agent.home.controllable import allowed_w, dim_allowance_w
from agent.home.kinds import profile_of

WHO_LOWERS = "owner: lower offline_power_w, or accept it"


@dataclass(frozen=True, slots=True)
class OfflineRules:
    """`profiles` with rules that fit below every limit; `why` names whose became 0 W, if any."""

    profiles: dict[str, DeviceProfile]
    why: Sentence | None


def offline_rules(config: Config, base_load_w: float) -> OfflineRules:
    """Of every appliance; `base_load_w` is the most that the rest of the house takes."""
    fitted = {item.id: profile_of(item, config) for item in config.appliances}
    reduced: list[str] = []
    for limit_w, rest_w in _lasting_limits(config.site, fitted.values(), base_load_w):
        fitted, more = fit_offline_rules(list(fitted.values()), limit_w, rest_w)
        reduced += more
    if not reduced:
        return OfflineRules(fitted, None)
    why = sentence(
        "without the agent {names} will not be charged: all of it would break the limit",
        names=device_names(reduced),
    )
    return OfflineRules(fitted, why)


def _lasting_limits(
    site: SiteSection, profiles: Iterable[DeviceProfile], base_load_w: float
) -> list[tuple[float, float]]:
    """The limits that hold when nobody says more, each with what the house takes of it, W."""
    out = []
    if site.import_limit_w is not None:
        out.append((float(site.import_limit_w), base_load_w))
    if site.failsafe_limit_w is not None:
        whole_house = site.limit_scope is LimitScope.HOUSE
        failsafe_w = allowed_w(site.failsafe_limit_w, dim_allowance_w(site, profiles))
        out.append((failsafe_w, base_load_w if whole_house else 0.0))
    return out
