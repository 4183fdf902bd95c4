"""This machine: the state folder, the service's files, the clock."""

import errno
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.checks.result import CheckResult, failed, passed, warning
from agent.cli.common import DATABASE
from agent.cli.service import UNIT, Service
from agent.clockmonitor import kernel_synchronised
from agent.command_line import command_line
from agent.database.problem import (
    MAKE_ROOM,
    READ_ERRORS,
    REMOUNT,
    Damaged,
    Empty,
    NewerSchema,
    who_acts_on,
)
from agent.store import Store

FREE_BYTES = 50_000_000
# With less not even a day's writing finds room.
LEAST_BYTES = 1_000_000


def check_service(service: Service, config: Path) -> Iterator[CheckResult]:
    """Which unit was looked at, where its secrets are read from, may it read its config."""
    if service.unit is None:
        yield warning(
            "service",
            f"{UNIT} is not installed; looked at the folders that it would have",
            f"sudo cp systemd/{UNIT} /etc/systemd/system/",
        )
    else:
        files = [f"{_key(name)} from {file}" for name, file in service.secrets.items()]
        secrets = ", ".join(files) or "no secret files"
        yield passed("service", f"as {service.unit} says: {secrets}")
    readable = [str(file) for file in service.secrets.values() if _is_open(file)]
    if readable:
        yield warning(
            "service",
            f"{', '.join(readable)}: whoever has an account on this machine can read it",
            f"sudo chmod 600 {' '.join(readable)}; systemd reads it as root",
        )
    if service.ignored:
        yield warning(
            "service",
            f"{', '.join(service.ignored)}: set in this shell alone, the service does not see it",
            f"give it in the unit: Environment=, by sudo systemctl edit {UNIT}",
        )
    if service.encrypted:
        yield warning(
            "service",
            f"{', '.join(map(_key, service.encrypted))}: encrypted, only systemd can read it",
            "give it for this check as an environment variable, see config.example.yaml",
        )
    # Its user is made at each start and owns nothing (DynamicUser=), so everybody has to be let in.
    if closed := closed_to_others(config):
        yield failed(
            "service",
            f"{closed} may not be read by others, and so not by the service's user",
            f"sudo chmod o+{'x' if closed.is_dir() else 'r'} {closed}, with the secrets in files "
            'of their own: see README, "Start it"',
        )


def closed_to_others(file: Path) -> Path | None:
    """The file, or the first folder on the way to it, that only its owner and group may use."""
    for place in (*reversed(file.absolute().parents), file):
        needed = stat.S_IXOTH if place != file else stat.S_IROTH
        if not place.stat().st_mode & needed:
            return place
    return None


def _is_open(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _key(credential: str) -> str:
    return credential.replace("__", ".")


def check_state(folder: Path, service: Service | None) -> CheckResult:
    who = f"uid {os.getuid()}"
    may = f"{folder} can be written by {who}"
    try:
        # Made by the service, so that it belongs to the service: here its parent has to do.
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        with tempfile.TemporaryFile(dir=existing):
            # What root may use beyond this, the service's user may not.
            free = shutil.disk_usage(existing).free
        if free < LEAST_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if (folder / DATABASE).exists():
            try:
                Store.copy_of(folder / DATABASE).close()
                may += ", the database is whole"
            except Empty:
                may += ", the database is empty: it is begun at the next start"
    except NewerSchema as error:
        return failed("state", f"{folder}: {error}", "update the agent")
    except (OSError, Damaged, *READ_ERRORS) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        text = f"{folder}, as {who}: {why}; nothing would be kept over a restart"
        return failed("state", text, _hint(error, folder, service))
    if free < FREE_BYTES:
        return warning("state", f"{may}, but {free // 1_000_000} MB are free", "make room")
    return passed("state", may)


def _hint(error: Exception, folder: Path, service: Service | None) -> str:
    if (who_acts := who_acts_on(error, folder / DATABASE)) in (MAKE_ROOM, REMOUNT):
        return who_acts.removeprefix("owner: ")
    if isinstance(error, Damaged | sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.OperationalError
    ):
        return "the agent moves it aside at its next start; if this comes again, change the SD card"
    if service is None and not os.access(folder, os.W_OK) and os.getuid() != 0:
        of_service = command_line("check", as_service=True)
        return f"check state.directory and who may write there; for the service: {of_service}"
    return "check state.directory and who may write there"


def check_clock() -> CheckResult:
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if kernel_synchronised():
        return passed("clock", f"{now}, synchronised")
    return warning(
        "clock",
        f"{now}, but nothing on this machine keeps it right",
        "switch on systemd-timesyncd or chrony",
    )
