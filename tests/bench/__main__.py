"""`make bench`: speeds and sizes on this machine beside their targets. A miss is printed as one."""

import argparse
import platform
from pathlib import Path

from tests.bench import agent, joint, latency, planning, prices, provider


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
    args = parser.parse_args()
    print(f"{machine()}, Python {platform.python_version()}, {platform.system()}")
    missed = 0
    parts = (
        planning.rows,
        lambda: prices.rows(args.data),
        joint.rows,
        latency.rows,
        agent.rows,
        provider.rows,
    )
    for rows in parts:
        for label, measured, target, unit in rows():
            good = measured <= target
            missed += not good
            word = "ok" if good else "MISSED"
            print(f"{label:<58} {measured:>9.2f} {unit:<12} target {target:g}  {word}", flush=True)
    print(f"{missed} target(s) missed" if missed else "all targets met")


if __name__ == "__main__":
    main()
