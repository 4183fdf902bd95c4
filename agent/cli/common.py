"""What several commands share: exit codes, logging, the config with its faults printed."""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.config import Config
from agent.errors import ConfigError
from agent.paths import config_file
from integrations.registry import load_config

EX_OK = 0
EX_USAGE = 64
EX_DATAERR = 65
EX_UNAVAILABLE = 69
EX_CONFIG = 78
DATABASE = "agent.sqlite"
THREADS = "flatpeak-work"
THREADS_END_WITHIN_S = 0.2


def read_config(given: Path | None) -> Config | None:
    """The config, or None after every fault has been printed on stderr."""
    path = config_file(given)
    try:
        return load_config(path)
    except ConfigError as error:
        count = len(error.faults)
        print(
            f"{path}: {count} {'thing is' if count == 1 else 'things are'} wrong, "
            "nothing was started",
            file=sys.stderr,
        )
        for fault in error.faults:
            print(f"  {fault}", file=sys.stderr)
        return None


def set_up_logging(level: str) -> None:
    """One line an event on stderr; under systemd the journal adds the time."""
    logging.basicConfig(
        level=level.upper(), format="%(levelname).1s %(name)s: %(message)s", stream=sys.stderr
    )
    for noisy in ("asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # What a lost connection means is said once by whoever holds it.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)


def run_until_stopped(job: Coroutine[None, None, int]) -> int:
    """asyncio.run for the exit code, but it waits for no thread.

    One in a long search or a slow connect cannot be stopped, and whoever said stop waits for us.
    """

    async def work() -> int:
        executor = ThreadPoolExecutor(thread_name_prefix=THREADS)
        asyncio.get_running_loop().set_default_executor(executor)
        code = await job
        executor.shutdown(wait=False, cancel_futures=True)
        if _threads_ended(time.monotonic() + THREADS_END_WITHIN_S):
            return code
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)

    return asyncio.run(work())


def _threads_ended(until: float) -> bool:
    busy = [thread for thread in threading.enumerate() if thread.name.startswith(THREADS)]
    for thread in busy:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in busy)
