"""Houses that are drawn: real prices of the packaged files, everything else from a seed.

`big`: two cars, battery, heat pump, tank, dishwasher under 8 kW, most with a roof. `four`: a car, a
battery, a roof and a heat pump. 48 hours of quarter hours each.
"""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.contracts.situation.reading import read_situation
from agent.energy.situation import Situation
from integrations.sandbox.series import PriceFile

PACKAGED = Path("integrations/sandbox/prices")
HOURS = 48
QUARTER_S = 900
# Fees and taxes that an importer pays on top of the exchange, by file.
FEE = {"DE-LU": 0.10, "SE3": 0.03}

Document = dict[str, Any]


def price_files(folder: Path = PACKAGED) -> dict[str, PriceFile]:
    found = sorted(folder.glob("prices_*.csv.gz"))
    return {path.name.split("_")[1]: PriceFile.read(path) for path in found}


def drawn(kind: str, seed: int, files: dict[str, PriceFile]) -> Document:
    """A Situation as a document."""
    rng = random.Random(f"{kind} {seed}")
    zone = rng.choice(sorted(files))
    file = files[zone]
    row = rng.randrange(len(file.starts) - 4 * HOURS)
    now = file.starts[row] + timedelta(seconds=QUARTER_S * rng.randrange(4))
    end = now + timedelta(hours=HOURS)
    rates: list[Document] = [
        {"start": text(max(a, now)), "end": text(min(b, end)), "price": float(p) + FEE.get(zone, 0)}
        for a, b, p in zip(file.starts, file.ends, file.prices, strict=True)
        if a < end and b > now
    ]
    big = kind == "big"
    roof_kw = rng.choice([0, 3, 6, 9]) if big else rng.choice([3, 6, 9])
    # Coldest in the middle of January, warmest in the middle of July.
    season = -math.cos(2 * math.pi * (now.timetuple().tm_yday - 15) / 365)
    quarters = [now + timedelta(seconds=QUARTER_S * k) for k in range(4 * HOURS)]
    cloud = [rng.uniform(0.3, 1.0) for _ in range(HOURS // 6 + 1)]
    sun = [roof_kw * _sun(at, season) * cloud[k // 24] for k, at in enumerate(quarters)]
    load = [0.25 + 0.3 * rng.random() + 0.6 * (17 <= at.hour < 21) for at in quarters]
    site: Document = {"base_load": _spans(quarters, load, "power_w", 1000)}
    if roof_kw:
        site["pv"] = _spans(quarters, sun, "power_w", 1000)
    if big:
        site["import_limit_w"] = 8000
    sells = rng.choice(["market", "fixed", "none"])
    exported = []
    if sells == "market":
        exported = [one | {"price": round(one["price"] - FEE.get(zone, 0), 5)} for one in rates]
    elif sells == "fixed":
        exported = [{"start": text(now), "end": text(end), "price": 0.08}]
    if rng.random() < 0.3:
        site["export_limit_w"] = 5000
    mild = 9 + 9 * season
    air = [mild - 3 * math.cos(2 * math.pi * (at.hour - 3) / 24) for at in quarters]
    devices = [
        _car("ev", rng, now),
        _battery(),
        _pump(rng, now, end, _spans(quarters, air, "temp_c")),
    ]
    if big:
        devices += [_car("ev2", rng, now), _tank(rng, now, end), _dishwasher(rng, now)]
    return {
        "schema": "situation/1",
        "now": text(now),
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "import_rates": rates,
        "export_rates": exported,
        "site": site,
        "planner": {},
        "devices": devices,
    }


def situation(document: Document) -> Situation:
    return read_situation(document)


def text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _sun(at: datetime, season: float) -> float:
    half_day = 6 + 2 * season
    from_noon = abs(at.hour + at.minute / 60 - 12)
    height = math.cos(math.pi / 2 * from_noon / half_day) if from_noon < half_day else 0.0
    return height * (0.65 + 0.25 * season)


def _spans(
    starts: Sequence[datetime], values: Sequence[float], key: str, scale: float = 1
) -> list[Document]:
    step = timedelta(seconds=QUARTER_S)
    return [
        {"start": text(at), "end": text(at + step), key: round(value * scale, 1)}
        for at, value in zip(starts, values, strict=True)
    ]


def _car(id: str, rng: random.Random, now: datetime) -> Document:
    deadline = now + timedelta(hours=rng.choice([14, 20, 38]))
    demand = {"energy_kwh": round(rng.uniform(8, 35), 2), "deadline": text(deadline)}
    return {
        "id": id,
        "kind": "flexible",
        "max_power_w": 7400,
        "min_power_w": 1400,
        "demands": [demand],
    }


def _battery() -> Document:
    return {
        "id": "battery",
        "kind": "storage",
        "capacity_kwh": 10,
        "energy_kwh": 4,
        "min_kwh": 1,
        "max_kwh": 10,
        "max_charge_w": 5000,
        "max_discharge_w": 5000,
        "charge_efficiency": 0.95,
        "discharge_efficiency": 0.95,
        "wear_per_kwh": 0.02,
    }


def _pump(rng: random.Random, now: datetime, end: datetime, outdoor: list[Document]) -> Document:
    return {
        "id": "heat_pump",
        "kind": "thermal",
        "max_power_w": 3000,
        "min_power_w": 800,
        "min_on_s": rng.choice([1200, 1800]),
        "min_off_s": 900,
        "temperature_c": 20.4,
        "capacity_kwh_per_c": 4.0,
        "loss_w_per_c": 180,
        "gains_w": 300,
        "comfort": [{"start": text(now), "end": text(end), "min_c": 20, "max_c": 22}],
        "outdoor": outdoor,
        "cop": [[-7, 2.2], [2, 3.0], [7, 3.6]],
    }


def _tank(rng: random.Random, now: datetime, end: datetime) -> Document:
    day = now.replace(hour=0, minute=0)
    draws = []
    for start in (day + timedelta(days=k, hours=h) for k in range(3) for h in (7, 19)):
        if start < end and start + timedelta(minutes=30) > now:
            over = start + timedelta(minutes=30)
            draws.append({"start": text(start), "end": text(over), "power_w": 4000})
    return {
        "id": "tank",
        "kind": "thermal",
        "max_power_w": 2000,
        "min_power_w": rng.choice([0, 2000]),
        "temperature_c": 52,
        "capacity_kwh_per_c": 0.233,
        "loss_w_per_c": 1.5,
        "draw": draws,
        "comfort": [{"start": text(now), "end": text(end), "min_c": 45, "max_c": 58}],
        "outdoor": [{"start": text(now), "end": text(end), "temp_c": 20}],
    }


def _dishwasher(rng: random.Random, now: datetime) -> Document:
    earliest = now + timedelta(hours=rng.randrange(6))
    return {
        "id": "dishwasher",
        "kind": "program",
        "profile": [
            {"duration_s": 1200, "power_w": 2000},
            {"duration_s": 2400, "power_w": 150},
            {"duration_s": 900, "power_w": 1800},
        ],
        "earliest": text(earliest),
        "deadline": text(earliest + timedelta(hours=rng.choice([6, 12]))),
    }
