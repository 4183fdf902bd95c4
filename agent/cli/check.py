"""`flatpeak-agent check`: does everything stand that the agent needs? One line a thing.

Nothing is changed: the broker gets one message that is not retained, the tariff source one
question a direction.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from agent.cli.arguments import CommandParser
from agent.cli.checks.broker import check_broker
from agent.cli.checks.machine import check_clock, check_service, check_state
from agent.cli.checks.result import FAILED, CheckResult
from agent.cli.checks.settings import check_import_names, check_settings, placeholders
from agent.cli.checks.tariff import check_tariff
from agent.cli.common import (
    AS_SERVICE_HELP,
    EX_CONFIG,
    EX_OK,
    EX_UNAVAILABLE,
    read_config,
    run_until_stopped,
)
from agent.cli.service import Service, find_service
from agent.config import Config
from agent.paths import config_file, state_directory

EX_TERMINATED = 128 + signal.SIGTERM


def main(argv: list[str]) -> int:
    """Exit code 0, also with warnings; 69 where something fails, 78 for a wrong config."""
    parser = CommandParser(
        "check", "Read the config, then try what it names: broker, tariff, state folder, clock."
    )
    parser.add_argument("--config", type=Path, help="the config file to read")
    parser.add_argument("--as-service", action="store_true", help=AS_SERVICE_HELP)
    args = parser.parse_args(argv)
    service = find_service() if args.as_service else None
    config = read_config(args.config, service)
    if config is None:
        if service is None and (unit := find_service()).secrets:
            hint = "has secrets of its own: sudo flatpeak-agent check --as-service reads them"
            print(f"  {unit.unit} {hint}", file=sys.stderr)
        return EX_CONFIG
    # What the connection would log is told here.
    logging.disable(logging.ERROR)
    path = config_file(args.config, os.environ if service is None else service.environ)
    try:
        return run_until_stopped(_check(config, path, service))
    except asyncio.CancelledError:
        return EX_TERMINATED


async def _check(config: Config, path: Path, service: Service | None) -> int:
    # As Ctrl-C does: what is under way is cleaned up, lest the broker keep a last will of ours.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    worst = EX_OK
    async for result in _results(config, path, service):
        print(result, flush=True)
        if result.verdict == FAILED:
            worst = EX_UNAVAILABLE
    return worst


async def _results(
    config: Config, path: Path, service: Service | None
) -> AsyncIterator[CheckResult]:
    if service is not None:
        for result in check_service(service, path):
            yield result
    for result in (
        *check_settings(config, path),
        *check_import_names(),
        check_state(config, service),
        check_clock(),
    ):
        yield result
    async for result in check_broker(config):
        yield result
    # With the example's values there is nothing to ask.
    if not placeholders(config.tariff):
        environ = {} if service is None else {"environ": service.environ}
        folder = state_directory(config.state.directory, **environ)
        async for result in check_tariff(config, folder):
            yield result
