"""`flatpeak-agent dashboard`: what a person puts into Home Assistant by hand, for the config."""

import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import EX_CANTCREAT, EX_CONFIG, EX_OK
from agent.cli.config_options import add_config_options, read_chosen
from agent.config import Config
from agent.config.devices import DeviceSection
from agent.energy.readings import DeviceInfo
from agent.energy.view import DeviceView, Planned, Setting
from agent.home.kinds import KINDS
from integrations.homeassistant import appliance, hub
from integrations.homeassistant.dashboard import EntityIds, dashboard, to_yaml
from integrations.homeassistant.message import Announcement
from integrations.homeassistant.names import Names

USUAL_BASE = "flatpeak/home"
# Of the entities only units depend on it.
ANY_CURRENCY = "EUR"


def main(argv: list[str]) -> int:
    """Exit code 0; 73 where nothing can be written, 78 where the config is wrong."""
    parser = CommandParser(
        "dashboard",
        "Write a dashboard for Home Assistant, for the devices of the config. With DIRECTORY: "
        "dashboard.yaml there, and the blueprints beside it.",
    )
    parser.add_argument("directory", type=Path, nargs="?", help="left out: to stdout")
    add_config_options(parser)
    parser.add_argument(
        "--before-2025-10",
        action="store_true",
        help="for a Home Assistant older than 2025.10, which names entities in another way",
    )
    args = parser.parse_args(argv)
    read = read_chosen(args)
    if read is None:
        return EX_CONFIG
    config = read.config
    text = dashboard_text(config, by_name=args.before_2025_10)
    if args.directory is None:
        print(text, end="")
        return EX_OK
    try:
        count = _write(args.directory, text, config.base_topic)
    except OSError as error:
        why = "is no folder" if isinstance(error, FileExistsError) else error.strerror
        place = error.filename or args.directory
        print(f"flatpeak-agent dashboard: {place}: {why}", file=sys.stderr)
        return EX_CANTCREAT
    print(f"dashboard.yaml and {count} blueprints in {args.directory}")
    return EX_OK


def dashboard_text(config: Config, *, by_name: bool = False) -> str:
    """As it is pasted into the raw configuration editor of a dashboard."""
    section = getattr(config, "homeassistant", None)
    prefix, birth = (section.prefix, section.birth_topic) if section is not None else ("", "")
    names = Names(config.mqtt.base, config.site.id, prefix, birth)
    return to_yaml(dashboard(announcements(config, names), EntityIds(names, by_name=by_name)))


def announcements(config: Config, names: Names) -> list[Announcement]:
    """What the running agent announces, as far as the config alone tells it."""
    extras = {hub.EXPORT} if config.tariff.names_export else set()
    items = [hub.announcement(names, ANY_CURRENCY, extras)]
    views = [_view(section) for section in config.appliances]
    return items + [appliance.announcement(view, names, ANY_CURRENCY) for view in views]


def _view(section: DeviceSection) -> DeviceView:
    """A device that nobody has heard of yet."""
    kind = KINDS[section.type]
    traits, keys = kind.traits(section), kind.wish_keys(section)
    return DeviceView(
        id=section.id,
        kind=section.type,
        profile=kind.profile(section),
        info=DeviceInfo(),
        wish_keys=keys,
        settings={key: Setting(None, *(kind.limits(section, key) or ())) for key in keys},
        linked=False,
        opted_out=False,
        has_stays=kind.has_stays,
        plugged=not kind.has_stays,
        power_w=0.0,
        session_kwh=0.0,
        soc_percent=None,
        battery_kwh=traits.battery_kwh,
        charge_efficiency=traits.charge_efficiency,
        discharge_efficiency=traits.discharge_efficiency,
        temperature_c=None,
        planned=Planned(),
        problems={},
        tells_temperature=section.adapter.tells("temperature_c"),
    )


def _write(directory: Path, text: str, base: str) -> int:
    """How many blueprints were written, each with the config's own base topic."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "dashboard.yaml").write_text(text)
    return _copy(files("integrations.homeassistant") / "blueprints", directory / "blueprints", base)


def _copy(source: Traversable, target: Path, base: str) -> int:
    if source.is_file():
        written = source.read_text("utf-8").replace(f"default: {USUAL_BASE}", f"default: {base}")
        target.write_text(written)
        return 1
    target.mkdir(exist_ok=True)
    return sum(_copy(item, target / item.name, base) for item in source.iterdir())
