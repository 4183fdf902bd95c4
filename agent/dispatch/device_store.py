"""What the switchboard keeps over a restart: revisions, schedules, readings, wishes, plans."""

import dataclasses
import json
import logging
import sqlite3
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from agent.energy.instants import from_unix, to_unix_floor
from agent.energy.readings import Reading
from agent.energy.schedule import (
    DefaultCommand,
    DeviceType,
    Goal,
    OfflineRule,
    Schedule,
    ScheduleSlot,
)
from agent.health import Health
from agent.store import Store

log = logging.getLogger(__name__)

PLANS_KEPT = timedelta(days=14)
PLANS_A_DAY = 64


class DeviceStore:
    """The dispatch room's tables. Every call that returns has reached the disk, or the health of
    the part `disk` says that it has not: a full or broken disk stops no appliance.
    """

    def __init__(self, store: Store, health: Health) -> None:
        self._store = store
        self._health = health
        self._failed = False

    def _write(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """All of these or none."""
        try:
            with self._store.transaction() as connection:
                for sql, values in statements:
                    connection.execute(sql, values)
        except sqlite3.Error as error:
            if not self._failed:
                log.error("the database cannot be written: %s", error)
            self._failed = True
            why = f"the database cannot be written: {error}"
            self._health.failed("disk", why, "owner: make room, or change the SD card")
        else:
            if self._failed:
                self._failed = False
                self._health.ok("disk")

    def highest_revision(self, device: str) -> int:
        row = self._store.connection.execute(
            "SELECT revision FROM revisions WHERE device = ?", (device,)
        ).fetchone()
        return int(row[0]) if row else 0

    def issue(self, schedule: Schedule) -> None:
        """Write the revision before it is published, so that none is ever used twice."""
        self._write(
            (
                "INSERT OR REPLACE INTO revisions VALUES (?, ?)",
                (schedule.device, schedule.revision),
            ),
            (
                "INSERT OR REPLACE INTO schedules VALUES (?, ?)",
                (schedule.device, _to_text(schedule)),
            ),
        )

    def schedules(self) -> dict[str, Schedule]:
        """What each device holds, by what was published last."""
        rows = self._store.connection.execute("SELECT device, document FROM schedules")
        return {device: _from_text(text) for device, text in rows}

    def forget_schedule(self, device: str) -> None:
        self._write(("DELETE FROM schedules WHERE device = ?", (device,)))

    def readings(self, device: str) -> dict[str, Reading]:
        rows = self._store.connection.execute(
            "SELECT kind, value, at FROM readings WHERE device = ?", (device,)
        )
        return {kind: Reading(kind, json.loads(value), from_unix(at)) for kind, value, at in rows}

    def keep_reading(self, device: str, reading: Reading) -> None:
        row = (device, reading.kind, json.dumps(reading.value), to_unix_floor(reading.at))
        self._write(("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", row))

    def wishes(self) -> Mapping[str, str]:
        return dict(self._store.connection.execute("SELECT device, document FROM wishes"))

    def keep_wish(self, device: str, text: str) -> None:
        self._write(("INSERT OR REPLACE INTO wishes VALUES (?, ?)", (device, text)))

    def state(self, device: str) -> str | None:
        return self._store.get_value(f"tracker:{device}")

    def keep_state(self, device: str, text: str) -> None:
        self._write(("INSERT OR REPLACE INTO facts VALUES (?, ?)", (f"tracker:{device}", text)))

    def keep_plan(self, made_at: int, situation: str, plan: str) -> None:
        """The Situation and plan behind a published change; at most 64 a day, two weeks."""
        since = self._store.connection.execute(
            "SELECT count(*) FROM plans WHERE made_at > ?", (made_at - 86_400,)
        ).fetchone()[0]
        if since >= PLANS_A_DAY:
            return
        packed = zlib.compress(situation.encode()), zlib.compress(plan.encode())
        oldest = made_at - int(PLANS_KEPT.total_seconds())
        self._write(
            ("INSERT OR REPLACE INTO plans VALUES (?, ?, ?)", (made_at, *packed)),
            ("DELETE FROM plans WHERE made_at < ?", (oldest,)),
        )

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
            "default": DefaultCommand(**raw["default"]),
            "offline": OfflineRule(**raw["offline"]),
            "goal": Goal(
                _decimal(goal["energy_kwh"]), _decimal(goal["target_soc_percent"]), goal["ready_by"]
            ),
            "cost": Decimal(raw["cost"]),
            "baseline_cost": Decimal(raw["baseline_cost"]),
        }
    )
