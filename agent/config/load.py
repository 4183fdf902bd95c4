"""Read the config: environment over secret files over YAML. Every fault at once, with its key."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.config.base import Section
from agent.config.faults import NO_LIST, faults_of
from agent.errors import ConfigError, Fault
from agent.paths import credentials_directory

# No house needs more, and a slow gateway reads no more within a minute.
MOST_BYTES = 500_000
PREFIX = "FLATPEAK_AGENT__"
JSON_LIST = 'expected a list, as JSON: ["a", "b"] or [{"key": 1}]'
Model = TypeVar("Model", bound=Section)
# What the YAML library says and what people have done.
YAML_HINTS = (
    ("found character '\\t'", "there is a tab here: use spaces"),
    ("mapping values are not allowed", "check the indentation of this line and the ones above"),
    (
        "expected <block end>",
        "check the indentation of this line (keys of a section stand below each other), and that "
        "every quote above is closed",
    ),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("unexpected end of stream", "a quote or a bracket is not closed"),
    ("found another document", "take the line --- away"),
)


class _Constructor(SafeConstructor):
    """Dates stay text: of a wrong one the model says where it stands, the library only raises."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


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
    document = _read_yaml(path, example)
    sections = set(model.model_fields)
    origins: dict[str, str] = {}
    if secrets is None:
        secrets = _files_in(credentials_directory(environ))
    beside = (
        _from_files(secrets, sections),
        _from_environment(environ, prefix, sections),
    )
    for given in beside:
        document = _laid_over(document, given.values)
        origins |= given.origins
    unread = [fault for given in beside for fault in given.faults]
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
    # A section that only a variable speaks of.
    below = [origin for key, origin in origins.items() if key.startswith(f"{fault.path}.")]
    return Fault(fault.path, f"{fault.message} ({', '.join(below)})") if below else fault


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


def _from_files(files: Mapping[str, Path], sections: set[str]) -> _Given:
    """systemd's credentials: a file `mqtt__password` holds `mqtt.password`."""
    out = _Given()
    for name, file in files.items():
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
        secret = file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {_why(error)}") from error
    if len(secret.splitlines()) != 1:
        found = f"{file} has more than one line" if secret else f"{file} is empty"
        raise ValueError(f"{found}; expected the secret alone, in one line")
    return secret


def _why(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    who = f"; try it with sudo, or let uid {os.geteuid()} read it"
    return (error.strerror or str(error)) + (who if isinstance(error, PermissionError) else "")


def _laid_over(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        known = out.get(key)
        both = isinstance(known, dict | None) and isinstance(value, dict)
        out[key] = _laid_over(known or {}, value) if both else value
    return out


def _read_yaml(path: Path, example: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        # Some editors begin a file with a mark of its encoding.
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            [Fault("", f"there is no config file at {path}; start from {example}")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault("", f"{path} cannot be read: {_why(error)}")]) from error
    if len(content) > MOST_BYTES:
        why = f"{path} is larger than {MOST_BYTES // 1000} kB; is it the config?"
        raise ConfigError([Fault("", why)], str(path))
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        document = yaml.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        # Of a key that stands twice the library quotes both values, which may be secret.
        problem = (error.problem or "").partition(" with value ")[0]
        hint = next((f"; {hint}" for sign, hint in YAML_HINTS if sign in problem), "")
        fault = Fault("", f"{where}not valid YAML: {problem}{hint}")
        raise ConfigError([fault], str(path)) from None
    except YAMLError as error:
        said = " ".join(str(error).split())
        raise ConfigError([Fault("", f"not valid YAML: {said}")], str(path)) from None
    except RecursionError:
        fault = Fault("", "brackets or sections stand within each other too deeply")
        raise ConfigError([fault], str(path)) from None
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigError([Fault("", "the file holds no sections such as `tariff:`")], str(path))
    return document
