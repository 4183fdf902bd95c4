"""What the config says, and what in it cannot be meant so."""

import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import packages_distributions
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from agent.cli.checks.commands import check_commands
from agent.cli.checks.names import check_names
from agent.cli.checks.place import check_place
from agent.cli.checks.result import CheckResult, failed, passed, warning
from agent.cli.checks.units import check_units
from agent.config import Config, secrets_in
from agent.config.base import Section
from agent.config.devices import DeviceSection, EnergyNeed
from agent.config.site import LimitScope
from agent.config.yaml_file import cut_texts
from agent.control.offline_rules import offline_rules
from agent.energy.profile import DeviceProfile
from agent.energy.schedule import DeviceType
from agent.errors import ConfigError
from agent.home.controllable import allowed_w, controllable, dim_allowance_w, limit_group
from agent.home.kinds import KINDS
from agent.home.kinds.ev_charger import EvCharger
from agent.home.kinds.meter import Meter
from agent.home.kinds.pv_inverter import PvInverter
from agent.home.kinds.switched import Switched
from agent.home.windows import SiteLocation, next_ready_by, occurrences

DISTRIBUTION = "flatpeak-edge-agent"
IMPORT_NAMES = ("agent", "integrations")
# Values as they stand in config.example.yaml.
PLACEHOLDER = re.compile(r"(^|_)your_|\.example(/|$)")
# A car that comes home in the evening: what takes longer than this is not charged by the morning.
NIGHT = timedelta(hours=12)
LOOKED_AT = timedelta(days=8)
USUAL_V = 230
# 7.4 kW, as chargers of 32 A are sold, are a little more.
DOUBTFUL_A = 33


def check_settings(config: Config, path: Path) -> Iterator[CheckResult]:
    """What was read from `path`, device by device, and what is doubtful in it."""
    zone = config.site.timezone or "the tariff's time zone"
    yield passed("config", f"{path}; topics below {config.base_topic}, in {zone}")
    yield from _check_cut_texts(path)
    yield from _check_open_secrets(config, path)
    yield from _check_placeholders(config)
    yield from _check_limits(config)
    yield from _check_scope(config)
    yield from _check_export(config)
    yield from check_units(config)
    yield from check_place(config)
    yield from check_names(config)
    # What the agent learned of the rest of the house, if anything, is not known here.
    offline = offline_rules(config, float(config.site.base_load_w))
    if offline.why is not None:
        yield warning("limit", offline.why, offline.who_acts.removeprefix("owner: "))
    if not config.devices:
        yield warning("devices", "none; only prices are published", "add some to devices:")
    for device in config.devices:
        if isinstance(device, Meter | PvInverter) and not device.controlled:
            yield passed(device.id, f"{device.role} meter, only read")
            continue
        yield passed(device.id, _describe(device, offline.profiles[device.id]))
        yield from check_commands(device, config)
        if isinstance(device, EvCharger):
            yield from _check_phases(device)
            yield from _check_charging(device, config)
        if isinstance(device, Switched):
            for need in device.needs:
                yield from _check_need(device, need, config)


def _check_cut_texts(path: Path) -> Iterator[CheckResult]:
    try:
        found = list(cut_texts(path))
    except (OSError, ValueError):
        # It has been read a moment ago; what became of it since is the next start's affair.
        return
    for line, key in found:
        text = f"line {line}: {key} ends before the #, where a comment begins"
        yield warning("config", text, f"if the # belongs to it, {key}: '…' in single quotes")


def _check_open_secrets(config: Config, path: Path) -> Iterator[CheckResult]:
    try:
        open_to_others = path.stat().st_mode & stat.S_IROTH
        keys = secrets_in(path, type(config)) if open_to_others else []
    except (OSError, ConfigError):
        return
    if keys and not placeholders(config.tariff):
        yield warning(
            "config",
            f"{', '.join(keys)}: whoever has an account on this machine can read {path.name}",
            f"chmod o-r {path}; where the service has to read it, keep secrets in files of their "
            'own: see README, "Start it"',
        )


def check_import_names() -> Iterator[CheckResult]:
    """Another distribution under our import names would be run in our place, or we in its."""
    owners = packages_distributions()
    for name in IMPORT_NAMES:
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if others:
            yield warning(
                "install",
                f"{', '.join(others)} also brings a Python package called {name!r}",
                "install the agent into a virtual environment of its own",
            )


def placeholders(section: Section) -> list[str]:
    """Keys whose values are still the example's."""
    found = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and PLACEHOLDER.search(text):
            found.append(name)
    return found


def _check_placeholders(config: Config) -> Iterator[CheckResult]:
    keys = placeholders(config.tariff)
    if keys:
        yield failed(
            "tariff",
            f"{', '.join(keys)}: still as in the example",
            "write your own in, as FlatPeak gave them to you",
        )


def _describe(device: DeviceSection, profile: DeviceProfile) -> str:
    described = KINDS[device.type].describe(device)
    if device.adapter.without_agent:
        return f"{described}; without the agent it {device.adapter.without_agent}"
    offline = profile.offline
    says_power = offline.power_w or offline.mode == "limit"
    power = f" at {offline.power_w} W" if says_power else ""
    return f"{described}; when nobody answers: {offline.mode}{power}"


# --- what can never be ----------------------------------------------------------------------------


