"""Planning on real prices: the packaged files, or every price file of the folder DATA."""

import random
import statistics
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from agent.energy.instants import to_unix_floor
from agent.energy.situation import Demand, Flexible, RateSpan, Situation
from agent.planning import make_plan
from integrations.sandbox.series import FileSeries, PriceFile

PACKAGED = Path("integrations/sandbox/prices")
NIGHTS = 20

Row = tuple[str, float, float, str]


def rows(folder: Path | None) -> list[Row]:
    """For each file the median of some nights: a car, split, then with minimum times."""
    out: list[Row] = []
    for path in sorted((folder or PACKAGED).glob("prices_*.csv.gz")):
        name = "_".join(path.name.split("_")[1:4])
        series = FileSeries(PriceFile.read(path))
        out.append((f"plan {name}, split", _median_ms(series, {}), 5.0, "ms"))
        kept = {"min_on_s": 1800, "min_off_s": 900, "start_cost": Decimal("0.02")}
        out.append((f"plan {name}, minimum times", _median_ms(series, kept), 60.0, "ms"))
    return out


def _median_ms(series: FileSeries, more: dict[str, object]) -> float:
    rng = random.Random(5)
    starts = series.file.starts
    took = []
    for _ in range(NIGHTS):
        begin = starts[rng.randrange(len(starts) * 3 // 4)] + timedelta(seconds=rng.randrange(3600))
        now = to_unix_floor(begin)
        rates = tuple(
            RateSpan(to_unix_floor(slot.start), to_unix_floor(slot.end), slot.price)
            for slot in series.slots(begin, begin + timedelta(hours=48))
        )
        demand = Demand(Decimal(rng.randint(8, 40)), deadline=now + 14 * 3600)
        device = Flexible("ev", Decimal(7400), demands=(demand,), **more)  # type: ignore[arg-type]
        situation = Situation(now, "UTC", "EUR", rates, devices=(device,))
        begun = time.perf_counter()
        make_plan(situation)
        took.append((time.perf_counter() - begun) * 1000)
    return statistics.median(took)
