"""Read the config: environment over secret files over YAML. Every fault at once, with its key."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError
from pydantic_settings.sources import NestedSecretsSettingsSource
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.config.document import Config
from agent.errors import ConfigError, Fault
from agent.paths import credentials_directory

PREFIX = "FLATPEAK_AGENT__"
SECRET_KEYS = {"api_key", "password", "token"}
SHOWN_CHARACTERS = 60
MESSAGES = {
    "tuple_type": "expected a list",
    "too_short": "expected a list with at least one entry",
    "model_type": "expected a section with keys of its own",
    "model_attributes_type": "expected a section with keys of its own",
    "dict_type": "expected a section with keys of its own",
}


class _Sources(Config, BaseSettings):
    """The config with where its values come from; never leaves this file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources: list[PydanticBaseSettingsSource] = [EnvSettingsSource(settings_cls)]
        if folder := credentials_directory():
            sources.append(
                NestedSecretsSettingsSource(
                    file_secret_settings,
                    secrets_dir=folder,
                    secrets_nested_delimiter="__",
                    secrets_prefix="",
                )
            )
        return (*sources, init_settings)


def load_config(path: Path) -> Config:
    """The config at `path`. Raises ConfigError with every fault."""
    document = _read_yaml(path)
    try:
        return _Sources(**document)
    except ValidationError as error:
        raise ConfigError(faults_of(error), str(path)) from None
    except SettingsError as error:
        # The cause quotes the value, which may be secret.
        raise ConfigError([Fault("environment", f"{error}; lists are written as JSON")]) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            [Fault("", f"there is no config file at {path}; start from config.example.yaml")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault("", f"{path} cannot be read: {error}")]) from error
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        # Of a key that stands twice the library quotes both values, which may be secret.
        problem = (error.problem or "").partition(" with value ")[0]
        raise ConfigError([Fault("", f"{where}not valid YAML: {problem}")], str(path)) from None
    except YAMLError as error:
        raise ConfigError([Fault("", f"not valid YAML: {error}")], str(path)) from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigError([Fault("", "the file holds no sections such as `tariff:`")], str(path))
    return document


def faults_of(error: ValidationError) -> Sequence[Fault]:
    """pydantic's errors in the owner's words: dotted key, what was found, what would be right."""
    items = error.errors(include_url=False)
    # A list whose entries are faulty is called too short as well.
    return [
        _fault(item)
        for item in items
        if item["type"] != "too_short" or not any(_below(other, item) for other in items)
    ]


def _below(item: Any, above: Any) -> bool:
    place = above["loc"]
    return len(item["loc"]) > len(place) and item["loc"][: len(place)] == place


def _fault(item: Any) -> Fault:
    path, message = _dotted(item["loc"]), item["msg"].removeprefix("Value error, ")
    kind = item["type"]
    if kind == "missing":
        return Fault(path, "is missing")
    if kind == "unknown_key":
        return Fault(path, message)
    message = MESSAGES.get(kind, f"{message[0].lower()}{message[1:]}")
    shown = _shown(path, item["input"])
    return Fault(path, f"is {shown}; {message}" if shown else message)


def _shown(path: str, value: object) -> str:
    """The value as the owner wrote it; nothing where it is a section, or may hold a secret."""
    if "." not in path or path.rsplit(".", 1)[-1] in SECRET_KEYS:
        return ""
    if not isinstance(value, str | int | float | bool | date) or "@" in str(value):
        return ""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _dotted(location: Sequence[str | int]) -> str:
    out = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            out += f"[{part}]"
            continue
        # pydantic names the chosen member of a union in between; the owner's file does not
        before = location[index - 1] if index else None
        if isinstance(before, int) and location[0] == "devices" and index == 2:
            continue
        if index == 1 and location[0] == "tariff" and part in ("flatpeak", "fixed"):
            continue
        out += f".{part}" if out else part
    return out
