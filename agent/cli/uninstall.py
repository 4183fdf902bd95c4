"""`flatpeak-agent uninstall`: devices are freed and the broker is left as it was found.

Only what our own database says was published is emptied, below an earlier base or site too.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import DATABASE, EX_CONFIG, EX_NOINPUT, EX_OK, EX_UNAVAILABLE
from agent.cli.config_options import ConfigRead, add_config_options, read_chosen
from agent.cli.emptying import empty_topics
from agent.clock import SystemClock
from agent.config import Config
from agent.contracts.topics import OBEYED
from agent.database.opening import StoreInUse
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.store import Store

DEVICE = "/device/"
STOP_FIRST = "stop it first (a service: sudo systemctl disable --now flatpeak-agent)"


def main(argv: list[str]) -> int:
    """Exit code 0, also where nothing is left to take back; 66 where the database cannot be read,
    69 while an agent runs or where the broker does not take it: then nothing is forgotten.
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
    except (OSError, Damaged, NewerSchema, *READ_ERRORS) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        return _fail(f"{path}: {why}{read.hint}", EX_NOINPUT)


async def _uninstall(read: ConfigRead, path: Path) -> int:
    clock = SystemClock()
    with path.open("rb"):
        pass  # Nothing is made where there is no database.
    # One that cannot be read says so here, and is not moved aside and begun anew.
    Store.copy_of(path).close()
    store = Store.open(path, clock.now())
    try:
        return await _take_back(read.config, DeviceStore(store, Health(clock), clock))
    finally:
        store.close()


async def _take_back(config: Config, memory: DeviceStore) -> int:
    topics = in_order(memory.published_topics())
    host = f"{config.mqtt.host}:{config.mqtt.port}"
    if not topics:
        print("nothing that the agent published is left on the broker")
        return EX_OK
    if (why := await empty_topics(config, topics)) is not None:
        again = "nothing is forgotten here, so it can be given again"
        return _fail(f"{host}: {why}; {again}", EX_UNAVAILABLE)
    for device in memory.schedules.stored():
        # What devices are believed to hold is said again at a start.
        await memory.schedules.forget(device)
    await memory.save_published_topics(())
    freed = sorted({_device(topic) for topic in topics if _rank(topic) < len(OBEYED)})
    if freed:
        print(f"{len(freed)} device(s) freed, on their own logic now: {', '.join(freed)}")
    print(
        f"{len(topics)} topic(s) emptied on {host}: nothing that the agent published is left there"
    )
    return EX_OK


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
