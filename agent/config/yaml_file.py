"""The config file as YAML: read, and what is no YAML said by what people have done there.

A password is where signs that mean something in YAML come in. What stands there is never repeated.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.config.faults import SECRET_KEYS
from agent.energy.text import decoded
from agent.errors import ConfigError, Fault

# No house needs more, and a slow gateway reads no more within a minute.
MOST_BYTES = 500_000
# What the YAML library says and what people have done.
FOREIGN_TAG = re.compile(r"constructor for the tag '!(secret|include)")
FOREIGN = (
    "!secret and !include are Home Assistant's: write the value here, or a secret into a file of "
    "its own (see config.example.yaml)"
)
YAML_HINTS = (
    ("found character '\\t'", "there is a tab here: use spaces"),
    ("that cannot start any token", "text that begins with this sign stands in quotes"),
    (
        "mapping values are not allowed",
        "check the indentation of this line and the ones above; text with a colon and a space in "
        "it stands in quotes",
    ),
    (
        "expected <block end>",
        "check the indentation of this line (keys of a section stand below each other), and that "
        "every quote above is closed",
    ),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("unexpected end of stream", "a quote or a bracket is not closed"),
    ("found another document", "take the line --- away"),
)
# Texts that somebody else has thought of, with any signs.
KEYS = "|".join(sorted({*SECRET_KEYS, "username"}))
ALONE = re.compile(rf"\s*(?:- )?\s*({KEYS})[ \t]*:[ \t]+(\S.*?)\s*")
IN_BRACES = re.compile(rf"[{{,]\s*({KEYS})[ \t]*:[ \t]+([^\s,}}][^,}}]*)")
# A text in quotes, and what may follow it.
CLOSED = re.compile(r"""('([^']|'')*'|"([^"\\]|\\.)*")\s*(#.*|[,}].*)?""")
MEANS_SOMETHING = tuple("!%@`*&>|,]}?-:\"'")
# A comment, as people write it, has a space.
CUT_OFF = re.compile(r"[^'\"].*?\s#\S.*|#\S.*")
SPACES = " \t\r\n"
QUOTED = "put it in single quotes, {key}: 'p@ss: word', and write a ' in it twice"


class _Constructor(SafeConstructor):
    """Dates stay text: of a wrong one the model says where it stands, the library only raises."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def why_unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return f"{error}; save it as UTF-8"
    who = f"; try it with sudo, or let uid {os.geteuid()} read it"
    return (error.strerror or str(error)) + (who if isinstance(error, PermissionError) else "")


def read_yaml(path: Path, example: str) -> dict[str, Any]:
    """The file's sections. Raises ConfigError; `example` is what to start from without a file."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            why = f"{path} is larger than {MOST_BYTES // 1000} kB; is it the config?"
            raise ConfigError([Fault("", why)], str(path))
        text = decoded(content)
    except FileNotFoundError:
        raise ConfigError(
            [Fault("", f"there is no config file at {path}; start from {example}")]
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError([Fault("", f"{path} cannot be read: {why_unreadable(error)}")]) from error
    document = _parsed(text, str(path))
    if document is None:
        return {}
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise ConfigError([Fault("", "the file holds no sections such as `tariff:`")], str(path))
    return document


def cut_texts(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the key of each password that a # may have cut off."""
    for number, key, value in _texts(decoded(path.read_bytes()).splitlines()):
        if CUT_OFF.fullmatch(value):
            yield number, key


def _parsed(text: str, source: str) -> Any:
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        # To YAML a letter, with which a key begins.
        if name := _no_space(line[: len(line) - len(line.lstrip())]):
            raise ConfigError([_not_a_space(number, name)], source)
    for number, key, value in _texts(lines):
        if value.startswith("&"):
            # To YAML it is a name for what follows: a part of the password, or none at all.
            raise ConfigError([_quotes_missing(number, key)], source)
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        return yaml.load(text)
    except MarkedYAMLError as error:
        fault = _explained(error, lines)
    except YAMLError as error:
        fault = Fault("", f"not valid YAML: {' '.join(str(error).split())}")
    except RecursionError:
        fault = Fault("", "brackets or sections stand within each other too deeply")
    raise ConfigError([fault], source) from None


def _explained(error: MarkedYAMLError, lines: Sequence[str]) -> Fault:
    mark = error.problem_mark
    if mark is None:
        return Fault("", f"not valid YAML: {error.problem}")
    if FOREIGN_TAG.search(error.problem or ""):
        return Fault("", f"line {mark.line + 1}: {FOREIGN}")
    for number, key, value in _texts(lines[: mark.line + 1]):
        if _is_open(value) or (number == mark.line + 1 and _means_something(value)):
            return _quotes_missing(number, key)
    for number in range(mark.line + 1, max(mark.line - 1, 0), -1):
        if number <= len(lines) and (name := _no_space(lines[number - 1])):
            return _not_a_space(number, name)
    # Of a key that stands twice the library quotes both values, which may be secret.
    problem = (error.problem or "").partition(" with value ")[0]
    hint = next((f"; {hint}" for sign, hint in YAML_HINTS if sign in problem), "")
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    return Fault("", f"{where}: not valid YAML: {problem}{hint}")


def _texts(lines: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """The line, from 1, the key and what stands there, of each text with signs of its own."""
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("#"):
            continue
        if (alone := ALONE.fullmatch(line)) is not None:
            yield number, alone[1], alone[2]
        else:
            for found in IN_BRACES.finditer(line):
                yield number, found[1], found[2].rstrip()


def _is_open(value: str) -> bool:
    """Does it begin a quote or a bracket that does not end with it?"""
    if value[0] in "\"'":
        return CLOSED.fullmatch(value) is None
    pairs = {"[": "]", "{": "}"}
    return value[0] in pairs and value.count(value[0]) > value.count(pairs[value[0]])


def _means_something(value: str) -> bool:
    return value.startswith(MEANS_SOMETHING) or ": " in value or value.endswith(":")


def _quotes_missing(number: int, key: str) -> Fault:
    why = f"line {number}: {key} has signs that mean something in YAML: {QUOTED.format(key=key)}"
    return Fault("", why)


def _not_a_space(number: int, name: str) -> Fault:
    why = f"line {number}: there is a {name} here, as web pages have it: type a space"
    return Fault("", why)


def _no_space(line: str) -> str:
    """The name of a sign that looks like a space, or like nothing, and is none; empty for none."""
    for sign in line:
        if sign not in SPACES and (sign.isspace() or unicodedata.category(sign) == "Cf"):
            return unicodedata.name(sign, "sign that nobody sees").lower()
    return ""
