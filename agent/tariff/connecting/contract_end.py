"""When a contract ends soon, and what to say then. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.energy.connection import TariffStatus, TariffSummary
from agent.energy.rates import Direction
from agent.energy.sentences import sentence

REMIND_BEFORE = timedelta(days=14)
NAMES = {Direction.IMPORT: sentence("import"), Direction.EXPORT: sentence("export")}


def is_about(summary: TariffSummary, told_at: datetime, tariff_id: str) -> bool:
    """Is the source's word that a contract ends soon, said then, about this one's end?"""
    if summary.contract_end is None or (
        tariff_id and summary.tariff_id and tariff_id != summary.tariff_id
    ):
        return False
    return told_at <= summary.contract_end <= told_at + REMIND_BEFORE


def ended_soon(summary: TariffSummary, now: datetime, zone: ZoneInfo) -> str:
    """A sentence from two weeks before the contract's end on; empty before, or with no end."""
    end = summary.contract_end
    if end is None or summary.status is TariffStatus.NOT_CONNECTED or end - now > REMIND_BEFORE:
        return ""
    direction, name = NAMES[summary.direction], f" {summary.name}" if summary.name else ""
    # With its time: a day alone leaves open whether midnight begins or ends it.
    local = end.astimezone(zone)
    if end <= now:
        return sentence(
            "the contract of the {direction} tariff{name} ended on {end:%Y-%m-%d %H:%M}: connect "
            "the tariff again",
            direction=direction,
            name=name,
            end=local,
        )
    return sentence(
        "the contract of the {direction} tariff{name} ends on {end:%Y-%m-%d %H:%M}: connect the "
        "next one then",
        direction=direction,
        name=name,
        end=local,
    )
