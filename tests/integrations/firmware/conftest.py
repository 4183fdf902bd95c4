"""The C follower, built under the sanitizers."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integrations.firmware.compiled import FOLDER, SOURCES, find_compiler
from integrations.firmware.follower import Follower
from tests.fakes.firmware import Both


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = find_compiler()
    assert compiler, "a C compiler is needed: apt-get install gcc"
    out = tmp_path_factory.mktemp("follower") / "harness"
    harness = Path(__file__).parent / "harness.c"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{FOLDER}"]
    subprocess.run([compiler, *flags, str(harness), *map(str, SOURCES), "-o", str(out)], check=True)
    return out


@pytest.fixture
def followers(program: Path) -> Iterator[Callable[[str, int], Both]]:
    """Makes both for a unit and a safe value; at the end the sanitizers must have been silent."""
    with ExitStack() as stack:

        def make(unit: str, safe: int) -> Both:
            process = stack.enter_context(
                subprocess.Popen(
                    [str(program), unit, str(safe)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            processes.append(process)
            return Both(process, Follower(safe, unit))

        processes: list[subprocess.Popen[str]] = []
        yield make
        for process in processes:
            assert process.stdin
            process.stdin.close()
            assert process.wait(10) == 0, process.stderr.read() if process.stderr else ""


@pytest.fixture
def both(followers: Callable[[str, int], Both]) -> Both:
    return followers("W", 0)
