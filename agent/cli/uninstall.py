"""`flatpeak-agent uninstall`: devices are freed and the broker is left as it was found.

Only what our own database says was published is emptied, below an earlier base or site too; other
makers' devices that were told to run last are let go, as at a stop of the agent. What the broker
holds beyond that, of the kinds that only an agent publishes, is named: the database may have been
damaged once and begun anew.
"""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import DATABASE, EX_CONFIG, EX_NOINPUT, EX_OK, EX_UNAVAILABLE
from agent.cli.config_options import ConfigRead, add_config_options, read_chosen
from agent.cli.emptying import empty_topics, left_text, retained_topics, why_unread
from agent.clock import SystemClock
from agent.config import Config
from agent.contracts.topics import OBEYED, Topics
from agent.database.opening import StoreInUse
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.energy.rates import Direction
from agent.errors import Unavailable
from agent.health import Health
from agent.home.model.stored import was_told_to_run
from agent.ports import OutgoingMessage
from agent.records.device_store import DeviceStore
from agent.store import Store
from integrations.homeassistant.companion import LISTS
from integrations.homeassistant.names import HUB
from integrations.homeassistant.settings import HomeAssistantSection, names_of
from integrations.homeassistant.uninstall import discovery_filter
from integrations.registry import device_adapter

DEVICE = "/device/"
STOP_FIRST = "stop it first (a service: sudo systemctl disable --now flatpeak-agent)"


def main(argv: list[str]) -> int:
    """Exit code 0, also where nothing is left to take back; 66 where the database cannot be read or
    does not know of all that is left, 69 while an agent runs or where the broker does not take it:
    then nothing is forgotten.
    """
    parser = CommandParser(
        "uninstall",
        "Take back from the broker all that the agent published and left there: schedules first, "
        "so that every device is on its own logic, then what Home Assistant was told, prices, plan "
        "and the rest. The agent must not run. Files stay: README, how to remove them.",
    )
    add_config_options(parser)
    read = read_chosen(parser.parse_args(argv))
    if read is None:
        return EX_CONFIG
    path = read.folder / DATABASE
    try:
        return asyncio.run(_uninstall(read, path))
    except StoreInUse as error:
        return _fail(f"{error}: {STOP_FIRST}; nothing was changed", EX_UNAVAILABLE)


async def _uninstall(read: ConfigRead, path: Path) -> int:
    clock = SystemClock()
    try:
        store = Store.existing(path)
    except (OSError, Damaged, NewerSchema, *READ_ERRORS) as error:
        return await _name_what_is_left(read.config, f"{path}: {why_unread(error, read)}")
    try:
        return await _take_back(read.config, DeviceStore(store, Health(clock), clock))
    finally:
        store.close()


async def _name_what_is_left(config: Config, why: str) -> int:
    """Without a database: nothing is known to be ours."""
    unknown = f"{why}\n  what was published is not known without it, so nothing was taken back"
    try:
        left = await retained_topics(config, _filters(config))
    except Unavailable as error:
        return _fail(f"{unknown}\n  {_host(config)}: {error}", EX_NOINPUT)
    nothing = f"  nothing of an agent is left below {config.base_topic} on {_host(config)}"
    return _fail(f"{unknown}\n{left_text(config, left) if left else nothing}", EX_NOINPUT)


async def _take_back(config: Config, memory: DeviceStore) -> int:
    topics = in_order(memory.published_topics())
    let_go = _let_go(config, memory)
    try:
        if topics or let_go:
            await empty_topics(config, topics, [one for said in let_go.values() for one in said])
            await _forget(memory)
            _say_freed(config, topics, let_go)
        left = await retained_topics(config, _filters(config))
    except Unavailable as error:
        again = "what it did not take is not forgotten here, so it can be given again"
        return _fail(f"{_host(config)}: {error}; {again}", EX_UNAVAILABLE)
    if left:
        why = "the database does not know of all that is left: begun anew once, or another agent's?"
        return _fail(f"{why}\n{left_text(config, left)}", EX_NOINPUT)
    print("nothing that the agent published is left on the broker")
    return EX_OK


async def _forget(memory: DeviceStore) -> None:
    for device in memory.schedules.stored():
        # What devices are believed to hold is said again at a start.
        await memory.schedules.forget(device)
    await memory.save_published_topics(())


def _let_go(config: Config, memory: DeviceStore) -> dict[str, Sequence[OutgoingMessage]]:
    """By device what lets it go; of those that hold no schedule and may still run as told."""
    out: dict[str, Sequence[OutgoingMessage]] = {}
    for device in config.devices:
        adapter = device_adapter(device, config.base_topic)
        if not adapter.holds_schedule and was_told_to_run(memory.state(device.id) or ""):
            out[device.id] = adapter.withdraw()
    return out


def _say_freed(config: Config, topics: list[str], let_go: Iterable[str]) -> None:
    freed = sorted({*let_go, *(_device(topic) for topic in topics if _rank(topic) < len(OBEYED))})
    if freed:
        print(f"{len(freed)} device(s) freed, on their own logic now: {', '.join(freed)}")
    print(f"{len(topics)} topic(s) emptied on {_host(config)}")


def _filters(config: Config) -> list[str]:
    """What takes all that only an agent of this base and site retains.

    Beside an agent's topics people keep some of their own: a wildcard stands for a device alone.
    """
    topics = Topics(config.base_topic)
    section = getattr(config, "homeassistant", None) or HomeAssistantSection()
    names = names_of(section, config)
    own = [topic for topic in topics.published if not topic.startswith(topics.tariff(""))]
    rates = [topics.tariff(f"{way}{form}") for way in Direction for form in ("", "/list")]
    shown = [names.state(HUB), *(names.attributes(HUB, name) for name in LISTS)]
    shown += [names.state("+"), names.attributes("+", "plan")]
    return [*own, topics.tariff("now"), *rates, *shown, discovery_filter(names)]


def _host(config: Config) -> str:
    return f"{config.mqtt.host}:{config.mqtt.port}"


def in_order(topics: Iterable[str]) -> list[str]:
    """As they are to be emptied.

    What devices obey is first, each device's as it was given; then announcements, as whoever shows
    what they announce would stumble over its end; `status` is last.
    """

    def place(topic: str) -> tuple[int, str, int, str]:
        rank = _rank(topic)
        if rank < len(OBEYED):
            return 0, topic.removesuffix(f"/{OBEYED[rank]}"), rank, topic
        if topic.endswith("/config"):
            return 1, "", 0, topic
        return 3 if topic.endswith("/status") else 2, "", 0, topic

    return sorted(topics, key=place)


def _rank(topic: str) -> int:
    """Which of the forms that a device may obey it is; their number where it is none."""
    _, is_device, rest = topic.partition(DEVICE)
    form = rest.partition("/")[2] if is_device else ""
    return OBEYED.index(form) if form in OBEYED else len(OBEYED)


def _device(topic: str) -> str:
    return topic.partition(DEVICE)[2].partition("/")[0]


def _fail(text: str, code: int) -> int:
    print(f"flatpeak-agent uninstall: {text}", file=sys.stderr)
    return code
