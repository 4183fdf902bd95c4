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
from agent.cli.config_options import add_config_options, read_chosen
from agent.cli.emptying import empty_topics
from agent.clock import SystemClock
from agent.config import Config
from agent.database.opening import StoreInUse
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.health import Health
from agent.records.device_store import DeviceStore
from agent.store import Store
from integrations.homeassistant import uninstall

NAME = "homeassistant"


def main(argv: list[str]) -> int:
    """Exit code 0, also where nothing was ever announced; 69 where the broker does not answer."""
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
        return asyncio.run(_uninstall(read.config, path))
    except (OSError, Damaged, NewerSchema, *READ_ERRORS) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        print(f"flatpeak-agent uninstall-discovery: {path}: {why}", file=sys.stderr)
        return EX_NOINPUT


async def _uninstall(config: Config, path: Path) -> int:
    clock = SystemClock()
    with path.open("rb"):
        pass  # Nothing is made where there is no database.
    try:
        store, running = Store.open(path, clock.now()), False
    except StoreInUse:
        # The agent hears that they are emptied, and remembers it like a person's deletion.
        store, running = Store.copy_of(path), True
    try:
        memory = DeviceStore(store, Health(clock), clock)
        published = memory.published_topics()
        topics = uninstall.discovery_topics(published)
        if not topics:
            print("nothing was announced to Home Assistant")
            return EX_OK
        if (why := await empty_topics(config, topics)) is not None:
            host = f"{config.mqtt.host}:{config.mqtt.port}"
            print(f"{host}: {why}; nothing was changed here", file=sys.stderr)
            return EX_UNAVAILABLE
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
