"""Reminds of each end of a contract once, whether by its date or by the source's own word."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from agent.energy.connection import TariffSummary
from agent.ports import TariffEvent
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.connecting.contract_end import ended_soon, is_about


class ContractReminder:
    """What was told is in the store, so a restart tells nothing twice."""

    def __init__(self, store: ConnectionStore, zone: Callable[[], ZoneInfo]) -> None:
        self._store = store
        self._zone = zone

    def due(self, summaries: Sequence[TariffSummary], now: datetime) -> Iterator[str]:
        """A sentence for each end that is near and that nobody has told."""
        for summary in summaries:
            text, day = ended_soon(summary, now, self._zone()), self._last_day(summary)
            if not text or day is None or self._store.reminded_of(summary.direction) == day:
                continue
            self._store.set_reminded(summary.direction, day)
            if not any(is_about(summary, *heard) for heard in self._store.heard()):
                yield text

    def was_told(self, event: TariffEvent, summaries: Sequence[TariffSummary]) -> bool:
        """Was the owner reminded of this before the source's word? Else that is remembered."""
        for summary in summaries:
            reminded_of = self._store.reminded_of(summary.direction)
            if is_about(summary, event.at, event.tariff_id) and (
                reminded_of == self._last_day(summary)
            ):
                return True
        self._store.add_heard(event.at, event.tariff_id)
        return False

    def _last_day(self, summary: TariffSummary) -> date | None:
        end = summary.contract_end
        return None if end is None else end.astimezone(self._zone()).date()
