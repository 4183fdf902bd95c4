"""Read the config: environment over secret files over YAML. Every fault at once, with its key."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from agent.config.base import Section
from agent.config.faults import NO_LIST, faults_of
from agent.config.yaml_file import read_yaml, why_unreadable
from agent.energy.text import decoded
from agent.errors import ConfigError, Fault
from agent.paths import credentials_directory

PREFIX = "FLATPEAK_AGENT__"
JSON_LIST = 'expected a list, as JSON: ["a", "b"] or [{"key": 1}]'
Model = TypeVar("Model", bound=Section)


@dataclass(slots=True)
class _Given:
    """Values from beside the file. `origins` says of each dotted key where it came from, `faults`
    which could not be read.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def put(self, keys: Sequence[str], value: Any, origin: str) -> None:
        below = self.values
        *parents, last = keys
        for key in parents:
            inner = below.get(key)
            below[key] = below = inner if isinstance(inner, dict) else {}
        below[last] = value
        self.origins[".".join(keys)] = origin


def load_config(
    path: Path,
    model: type[Model],
    *,
    environ: Mapping[str, str] = os.environ,
    secrets: Mapping[str, Path] | None = None,
    prefix: str = PREFIX,
    example: str = "config.example.yaml",
) -> Model:
    """The config at `path`, read by `model`. Raises ConfigError with every fault.

    `secrets` are files by name, such as `mqtt__password`; left out, those that systemd laid out.
    Variables whose names begin with `prefix` are laid over the file. `example` is what to start
    from where there is no file.
    """
    document = read_yaml(path, example)
    sections = set(model.model_fields)
    origins: dict[str, str] = {}
    lost: list[Fault] = []
    if secrets is None:
        folder = credentials_directory(environ)
        secrets = _files_in(folder)
        if folder is not None and not folder.is_dir():
            lost.append(Fault("CREDENTIALS_DIRECTORY", f"{folder} is no folder; expected secrets"))
    beside = (
        _from_files(secrets, sections, _secret_names(model)),
        _from_environment(environ, prefix, sections),
    )
    for given in beside:
        document = _laid_over(document, given.values)
        origins |= given.origins
    unread = lost + [fault for given in beside for fault in given.faults]
    try:
        config = model.model_validate(document)
    except ValidationError as error:
        # Of a value that could not be read nothing more is said, such as that it is missing.
        unread += [
            _with_origin(fault, origins)
            for fault in faults_of(error)
            if not any(_speaks_of(fault, known) for known in unread)
        ]
    if unread:
        raise ConfigError(unread, str(path))
    return config


def secrets_in(path: Path, model: type[Section], example: str = "config.example.yaml") -> list[str]:
    """Dotted keys of the secrets whose values stand in the file itself. Raises ConfigError."""
    document = read_yaml(path, example)
    names = (name.split("__") for name in sorted(_secret_names(model)))
    return [
        f"{section}.{key}"
        for section, key in names
        if isinstance(found := document.get(section), dict) and found.get(key)
    ]


def _speaks_of(fault: Fault, known: Fault) -> bool:
    """Is it of the same key, or of a section that lacks it?"""
    return known.path == fault.path or known.path.startswith(f"{fault.path}.")


def _with_origin(fault: Fault, origins: Mapping[str, str]) -> Fault:
    """Nobody looks for a variable's value in the file."""
    keys = fault.path.replace("[", ".[").split(".")
    for count in range(len(keys), 0, -1):
        if origin := origins.get(".".join(keys[:count])):
            message = fault.message.replace(NO_LIST, JSON_LIST)
            return Fault(fault.path, f"{message} ({origin})")
    # A section that only variables speak of, or a list by whose entries they go on.
    below = [origin for key, origin in origins.items() if key.startswith(f"{fault.path}.")]
    message = fault.message.replace(NO_LIST, f"{JSON_LIST}, all of it in one")
    return Fault(fault.path, f"{message} ({', '.join(below)})") if below else fault


def _from_environment(environ: Mapping[str, str], prefix: str, sections: set[str]) -> _Given:
    """`FLATPEAK_AGENT__MQTT__HOST=broker.lan`; lists and sections as JSON."""
    out = _Given()
    for name, text in sorted(environ.items()):
        if meant := _meant_variable(name, prefix, sections):
            out.faults.append(Fault(name, f"nobody reads this variable; did you mean {meant}?"))
            continue
        if not name.upper().startswith(prefix):
            continue
        keys = name[len(prefix) :].lower().split("__")
        value: Any = text
        if text[:1] in ("[", "{"):
            try:
                value = json.loads(text)
            except ValueError:
                fault = f"is no JSON; lists and sections are written as JSON (from {name})"
                out.faults.append(Fault(".".join(keys), fault))
                continue
        out.put(keys, value, f"from {name}")
    return out


def _meant_variable(name: str, prefix: str, sections: set[str]) -> str:
    """The name of ours that was meant by one with too few underscores, empty for any other name."""
    stem = prefix.rstrip("_")
    if not name.upper().startswith(f"{stem}_"):
        return ""
    section, _, key = name[len(stem) :].lower().strip("_").partition("_")
    meant = f"{prefix}{section}__{key.strip('_')}".upper()
    return meant if section in sections and key and name.upper() != meant else ""


def _files_in(folder: Path | None) -> dict[str, Path]:
    if folder is None or not folder.is_dir():
        return {}
    return {file.name: file for file in sorted(folder.iterdir()) if file.is_file()}


def _secret_names(model: type[BaseModel]) -> set[str]:
    """How the files of all secrets are named, such as `mqtt__password`."""
    return {
        f"{section}__{key}"
        for section, field in model.model_fields.items()
        for inner in _models_in(field.annotation)
        for key, found in inner.model_fields.items()
        if SecretStr in (found.annotation, *get_args(found.annotation))
    }


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _from_files(files: Mapping[str, Path], sections: set[str], secrets: set[str]) -> _Given:
    """systemd's credentials: a file `mqtt__password` holds `mqtt.password`."""
    out = _Given()
    alike = {name.replace("__", "_"): name for name in secrets}
    for name, file in files.items():
        meant = alike.get(name.lower())
        if meant is not None and meant not in files:
            fault = f"nobody reads a secret of this name; did you mean {meant}?"
            out.faults.append(Fault(str(file), fault))
            continue
        keys = name.lower().split("__")
        if len(keys) > 1 and keys[0] in sections:
            try:
                out.put(keys, _secret(file), f"from the file {file}")
            except ValueError as error:
                out.faults.append(Fault(".".join(keys), str(error)))
    return out


def _secret(file: Path) -> str:
    """The text of a secret file. Raises ValueError with what is wrong with it."""
    try:
        secret = decoded(file.read_bytes()).strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {why_unreadable(error)}") from error
    if len(secret.splitlines()) != 1:
        found = f"{file} has more than one line" if secret else f"{file} is empty"
        raise ValueError(f"{found}; expected the secret alone, in one line")
    return secret


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        known = out.get(key)
        both = isinstance(known, dict | None) and isinstance(value, dict)
        out[key] = _laid_over(known or {}, value) if both else value
    return out
