"""The demo's figures at its end: for scripts, and in words for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from agent.records.ledger import Account, Ledger

NAME_WIDTH = 13


@dataclass(frozen=True, slots=True)
class Course:
    """How the demo went: what the ledger does not know."""

    ran: timedelta
    currency: str
    api_calls: int
    messages: int
    broken_off: bool
    asked_speed: float
    managed_speed: float | None = None


def is_good(accounts: Sequence[Account]) -> bool:
    """Every deadline met, every schedule followed."""
    return all(
        account.deadlines == account.deadlines_met
        and account.schedules == account.schedules_followed > 0
        for account in accounts
    )


def summary_document(ledger: Ledger, names: Sequence[str], course: Course) -> dict[str, object]:
    """The figures, from the ledger."""
    accounts = {name: ledger.of(name) for name in names}
    return {
        "ok": is_good(list(accounts.values())),
        "simulated_s": round(course.ran.total_seconds()),
        "currency": course.currency,
        "devices": [
            {
                "id": name,
                "energy_kwh": _rounded(account.energy_kwh, 3),
                "cost": _rounded(account.cost, 4),
                "baseline_cost": _rounded(account.baseline_cost, 4),
                "deadlines": account.deadlines,
                "deadlines_met": account.deadlines_met,
                "schedules": account.schedules,
                "schedules_followed": account.schedules_followed,
            }
            for name, account in accounts.items()
        ],
        "api_calls": course.api_calls,
        "messages": course.messages,
    }


def totals(accounts: Iterable[Account]) -> tuple[Decimal, Decimal, Decimal]:
    """Energy (0.1 kWh), cost and cost at once (0.01): sums of what is shown for each account.

    A person who adds up the table comes to the same.
    """
    energy, cost, baseline = Decimal("0.0"), Decimal("0.00"), Decimal("0.00")
    for account in accounts:
        energy += round(account.energy_kwh, 1)
        cost += round(account.cost, 2)
        baseline += round(account.baseline_cost, 2)
    return energy, cost, baseline


def _rounded(value: Decimal, digits: int) -> float:
    return float(round(value, digits))


def summary_text(ledger: Ledger, names: Sequence[str], course: Course) -> str:
    """The figures for people, at most 80 columns wide."""
    accounts = {name: ledger.of(name) for name in names}
    head = (
        f"{'':<{NAME_WIDTH}} {'energy':>10} {'cost':>7} {'at once':>7} {'saved':>7}"
        f"  {'in time':>8}  {'schedules':>11}"
    )
    return "\n".join(
        [
            "",
            f"{_hours(course.ran)}, {course.currency} at the prices that held",
            "",
            head,
            *(_row(name, account) for name, account in accounts.items()),
            "",
            *_money(accounts, course.currency),
            f"{course.api_calls} calls to FlatPeak, {course.messages} messages from the agent.",
            *_verdict(list(accounts.values()), course),
        ]
    )


def _hours(ran: timedelta) -> str:
    hours = round(ran / timedelta(hours=1))
    return f"{hours} simulated hour{'' if hours == 1 else 's'}"


def _row(name: str, account: Account) -> str:
    energy, cost, baseline = totals([account])
    still_open = "  open" if account.open_needs else ""
    row = (
        f"{name:<{NAME_WIDTH}} {energy:>6} kWh {cost:>7} {baseline:>7} {baseline - cost:>7}  "
        f"{account.deadlines_met:>3} of {account.deadlines:<2}  "
        f"{account.schedules_followed:>4} of {account.schedules:<4}{still_open}"
    )
    return row.rstrip()


def _money(accounts: Mapping[str, Account], currency: str) -> list[str]:
    """Both sides stand for the same energy at any time, so they may be compared."""
    energy, cost, baseline = totals(accounts.values())
    if not energy:
        return ["Nothing was taken yet."]
    saved = baseline - cost
    share = f" ({saved / baseline:.0%})" if baseline > 0 and saved >= 0 else ""
    outcome = f"saved {saved} {currency}{share}" if saved >= 0 else f"{-saved} more"
    return [
        f"{energy} kWh cost {cost} {currency}. Begun at once, the same energy would have",
        f"cost {baseline} {currency}: {outcome}.",
    ]


def _verdict(accounts: Sequence[Account], course: Course) -> list[str]:
    due = sum(account.deadlines for account in accounts)
    missed = due - sum(account.deadlines_met for account in accounts)
    unanswered = sum(account.schedules - account.schedules_followed for account in accounts)
    still_open = sum(account.open_needs for account in accounts)
    lines = []
    if missed:
        lines.append(f"{missed} of {due} was not ready in time: see the table.")
    elif due:
        lines.append("Everything that was due was ready in time.")
    else:
        lines.append("Nothing was due yet.")
    if unanswered:
        why = " when it was stopped" if course.broken_off else ": see the table"
        lines.append(f"{unanswered} schedule(s) had no acknowledgement{why}.")
    elif any(account.schedules for account in accounts):
        lines.append("Every schedule was followed.")
    else:
        lines.append("No schedule was sent yet.")
    if still_open:
        lines.append(f"{still_open} still open: under way when it ended, its deadline is to come.")
    if course.managed_speed is not None:
        lines.append(
            f"This machine managed about {course.managed_speed:.0f} times real time instead of "
            f"{course.asked_speed:g}."
        )
    return lines
