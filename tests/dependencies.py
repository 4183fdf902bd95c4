"""What a gateway of one kind installs, a requirement a line: python -m tests.dependencies MACHINE.

pip judges markers by the machine that it runs on, whatever platform it is asked about.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def core(machine: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    out = []
    for text in project["dependencies"]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"platform_machine": machine}):
            requirement.marker = None
            out.append(str(requirement))
    return out


if __name__ == "__main__":
    sys.stdout.write("\n".join(core(sys.argv[1])) + "\n")
