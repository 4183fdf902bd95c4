"""constraints.txt beside pyproject.toml: nothing is missing, nothing contradicts."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"^([A-Za-z0-9._-]+)==([0-9][^\s;@]*)$")


def locked() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    found = [LINE.match(line) for line in lines if not line.startswith("#")]
    assert all(found), "only exact versions, from no particular place"
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def direct() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        texts += extra
    return [Requirement(text) for text in texts]


def test_every_direct_dependency_is_there_within_its_range() -> None:
    versions = locked()
    for requirement in direct():
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} but {version}"


def test_all_but_the_time_zones_have_an_upper_bound() -> None:
    open_ended = {item.name for item in direct() if "<" not in str(item.specifier)}
    assert open_ended == {"tzdata"}


def test_what_they_bring_along_is_there_too() -> None:
    versions, left, seen = locked(), [item.name for item in direct()], set[str]()
    while left:
        name = canonicalize_name(left.pop())
        if name in seen:
            continue
        seen.add(name)
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
    assert seen <= set(versions)
