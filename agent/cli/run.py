"""`flatpeak-agent run`: the main job, until it is told to stop."""

import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from agent.app import run_agent
from agent.cli.arguments import CommandParser
from agent.cli.common import (
    DATABASE,
    EX_CONFIG,
    EX_OK,
    EX_SOFTWARE,
    print_error,
    read_config,
    run_until_stopped,
    set_up_logging,
)
from agent.clock import SystemClock
from agent.config import Config
from agent.interpreter import prepare, trim_heap
from agent.paths import state_directory
from agent.store import Store, StoreInUse
from integrations.registry import tariff_source

log = logging.getLogger(__name__)

# One that was told to end may still be writing its last.
OTHER_AGENT_ENDS_WITHIN_S = 5.0
LOOK_EVERY_S = 0.5


def main(argv: list[str]) -> int:
    parser = CommandParser(
        "run", "Keep the rates, plan, tell the appliances over MQTT. Ctrl-C or SIGTERM stops."
    )
    parser.add_argument("--config", type=Path, help="the config file to read")
    args = parser.parse_args(argv)
    config = read_config(args.config)
    if config is None:
        return EX_CONFIG
    set_up_logging(config.log.level)
    return run_until_stopped(_run_or_report(config))


async def _run_or_report(config: Config) -> int:
    try:
        return await _run(config)
    except Exception:
        # The last door: in the journal it is found among the errors, and systemd starts anew.
        log.critical("ended by an error of its own", exc_info=True)
        return EX_SOFTWARE


async def _run(config: Config) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # There is nothing to read anew: and whoever ends a service by this signal means another.
    loop.add_signal_handler(signal.SIGHUP, _refuse_reload)
    clock = SystemClock()
    try:
        store = await _open_store(state_directory(config.state.directory) / DATABASE, clock, stop)
    except StoreInUse as error:
        print_error(f"{error}; nothing was started")
        return EX_CONFIG
    if stop.is_set():
        store.close()
        return EX_OK
    prepare()
    trimming = asyncio.create_task(trim_heap(clock), name="heap")
    try:
        await run_agent(
            config,
            clock=clock,
            source=tariff_source(config.tariff, clock),
            store=store,
            stop=stop,
            on_ready=lambda: log.info("running; %d device(s)", len(config.devices)),
        )
    finally:
        trimming.cancel()
        store.close()
    log.info("stopped")
    return EX_OK


async def _open_store(path: Path, clock: SystemClock, stop: asyncio.Event) -> Store:
    """The database, on whatever disk. Raises StoreInUse where another agent keeps it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + OTHER_AGENT_ENDS_WITHIN_S
    waited = False
    while True:
        try:
            return Store.open(path, clock.now())
        except StoreInUse as error:
            if stop.is_set() or loop.time() > until:
                raise
            if not waited:
                log.warning("%s; waiting %.0f s for its end", error, OTHER_AGENT_ENDS_WITHIN_S)
            waited = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()


def _refuse_reload() -> None:
    log.warning("SIGHUP: reload is not supported; restart the service to read the config anew")
