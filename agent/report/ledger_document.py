"""The body of the topic `ledger`: what each device took, cost and saved. Pure."""

from collections.abc import Mapping

from agent.energy.instants import from_unix
from agent.records.demand_session import DemandSession
from agent.records.ledger import Figures, Periods
from agent.records.sums import Sums, whole


def ledger_values(figures: Figures) -> dict[str, object]:
    """All but when it is said."""
    return {
        "currency": figures.currency,
        "timezone": figures.timezone,
        "total": _periods(figures.total),
        "devices": {
            name: {
                **_periods(device.periods),
                "session": None if device.session is None else session_values(device.session),
            }
            for name, device in figures.devices.items()
        },
    }


def sum_values(sums: Sums) -> dict[str, object]:
    return {
        "energy_kwh": sums.energy_kwh,
        "cost": sums.cost_money,
        "baseline_cost": sums.baseline_money,
        "saved": sums.saved_money,
        "pending_kwh": sums.pending_kwh,
        "estimated": sums.estimated != 0,
    }


def session_values(session: DemandSession) -> dict[str, object]:
    """`best_cost` and `regret` once it is over and every price is known."""
    best = session.best_cost
    return {
        "open": session.is_open,
        "since": from_unix(session.since),
        "until": None if session.until is None else from_unix(session.until),
        "ready_by": from_unix(session.deadline),
        **sum_values(session.sums),
        "planned_kwh": whole(session.planned),
        "planned_cost": None if session.planned_cost is None else whole(session.planned_cost),
        "best_cost": None if best is None else whole(best),
        "regret": None if best is None else whole(session.sums.cost - best),
    }


def _periods(periods: Periods) -> Mapping[str, object]:
    return {
        "today": sum_values(periods.today),
        "month": sum_values(periods.month),
        "ever": sum_values(periods.ever),
    }
