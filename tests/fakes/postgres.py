"""A real PostgreSQL of its own: a cluster in a temporary folder, on a free port of loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integrations.sandbox.broker import free_port
from tests.fakes.parts import lacking

UNPRIVILEGED = ("postgres", "nobody")


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found is not None:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(versions[-1]) if versions else None


def _as_user() -> tuple[list[str], str | None]:
    """PostgreSQL does not run as root: the words to begin a command with, and whose it is."""
    if os.geteuid() != 0:
        return [], None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    name = next((name for name in UNPRIVILEGED if name in names), None)
    if name is None or shutil.which("setpriv") is None:
        return [], ""
    return [
        "setpriv",
        f"--reuid={name}",
        f"--regid={pwd.getpwnam(name).pw_gid}",
        "--clear-groups",
    ], name


@contextmanager
def postgres() -> Iterator[str]:
    """The address of its database `postgres`, without a name after the last slash."""
    programs = [_program(name) for name in ("initdb", "postgres")]
    prefix, owner = _as_user()
    if None in programs or owner == "":
        lacking("PostgreSQL, or an unprivileged user to run it,")
    initdb, server = map(str, programs)
    # Not below pytest's folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if owner:
            shutil.chown(data, owner)
            shutil.chown(folder, owner)
        options = ["-D", str(data), "-U", "agent", "--auth=trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(
            [*prefix, initdb, *options], capture_output=True, text=True, check=False, cwd=folder
        )
        assert made.returncode == 0, made.stderr
        port = free_port()
        settings = {"listen_addresses": "127.0.0.1", "port": port, "fsync": "off"}
        settings |= {"unix_socket_directories": folder, "max_connections": 100}
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with (folder / "log").open("w+") as log:
            process = subprocess.Popen(
                [*prefix, server, "-D", str(data), *words], stdout=log, stderr=log, cwd=folder
            )
            try:
                _until_ready(process, port, folder / "log")
                yield f"postgresql://agent@127.0.0.1:{port}/"
            finally:
                process.terminate()
                process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import psycopg

    while True:
        assert process.poll() is None, log.read_text()
        try:
            psycopg.connect(f"postgresql://agent@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            continue
        return


def new_database(server: str, name: str) -> str:
    """The address of a fresh database there."""
    import psycopg

    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{server}{name}"
