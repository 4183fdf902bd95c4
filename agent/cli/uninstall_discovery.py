"""`flatpeak-agent uninstall-discovery`: what was announced to Home Assistant is taken back."""

import asyncio
import sys
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.common import (
    DATABASE,
    EX_CONFIG,
    EX_NOINPUT,
    EX_OK,
    EX_UNAVAILABLE,
)
from agent.cli.config_options import ConfigRead, add_config_options, read_chosen
from agent.cli.emptying import empty_topics, left_text, retained_topics, why_unread
from agent.clock import SystemClock
from agent.config import Config
from agent.database.opening import StoreInUse
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.errors import Unavailable
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.store import Store
from integrations.homeassistant import uninstall
from integrations.homeassistant.settings import HomeAssistantSection, names_of

NAME = "homeassistant"


def main(argv: list[str]) -> int:
    """Exit code 0, also where nothing was ever announced; 66 where the database cannot be read or
    does not know of all that is announced, 69 where the broker does not answer.
    """
    parser = CommandParser(
        "uninstall-discovery",
        "Take back from Home Assistant every device and entity that was ever announced, by this "
        "config or an earlier one. They stay away until homeassistant.enabled was false for one "
        "start.",
    )
    add_config_options(parser)
    args = parser.parse_args(argv)
    read = read_chosen(args)
    if read is None:
        return EX_CONFIG
    path = read.folder / DATABASE
    try:
        return asyncio.run(_uninstall(read, path))
    except Unavailable as error:
        mqtt = read.config.mqtt
        print(f"{mqtt.host}:{mqtt.port}: {error}; nothing was changed here", file=sys.stderr)
        return EX_UNAVAILABLE


async def _uninstall(read: ConfigRead, path: Path) -> int:
    """Raises Unavailable."""
    config, clock = read.config, SystemClock()
    try:
        store, running = _opened(path)
    except (OSError, Damaged, NewerSchema, *READ_ERRORS) as error:
        why = why_unread(error, read)
        print(f"flatpeak-agent uninstall-discovery: {path}: {why}", file=sys.stderr)
        await _name_what_is_left(config)
        return EX_NOINPUT
    try:
        memory = DeviceStore(store, Health(clock), clock)
        published = memory.published_topics()
        topics = uninstall.discovery_topics(published)
        if not topics:
            if await _name_what_is_left(config):
                return EX_NOINPUT
            print("nothing was announced to Home Assistant")
            return EX_OK
        await empty_topics(config, topics)
        if not running:
            known = memory.companion_text(NAME)
            await memory.save_published_topics(published - set(topics))
            await memory.save_companion_text(NAME, uninstall.with_deleted(known, topics))
        print(
            f"{len(topics)} announcement(s) taken back from Home Assistant; they stay away until "
            "homeassistant.enabled was false for one start"
        )
        return EX_OK
    finally:
        store.close()


def _opened(path: Path) -> tuple[Store, bool]:
    """The database, and whether an agent has it.

    Raises OSError, READ_ERRORS, Damaged, NewerSchema.
    """
    try:
        return Store.existing(path), False
    except StoreInUse:
        # The agent hears that they are emptied, and remembers it like a person's deletion.
        return Store.copy_of(path), True


async def _name_what_is_left(config: Config) -> bool:
    """Is something announced that the database does not know of? Raises Unavailable."""
    section = getattr(config, "homeassistant", None) or HomeAssistantSection()
    announced = uninstall.discovery_filter(names_of(section, config))
    left = await retained_topics(config, [announced])
    if left:
        print(left_text(config, left), file=sys.stderr)
    return bool(left)
