"""The agent's systemd service as its unit describes it: which files it reads, which folders it has.

So that `check` and `limits`, started by a person, look at what the service looks at.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.config.load import PREFIX
from agent.paths import APP, credentials_directory

UNIT = f"{APP}.service"
# Where systemd looks for units, in its order (systemd.unit(5)).
UNIT_FOLDERS = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)
CONFIGURATION_ROOT = Path("/etc")
STATE_ROOT = Path("/var/lib")
# What a person's own shell sets of these is nothing to the service.
OF_THE_SHELL = ("FLATPEAK_AGENT", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "CONFIGURATION_")


@dataclass(frozen=True, slots=True)
class Service:
    """`unit` None where none is installed. `environ` is what the service would find; `secrets` are
    the files of LoadCredential=; `encrypted` the names of those that only systemd can read;
    `ignored` the variables of the agent's that a person's shell has and the service has not.
    """

    unit: Path | None
    environ: Mapping[str, str]
    secrets: Mapping[str, Path]
    encrypted: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def find_service(
    environ: Mapping[str, str] = os.environ, folders: tuple[Path, ...] = UNIT_FOLDERS
) -> Service:
    """The installed service; without one the folders that the unit we ship would have."""
    unit = next((folder / UNIT for folder in folders if (folder / UNIT).is_file()), None)
    entries = list(_entries(unit, folders)) if unit else []
    secrets, encrypted = _credentials(entries)
    # Started within the service itself, as by `systemctl edit` of ExecStartPre=.
    laid_out = credentials_directory(environ)
    if laid_out is not None and laid_out.is_dir():
        secrets = {file.name: file for file in sorted(laid_out.iterdir())}
        encrypted = ()
    shell = {
        key: value for key, value in environ.items() if not key.upper().startswith(OF_THE_SHELL)
    }
    found = {
        "CONFIGURATION_DIRECTORY": str(
            CONFIGURATION_ROOT / _last(entries, "ConfigurationDirectory")
        ),
        "STATE_DIRECTORY": str(STATE_ROOT / _last(entries, "StateDirectory")),
    }
    for value in (value for key, value in entries if key == "Environment"):
        found |= dict(item.split("=", 1) for item in shlex.split(value) if "=" in item)
    ignored = tuple(
        name for name in sorted(environ) if name.upper().startswith(PREFIX) and name not in found
    )
    return Service(unit, {**shell, **found}, secrets, encrypted, ignored)


def _entries(unit: Path, folders: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Keys and values of [Service], those of drop-ins after the unit's own."""
    drop_ins = {
        file.name: file
        for folder in reversed(folders)
        for file in sorted((folder / f"{UNIT}.d").glob("*.conf"))
    }
    for file in (unit, *(drop_ins[name] for name in sorted(drop_ins))):
        section = ""
        for line in _lines(file):
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line:
                key, value = line.split("=", 1)
                yield key.strip(), value.strip()


def _lines(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for line in map(str.strip, text.splitlines()):
        if line and line[0] not in "#;":
            yield line


def _credentials(entries: list[tuple[str, str]]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """An empty value takes back what was named before, as for every list of systemd's."""
    plain: dict[str, Path] = {}
    encrypted: list[str] = []
    for key, value in entries:
        name, _, path = value.partition(":")
        if key == "LoadCredential":
            if not value:
                plain.clear()
            elif path.startswith("/"):
                plain[name] = Path(path)
        elif key == "LoadCredentialEncrypted":
            encrypted = [*encrypted, name] if value else []
    return plain, tuple(encrypted)


def _last(entries: list[tuple[str, str]], key: str) -> str:
    """The folder's name; systemd takes several, the first counts."""
    named = [value.split()[0].split(":")[0] for found, value in entries if found == key and value]
    return named[0] if named else APP
