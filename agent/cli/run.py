"""`flatpeak-agent run`: the main job, until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sqlite3
import sys
from pathlib import Path

from agent.app import run_agent
from agent.cli.common import EX_CONFIG, EX_OK, EX_UNAVAILABLE, read_config, set_up_logging
from agent.clock import SystemClock
from agent.config import Config
from agent.paths import state_directory
from agent.store import Store
from integrations.registry import tariff_source

log = logging.getLogger(__name__)

DATABASE = "agent.sqlite"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatpeak-agent run",
        description="Keep the rates, plan, tell the appliances over MQTT. Ctrl-C or SIGTERM stops.",
    )
    parser.add_argument("--config", type=Path, help="the config file to read")
    args = parser.parse_args(argv)
    config = read_config(args.config)
    if config is None:
        return EX_CONFIG
    set_up_logging(config.log.level)
    return asyncio.run(_run(config))


async def _run(config: Config) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    clock = SystemClock()
    folder = state_directory(config.state.directory)
    try:
        store = Store.open(folder / DATABASE, clock.now())
    except (OSError, sqlite3.Error) as error:
        print(f"the state folder {folder} cannot be used: {error}", file=sys.stderr)
        return EX_UNAVAILABLE
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
        store.close()
    log.info("stopped")
    await _leave_threads_behind(EX_OK)
    return EX_OK


async def _leave_threads_behind(code: int) -> None:
    """A thread in a long search or a slow connect cannot be stopped; nothing waits for it."""
    try:
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 0.5)
    except TimeoutError:
        logging.shutdown()
        os._exit(code)
