"""`flatpeak-agent run`: the main job, until it is told to stop."""

import argparse
import asyncio
import logging
import signal
import sqlite3
import sys
from pathlib import Path

from agent.app import run_agent
from agent.cli.common import (
    DATABASE,
    EX_CONFIG,
    EX_OK,
    EX_UNAVAILABLE,
    read_config,
    run_until_stopped,
    set_up_logging,
)
from agent.clock import SystemClock
from agent.config import Config
from agent.paths import state_directory
from agent.store import Store
from integrations.registry import tariff_source

log = logging.getLogger(__name__)


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
    return run_until_stopped(_run(config))


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
    return EX_OK
