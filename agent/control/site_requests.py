"""What a person asks of the whole house: to be away until then, fresh prices. Nothing waits."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import ValidationError

from agent.clock import Clock
from agent.contracts.explain import explain
from agent.contracts.topics import Topics
from agent.contracts.wire import SiteRequest
from agent.control.request_bucket import RequestBucket
from agent.control.stored_answer import answer_when_stored
from agent.dispatch.outbox import DOCUMENTS, Outbox
from agent.energy.instants import bounded, format_instant, from_unix, to_unix_floor
from agent.energy.sentences import Sentence, sentence
from agent.errors import Refused
from agent.health import Health
from agent.home.requests import check_length, echoed_id
from agent.ports import OutgoingMessage
from agent.records.device_store import DeviceStore
from agent.report.documents import site_wish_document
from agent.report.event_queue import EventQueue

log = logging.getLogger(__name__)

LONGEST_AWAY = timedelta(days=366)
DAY_S = 86_400


@dataclass(slots=True)
class SiteRequests:
    """`on_change()` is called when somebody goes away or comes back, `on_refresh()` when a person
    wants fresh prices.
    """

    clock: Clock
    health: Health
    topics: Topics
    outbox: Outbox
    events: EventQueue
    store: DeviceStore
    on_change: Callable[[], None]
    on_refresh: Callable[[], None]
    _away_until: datetime | None = field(default=None, init=False)
    _bucket: RequestBucket = field(default_factory=RequestBucket, init=False)

    def __post_init__(self) -> None:
        away = self.store.away_until()
        if away is not None and away > self.clock.now():
            self._away_until = away
        self.store.on_away_stored = lambda: self._publish_wish(None)

    def away_until(self, now: datetime) -> datetime | None:
        """Until when nobody is at home; None where somebody is."""
        if self._away_until is not None and self._away_until <= now:
            self._away_until = None
            self.store.save_away_until(None)
            self._publish_wish(None)
        return self._away_until

    def receive(self, payload: bytes) -> str | None:
        """Answered on `site/wish`; returns why it is refused, None where it is not."""
        if not self._bucket.take(self.clock.now()):
            self.health.count("requests_dropped")
            return None
        request_id, now = echoed_id(payload), self.clock.now()
        try:
            check_length(payload)
            request = SiteRequest.model_validate_json(payload)
            away = None if request.away_until is None else bounded(request.away_until)
        except ValidationError as error:
            return self._refuse(request_id, explain(error, "request"))
        except Refused as refusal:
            return self._refuse(request_id, refusal.sentence)
        except (ValueError, OverflowError):
            why = sentence("away_until: is not a time that can be; {right}", right=_right(now))
            return self._refuse(request_id, why)
        if not request.model_fields_set - {"id"}:
            return self._refuse(
                request_id, sentence("asks for nothing; give away_until or refresh")
            )
        if away is not None and not now < away <= now + LONGEST_AWAY:
            why = sentence("away_until: is not within the next year; {right}", right=_right(now))
            return self._refuse(request_id, why)
        if request.refresh:
            self.on_refresh()
        if "away_until" not in request.model_fields_set:
            self._publish_wish(request_id)
            return None
        self._away_until = away
        answer_when_stored(
            self.store.save_away_until(away),
            lambda note: self._publish_wish(request_id, note=note),
        )
        self.on_change()
        return None

    def _refuse(self, request_id: str | None, why: str) -> str:
        log.info("site/request refused: %s", why)
        self._publish_wish(request_id, refused=why)
        self.events.event("request_refused", None, sentence("site/request: {why}", why=why))
        return why

    def _publish_wish(self, request_id: str | None, *, refused: str = "", note: str = "") -> None:
        text = site_wish_document(
            self._away_until,
            self.clock.now(),
            request_id,
            accepted=not refused,
            reason=refused or note,
        )
        self.outbox.set(DOCUMENTS, OutgoingMessage(self.topics.site_wish, text))


def _right(now: datetime) -> Sentence:
    """An example that would be taken."""
    tomorrow = format_instant(from_unix(to_unix_floor(now) + DAY_S))
    return sentence("expected an instant such as {tomorrow}", tomorrow=tomorrow)
