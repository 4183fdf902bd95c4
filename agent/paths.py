"""Where files lie: the command line, then the environment, then systemd, then platformdirs."""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

APP = "flatpeak-agent"
CONFIG_VARIABLE = "FLATPEAK_AGENT_CONFIG"


def _first(value: str | None) -> Path | None:
    """systemd may name several folders, with colons between."""
    return Path(value.split(":")[0]) if value else None


def config_file(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The config file to read; it need not exist."""
    if given is not None:
        return given
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    folder = _first(environ.get("CONFIGURATION_DIRECTORY")) or platformdirs.user_config_path(APP)
    return folder / "config.yaml"


def state_directory(given: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the database."""
    return given or _first(environ.get("STATE_DIRECTORY")) or platformdirs.user_state_path(APP)


def cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """For what can be made again at any time."""
    return _first(environ.get("CACHE_DIRECTORY")) or platformdirs.user_cache_path(APP)


def credentials_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where systemd lays the secrets of this service (LoadCredential=)."""
    return _first(environ.get("CREDENTIALS_DIRECTORY"))
