"""What appliances do without the agent where the house may draw only so much. Pure.

The rule is that of the wire contract's section 2 ("Under a site limit"): all offline powers and the
highest expected base load stay below each limit that holds when nobody says more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.config import Config
from agent.config.site import SiteSection
from agent.dispatch.limit import fit_offline_rules
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DeviceType
from agent.energy.sentences import Sentence, device_names, joined, sentence
from agent.home.controllable import allowed_w, dim_allowance_w, limit_group
from agent.home.kinds import profile_of

LOWER_IT = "owner: lower offline_power_w, or accept it"
CHANGE_PRIORITIES = "owner: change the priorities, or accept it"


@dataclass(frozen=True, slots=True)
class OfflineRules:
    """`profiles` with rules that fit below every limit; `why` names whose became 0 W, if any, and
    `who_acts` says what can be done about it."""

    profiles: dict[str, DeviceProfile]
    why: Sentence | None = None
    who_acts: str = ""


def offline_rules(config: Config, base_load_w: float) -> OfflineRules:
    """Of every appliance; `base_load_w` is the most that the rest of the house takes."""
    fitted = {item.id: profile_of(item, config) for item in config.appliances}
    reduced: list[str] = []
    for limit in _lasting_limits(config.site, fitted.values(), base_load_w):
        bound = [item for name, item in fitted.items() if limit.binds(name)]
        less, more = fit_offline_rules(bound, limit.power_w, limit.rest_w)
        fitted.update(less)
        reduced += more
    if not reduced:
        return OfflineRules(fitted)
    cars = [name for name in reduced if fitted[name].type is DeviceType.EVSE]
    others = [name for name in reduced if name not in cars]
    said = []
    if cars:
        said.append(
            sentence(
                "without the agent {names} will not be charged: all of it would break the limit",
                names=device_names(cars),
            )
        )
    if others:
        said.append(
            sentence(
                "without the agent {names} will not run: all of it would break the limit",
                names=device_names(others),
            )
        )
    # What a car may take is the config's, what any other takes by itself is the device's.
    return OfflineRules(fitted, joined(said), LOWER_IT if cars else CHANGE_PRIORITIES)


@dataclass(frozen=True, slots=True)
class _LastingLimit:
    """`rest_w` is what the house takes of it beside its devices; `devices` None: it binds all."""

    power_w: float
    rest_w: float
    devices: frozenset[str] | None = None

    def binds(self, device: str) -> bool:
        return self.devices is None or device in self.devices


def _lasting_limits(
    site: SiteSection, profiles: Iterable[DeviceProfile], base_load_w: float
) -> list[_LastingLimit]:
    """The limits that hold when nobody says more."""
    out = []
    if site.import_limit_w is not None:
        out.append(_LastingLimit(float(site.import_limit_w), base_load_w))
    if site.failsafe_limit_w is not None:
        group = limit_group(site, profiles)
        failsafe_w = allowed_w(site.failsafe_limit_w, dim_allowance_w(site, profiles))
        out.append(_LastingLimit(failsafe_w, base_load_w if group is None else 0.0, group))
    return out
