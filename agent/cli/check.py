"""`flatpeak-agent check`: does everything stand that the agent needs? One line a thing.

Nothing is changed: the broker gets one message of its own and, on the topics of other makers'
devices, what switches nothing, none of them retained; the tariff source one question a direction.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator

from agent.cli.arguments import CommandParser
from agent.cli.checks.broker import check_broker
from agent.cli.checks.machine import check_clock, check_service, check_state
from agent.cli.checks.result import FAILED, CheckResult
from agent.cli.checks.settings import check_import_names, check_settings, placeholders
from agent.cli.checks.tariff import check_tariff
from agent.cli.checks.web import check_web
from agent.cli.common import (
    EX_CONFIG,
    EX_OK,
    EX_UNAVAILABLE,
    run_until_stopped,
)
from agent.cli.config_options import ConfigRead, add_config_options, read_chosen
from agent.cli.service import find_service
from agent.command_line import command_line

EX_TERMINATED = 128 + signal.SIGTERM


def main(argv: list[str]) -> int:
    """Exit code 0, also with warnings; 69 where something fails, 78 for a wrong config."""
    parser = CommandParser(
        "check", "Read the config, then try what it names: broker, tariff, state folder, clock."
    )
    add_config_options(parser)
    args = parser.parse_args(argv)
    read = read_chosen(args)
    if read is None:
        service = find_service()
        if not args.as_service and service.unit is not None and service.secrets:
            command = command_line("check", as_service=True)
            print(f"  {service.unit} has secrets of its own: {command} reads them", file=sys.stderr)
        return EX_CONFIG
    # What the connection would log is told here.
    logging.disable(logging.ERROR)
    try:
        return run_until_stopped(_check(read))
    except asyncio.CancelledError:
        return EX_TERMINATED


async def _check(read: ConfigRead) -> int:
    # As Ctrl-C does: what is under way is cleaned up, lest the broker keep a last will of ours.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    worst = EX_OK
    async for result in _results(read):
        print(result, flush=True)
        if result.verdict == FAILED:
            worst = EX_UNAVAILABLE
    return worst


async def _results(read: ConfigRead) -> AsyncIterator[CheckResult]:
    config, service = read.config, read.service
    if service is not None:
        for result in check_service(service, read.path):
            yield result
    for result in (
        *check_settings(config, read.path),
        *check_import_names(),
        check_state(read.folder, service),
        check_clock(),
        *await check_web(config, service),
    ):
        yield result
    async for result in check_broker(config):
        yield result
    # With the example's values there is nothing to ask.
    if not placeholders(config.tariff):
        async for result in check_tariff(config, read.folder):
            yield result
