"""The ledger as the database holds it, for whoever looks beside a running agent."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.records.demand_session import DemandSession
from agent.records.ledger import DeviceFigures, Figures, Totals, last_session
from agent.records.ledger_rows import number_of
from agent.records.ledger_table import LedgerTable
from agent.records.sums import Sums
from agent.store import Store


@dataclass(frozen=True, slots=True)
class DayRecord:
    """`day` is local, as 20260116."""

    day: int
    device: str
    currency: str
    sums: Sums


def read_days(store: Store) -> list[DayRecord]:
    """In order; rows that cannot be read are left out."""
    return [DayRecord(*row) for row in LedgerTable(store).days()]


def read_sessions(store: Store) -> list[DemandSession]:
    """In order; of an open one what has come so far."""
    return LedgerTable(store).sessions()


def stored_figures(store: Store, currency: str, zone: ZoneInfo, now: datetime) -> Figures:
    """As the running agent publishes them, as of its last write."""
    table = LedgerTable(store)
    totals = Totals(table.ever(currency), table.recent(currency))
    sessions: dict[str, list[DemandSession]] = defaultdict(list)
    for session in (*table.open_sessions(currency), *table.last_sessions(currency)):
        sessions[session.device].append(session)
    today = number_of(now.astimezone(zone).date())
    return Figures(
        currency,
        zone.key,
        {
            device: DeviceFigures(totals.periods(device, today), last_session(sessions[device]))
            for device in sorted({*totals.ever, *sessions})
        },
    )
