"""The agent alone in a process of its own, as the benchmark measures it."""

import asyncio
import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.app import run_agent
from agent.clock import Clock
from agent.interpreter import prepare, trim_heap
from agent.store import Store
from integrations.registry import AgentConfig, tariff_source


class SharedClock:
    """The same fast clock in several processes: `start` was at the real time `epoch`."""

    def __init__(self, start: datetime, epoch: float, speed: float) -> None:
        self._start, self._epoch, self._speed = start, epoch, speed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.time() - self._epoch) * self._speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._speed)

    async def sleep_until(self, when: datetime) -> None:
        while (left := (when - self.now()).total_seconds()) > 0:
            await asyncio.sleep(max(left, 1e-4) / self._speed)


def written_bytes() -> int:
    """What this process has given the kernel to write to disks."""
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(task: dict[str, object]) -> None:
    clock: Clock = SharedClock(
        datetime.fromtimestamp(float(str(task["start"])), UTC),
        float(str(task["epoch"])),
        float(str(task["speed"])),
    )
    config = AgentConfig.model_validate(task["config"])
    store = Store.open(Path(str(task["database"])), clock.now())
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(float(str(task["seconds"])), stop.set)
    began, disk = time.monotonic(), written_bytes()
    settled = {"cpu": 0.0, "at": 0.0}

    def settle() -> None:
        settled.update(cpu=time.process_time(), at=time.monotonic())

    asyncio.get_running_loop().call_later(5, settle)
    after_hour = [0.0]

    def weigh() -> None:
        after_hour[0] = resident_mb()

    asyncio.get_running_loop().call_later(3600 / float(str(task["speed"])), weigh)
    prepare()
    trimming = asyncio.create_task(trim_heap(clock))
    await run_agent(
        config,
        clock=clock,
        source=tariff_source(config.tariff, clock),
        store=store,
        stop=stop,
        trusted_clock=True,
    )
    trimming.cancel()
    ended = time.monotonic()
    figures = {
        "resident_after_hour_mb": after_hour[0],
        "resident_mb": resident_mb(),
        "idle_cpu_percent": 100
        * (time.process_time() - settled["cpu"])
        / max(0.001, ended - settled["at"]),
        "disk_mb": (written_bytes() - disk) / 1e6,
        "ran_s": ended - began,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
