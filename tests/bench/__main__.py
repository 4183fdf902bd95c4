"""`make bench`: speeds and sizes on this machine beside their targets. A miss is printed as one."""

import argparse
import asyncio
import platform
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench import agent, calm, joint, latency, planning, prices, provider
from tests.bench.agent import Row


def machine() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--data", type=Path, help="folder of price files to plan on")
    parser.add_argument("--soak", type=int, metavar="DAYS", help="one long life of the agent alone")
    parser.add_argument("--calm", type=float, metavar="DAYS", help="changes of a full house alone")
    args = parser.parse_args()
    print(f"{machine()}, Python {platform.python_version()}, {platform.system()}")
    parts: tuple[Callable[[], Iterable[Row]], ...] = (
        planning.rows,
        lambda: prices.rows(args.data),
        joint.rows,
        latency.rows,
        agent.rows,
        provider.rows,
        calm.rows,
    )
    if args.calm:
        parts = (lambda: calm.rows(args.calm),)
    if args.soak:
        parts = (lambda: _soaked(args.soak),)
    missed = sum(_shown(row) for rows in parts for row in rows())
    print(f"{missed} target(s) missed" if missed else "all targets met")


def _soaked(days: int) -> list[Row]:
    print(f"{days} simulated days take {days * 86_400 / agent.SPEED / 60:.1f} minutes", flush=True)
    with tempfile.TemporaryDirectory() as name:
        return asyncio.run(agent.soak(Path(name), days))


def _shown(row: Row) -> bool:
    """Print it. True where it misses its target."""
    label, measured, target, unit = row
    word = "ok" if measured <= target else "MISSED"
    print(f"{label:<58} {measured:>9.2f} {unit:<12} target {target:g}  {word}", flush=True)
    return measured > target


if __name__ == "__main__":
    main()
