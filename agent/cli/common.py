"""What several commands share: exit codes, logging, the config with its faults printed."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from agent.cli.interrupt import ending_at_once
from agent.cli.service import Service
from agent.config import Config, load_config
from agent.energy.text import clean_text
from agent.errors import ConfigError
from agent.paths import config_file
from integrations.registry import AgentConfig

EX_OK = 0
EX_USAGE = 64
EX_DATAERR = 65
EX_NOINPUT = 66
EX_UNAVAILABLE = 69
EX_SOFTWARE = 70
EX_CANTCREAT = 73
EX_CONFIG = 78
DATABASE = "agent.sqlite"
# What to do where the tariff's source does not answer, or in words that nobody understands.
NO_NETWORK = "try again later; check tariff.base_url and this machine's network"
OTHER_ADDRESS = "is tariff.base_url the right address?"
AS_SERVICE_HELP = (
    "look at the folders and secrets of the installed systemd service (with sudo, as only root may "
    "read them)"
)
THREADS = "flatpeak-work"
# Local time, as a person at the terminal has it.
TIME_OF_DAY = "%H:%M:%S"
DATE_AND_TIME = f"%Y-%m-%d {TIME_OF_DAY}"
MAX_LINE = 1000
THREADS_END_WITHIN_S = 0.2


def read_config(given: Path | None, service: Service | None = None) -> Config | None:
    """The config, or None after every fault has been printed on stderr.

    `service`: as the service would read it, with its folders and secrets.
    """
    environ = os.environ if service is None else service.environ
    secrets = None if service is None else service.secrets
    path = config_file(given, environ)
    try:
        with ending_at_once():
            return load_config(path, AgentConfig, environ=environ, secrets=secrets)
    except ConfigError as error:
        print_faults(f"{path}: ", error, "nothing was started")
        return None


def print_faults(source: str, error: ConfigError, outcome: str) -> None:
    """How many, what that led to, and each with its key, on stderr."""
    count = len(error.faults)
    things = "thing is" if count == 1 else "things are"
    print_error(f"{source}{count} {things} wrong, {outcome}")
    for fault in error.faults:
        print_error(f"  {fault}")


def print_error(line: str) -> None:
    """A line on stderr, before there is any logging; the journal is told that it is an error."""
    prefix = f"<{_priority(logging.ERROR)}>" if is_journal(sys.stderr, os.environ) else ""
    print(f"{prefix}{line}", file=sys.stderr)


def set_up_logging(level: str) -> None:
    """One line an event on stderr; the journal is told each line's priority and adds the time.

    On a terminal the time of day is enough, in a file the date belongs to it.
    """
    handler = logging.StreamHandler(sys.stderr)
    to_journal = is_journal(sys.stderr)
    time_format = TIME_OF_DAY if sys.stderr.isatty() else DATE_AND_TIME
    handler.setFormatter(LineFormatter(time_format=None if to_journal else time_format))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for noisy in ("asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(_is_no_strangers_nonsense)
    # What a lost connection means is said once by whoever holds it.
    logging.getLogger("mqtt").setLevel(logging.CRITICAL)


def _is_no_strangers_nonsense(record: logging.LogRecord) -> bool:
    """A request that is no HTTP is answered with 400 and not written down.

    Megabytes a second of it would wear out the disk. Told by the module, so that nobody has to
    import aiohttp for this.
    """
    error = record.exc_info[1] if record.exc_info else None
    return not type(error).__module__.startswith("aiohttp.")


def is_journal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Does systemd's journal read what is written there (systemd.exec(5), JOURNAL_STREAM)?"""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class LineFormatter(logging.Formatter):
    """One line an event whatever others said in it; a traceback's lines each bear its priority.

    `time_format` None is for the journal, which has times and is told priorities, those of
    sd-daemon(3): without them it takes all for information.
    """

    def __init__(self, *, time_format: str | None) -> None:
        self._to_journal = time_format is None
        time = "" if self._to_journal else "%(asctime)s "
        super().__init__(f"{time}%(levelname).1s %(name)s: %(message)s", time_format)

    def format(self, record: logging.LogRecord) -> str:
        record.message = clean_text(record.getMessage(), MAX_LINE)
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            lines += [f"  {clean_text(line, MAX_LINE)}" for line in trace]
        prefix = f"<{_priority(record.levelno)}>" if self._to_journal else ""
        return "\n".join(prefix + line for line in lines)


def _priority(level: int) -> int:
    """The syslog priority of a level of Python's."""
    known = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return next((priority for least, priority in known if level >= least), 7)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Ctrl-C, `kill` and a terminal that is closed (unless `nohup` said so) set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)


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
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)

    return asyncio.run(work())


def _threads_ended(until: float) -> bool:
    busy = [thread for thread in threading.enumerate() if thread.name.startswith(THREADS)]
    for thread in busy:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in busy)
