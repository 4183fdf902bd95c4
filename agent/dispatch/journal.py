"""What the switchboard keeps over a restart: revisions, schedules, readings, wishes, plans."""

import dataclasses
import json
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.readings import Reading
from agent.energy.schedule import (
    DeviceType,
    Goal,
    Offline,
    Schedule,
    ScheduleSlot,
    Standing,
)
from agent.store import Store

PLANS_KEPT = timedelta(days=14)
PLANS_A_DAY = 64


class Journal:
    """The dispatch room's tables. Every call that returns has reached the disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def highest_revision(self, device: str) -> int:
        row = self._store.connection.execute(
            "SELECT revision FROM revisions WHERE device = ?", (device,)
        ).fetchone()
        return int(row[0]) if row else 0

    def issue(self, schedule: Schedule) -> None:
        """Write the revision before it is published, so that none is ever used twice."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO revisions VALUES (?, ?)",
                (schedule.device, schedule.revision),
            )
            connection.execute(
                "INSERT OR REPLACE INTO schedules VALUES (?, ?)",
                (schedule.device, _to_text(schedule)),
            )

    def schedules(self) -> dict[str, Schedule]:
        """What each device holds, by what was published last."""
        rows = self._store.connection.execute("SELECT device, document FROM schedules")
        return {device: _from_text(text) for device, text in rows}

    def forget_schedule(self, device: str) -> None:
        self._store.connection.execute("DELETE FROM schedules WHERE device = ?", (device,))

    def readings(self, device: str) -> dict[str, Reading]:
        rows = self._store.connection.execute(
            "SELECT kind, value, at FROM readings WHERE device = ?", (device,)
        )
        return {kind: Reading(kind, json.loads(value), from_unix(at)) for kind, value, at in rows}

    def keep_reading(self, device: str, reading: Reading) -> None:
        self._store.connection.execute(
            "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)",
            (device, reading.kind, json.dumps(reading.value), to_unix_floor(reading.at)),
        )

    def wishes(self) -> Mapping[str, str]:
        return dict(self._store.connection.execute("SELECT device, document FROM wishes"))

    def keep_wish(self, device: str, text: str) -> None:
        self._store.connection.execute(
            "INSERT OR REPLACE INTO wishes VALUES (?, ?)", (device, text)
        )

    def state(self, device: str) -> str | None:
        return self._store.fact(f"tracker:{device}")

    def keep_state(self, device: str, text: str) -> None:
        self._store.put_fact(f"tracker:{device}", text)

    def keep_plan(self, made_at: int, situation: str, plan: str) -> None:
        """The Situation and plan behind a published change; at most 64 a day, two weeks."""
        connection = self._store.connection
        day = made_at - 86_400
        count = connection.execute(
            "SELECT count(*) FROM plans WHERE made_at > ?", (day,)
        ).fetchone()[0]
        if count >= PLANS_A_DAY:
            return
        with self._store.transaction():
            connection.execute(
                "INSERT OR REPLACE INTO plans VALUES (?, ?, ?)",
                (made_at, zlib.compress(situation.encode()), zlib.compress(plan.encode())),
            )
            oldest = made_at - int(PLANS_KEPT.total_seconds())
            connection.execute("DELETE FROM plans WHERE made_at < ?", (oldest,))

    def newest_instant(self) -> datetime | None:
        """The latest moment at which something was certainly written: time cannot lie before it."""
        row = self._store.connection.execute("SELECT max(made_at) FROM plans").fetchone()
        return from_unix(row[0]) if row and row[0] is not None else None


def _to_text(schedule: Schedule) -> str:
    return json.dumps(dataclasses.asdict(schedule), default=str, separators=(",", ":"))


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _from_text(text: str) -> Schedule:
    raw = json.loads(text)
    slots = tuple(
        ScheduleSlot(
            **{
                **slot,
                "energy_kwh": Decimal(slot["energy_kwh"]),
                "price": _decimal(slot["price"]),
            }
        )
        for slot in raw["slots"]
    )
    goal = raw["goal"]
    return Schedule(
        **{
            **raw,
            "device_type": DeviceType(raw["device_type"]),
            "slots": slots,
            "default": Standing(**raw["default"]),
            "offline": Offline(**raw["offline"]),
            "goal": Goal(
                _decimal(goal["energy_kwh"]), _decimal(goal["target_soc_percent"]), goal["ready_by"]
            ),
            "cost": Decimal(raw["cost"]),
            "baseline_cost": Decimal(raw["baseline_cost"]),
        }
    )
