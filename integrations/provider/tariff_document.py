"""What the tariff endpoint answers: contract dates, the schedule, and rates by the instant."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agent.energy.instants import format_instant
from integrations.provider.customers import Tariff


def tariff_document(
    tariff: Tariff, start: datetime, end: datetime, now: datetime
) -> dict[str, Any]:
    """The answer for `[start, end)`.

    `complete` says whether every instant of it that the contract covers has a rate; `rates` of a
    tiered tariff are those of the lowest tier, its tiers stand in `data`.
    """
    contract = tariff.contract
    ended = contract.end is not None and contract.end <= now
    until = min(end, contract.end) if contract.end else end
    begin = max(start, contract.start) if contract.start < end else start
    covered = sum((rate.end - rate.start).total_seconds() for rate in tariff.rates)
    wanted = max(0.0, (until - begin).total_seconds())
    return {
        "object": "tariff",
        "provider_tariff_reference": contract.id,
        "display_name": contract.tariff_name,
        "connection_type": "DIRECT",
        "direction": contract.direction,
        "structure_type": tariff.structure,
        "status": "ENDED" if ended else "ACTIVE",
        "timezone": contract.timezone,
        "currency_code": tariff.currency,
        "contract_start_date": format_instant(contract.start),
        "contract_end_date": _instant(contract.end),
        "schedule_valid_from": format_instant(tariff.schedule_start),
        "schedule_valid_to": _instant(tariff.schedule_end),
        "valid_from": format_instant(start),
        "valid_to": format_instant(end),
        "complete": covered >= wanted,
        "data": [_as_numbers(part) for part in tariff.schedule],
        "rates": [
            {
                "valid_from": format_instant(rate.start),
                "valid_to": format_instant(rate.end),
                "value": float(rate.value),
            }
            for rate in tariff.rates
        ],
    }


def _as_numbers(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a schedule with its prices as JSON numbers; they are kept as decimal text."""
    return {
        "months": part["months"],
        "days_and_hours": [
            {
                "days": days["days"],
                "hours": [
                    {
                        "valid_from": hours["valid_from"],
                        "valid_to": hours["valid_to"],
                        "rate": [
                            {"value": float(tier["value"]), "to_kwh": _number(tier["to_kwh"])}
                            for tier in hours["rate"]
                        ],
                    }
                    for hours in days["hours"]
                ],
            }
            for days in part["days_and_hours"]
        ],
    }


def _instant(when: datetime | None) -> str | None:
    return None if when is None else format_instant(when)


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