def _check_limits(config: Config) -> Iterator[CheckResult]:
    site = config.site
    if site.import_limit_w is not None:
        yield warning(
            "limit",
            f"the plan stays below {site.import_limit_w} W but protects no wire: a device on its "
            "own logic does not know the limit",
            "let the breaker or the charger's own load guard protect the house",
        )
    limits = {"import_limit_w": site.import_limit_w, "failsafe_limit_w": site.failsafe_limit_w}
    profiles = [KINDS[device.type].profile(device) for device in config.appliances]
    for name, limit in limits.items():
        if limit is None:
            continue
        left: float = limit - site.base_load_w
        group = limit_group(site, profiles) if name == "failsafe_limit_w" else None
        if group is not None:
            left = allowed_w(limit, dim_allowance_w(site, profiles))
        too_big = [
            f"{device.id} ({least} W)"
            for device in config.appliances
            if (group is None or device.id in group) and (least := _least_power_w(device)) > left
        ]
        if too_big:
            yield warning(
                "limit",
                f"below site.{name} of {limit} W there is no room for {', '.join(too_big)}",
                f"check site.{name} and site.base_load_w; they are in W, 11 kW are 11000",
            )


def _check_scope(config: Config) -> Iterator[CheckResult]:
    site = config.site
    scoped = site.limit_scope is LimitScope.CONTROLLABLE
    if scoped and site.failsafe_limit_w is None:
        yield warning(
            "limit",
            "site.limit_scope: controllable does nothing: no limit of the grid is expected",
            "give site.failsafe_limit_w, such as 4200",
        )
    profiles = [KINDS[device.type].profile(device) for device in config.appliances]
    if scoped and site.failsafe_limit_w is not None and not controllable(site, profiles):
        yield warning(
            "limit",
            "site.limit_scope: controllable binds no device: none is controllable",
            "name them in site.controllable_devices",
        )
    if site.controllable_devices is not None and not scoped:
        yield warning(
            "limit",
            "site.controllable_devices does nothing: a limit binds the whole house",
            "site.limit_scope: controllable",
        )


def _check_export(config: Config) -> Iterator[CheckResult]:
    limited = [device.id for device in config.appliances if isinstance(device, PvInverter)]
    directions = getattr(config.tariff, "directions", ("export",))
    if directions is None:
        # Those that were connected, which the config does not know; of the owner's location one.
        directions = () if getattr(config.tariff, "location_id", "") else ("export",)
    if limited and "export" not in directions:
        yield warning(
            limited[0],
            "is not held back where export costs money: no prices for export are fetched",
            "tariff.directions: [import, export]",
        )


def _least_power_w(device: DeviceSection) -> int:
    """What it takes at least while it runs."""
    profile = KINDS[device.type].profile(device)
    if profile.produces or profile.type is DeviceType.BATTERY:
        return 0
    return profile.min_power_w or profile.max_power_w


def _check_phases(device: EvCharger) -> Iterator[CheckResult]:
    """Where the mains have 230 V no home charger takes more than 32 A of a phase."""
    wiring = device.wiring
    phases = wiring.counts[-1]
    current_a = device.max_power_w / (device.voltage_v * phases)
    if device.voltage_v > USUAL_V or current_a < DOUBTFUL_A:
        return
    # Where the config leaves it to the charger, some never say.
    unless = ", unless the charger says that it has more" if device.phases is None else ""
    three = f"phases: 3 (it would be {current_a / 3:.0f} A)" if phases == 1 else "voltage_v"
    yield warning(
        device.id,
        f"max_power_w of {device.max_power_w} W is {current_a:.0f} A on {phases} phase(s){unless}",
        f"check max_power_w, or give {three}",
    )


def _check_charging(device: EvCharger, config: Config) -> Iterator[CheckResult]:
    if device.battery_kwh is not None:
        share = max(0.0, float(device.target_soc_percent) - float(device.assumed_soc_percent)) / 100
        energy_kwh = float(device.battery_kwh) / float(device.charge_efficiency) * share
        what = f"from {device.assumed_soc_percent:g} to {device.target_soc_percent:g} %"
    else:
        energy_kwh = float(device.energy_kwh or 0)
        what = f"{device.energy_kwh:g} kWh"
    needed = timedelta(hours=energy_kwh * 1000 / device.max_power_w)
    ready_by = next_ready_by(device.ready_by, datetime.now(UTC), _location(config).zone)
    if needed > NIGHT and ready_by is not None:
        clock = ready_by.astimezone(_location(config).zone)
        yield warning(
            device.id,
            f"charging {what} takes {_hours(needed)} at {device.max_power_w} W: to be ready by "
            f"{clock:%H:%M} it has to be plugged in by {clock - needed:%H:%M}"
            f"{' two days before' if needed > timedelta(days=1) else ''}",
            "check max_power_w, phases, battery_kwh and ready_by, or accept it",
        )


def _check_need(device: Switched, need: EnergyNeed, config: Config) -> Iterator[CheckResult]:
    needed = timedelta(hours=float(device.kwh_of(need)) * 1000 / device.power_w)
    now = datetime.now(UTC)
    spans = occurrences(need.window, _location(config), now, now + LOOKED_AT)
    longest = max((end - start for start, end in spans), default=timedelta())
    if needed > longest:
        yield warning(
            device.id,
            f"needs {_hours(needed)} at {device.power_w} W, but its window "
            f"{need.window} has {_hours(longest)}",
            "check hours or energy_kwh, power_w and the window",
        )


def _location(config: Config) -> SiteLocation:
    """For lengths of time any zone is near enough where the tariff's is not known yet."""
    site = config.site
    return SiteLocation(ZoneInfo(site.timezone or "UTC"), site.latitude, site.longitude)


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.3g} h"
