"""Whose rates these are: the contract, its currency, its time zone. Remembered on disk."""

import logging
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.energy.rates import Direction
from agent.energy.text import clean_text
from agent.errors import Malformed
from agent.tariff.rate_store import RateStore

log = logging.getLogger(__name__)

# Another currency or zone must be said for so long: they change rarely, answers slip often.
BELIEVED_AFTER = timedelta(hours=1)
ANY_AGE = timedelta(days=36_500)
IDENTITY, CURRENCY, TIMEZONE = "tariff.identity", "tariff.currency", "tariff.timezone"


class TariffIdentity:
    """`zone` and `currency` as the source said, before that as the config has them, else UTC."""

    def __init__(self, store: RateStore, identity: str, timezone: str, currency: str) -> None:
        self._store = store
        self._begin_anew_for(identity)
        stored_zone, stored_currency = _zone(store.get_value(TIMEZONE)), store.get_value(CURRENCY)
        configured = _zone(timezone)
        self._is_configured = configured is not None
        self._zone_is_known = stored_zone is not None
        self.zone = stored_zone or configured or ZoneInfo("UTC")
        self._currency_is_known = bool(stored_currency and is_currency(stored_currency))
        self.currency = (stored_currency or "") if self._currency_is_known else currency
        self._unconfirmed_currency: tuple[str, datetime] | None = None
        self._unconfirmed_zone: tuple[str, datetime] | None = None

    def change(self, identity: str) -> bool:
        """Another tariff from now on? Then all that was kept of the old one is gone.

        Its zone stays in use until the new one's is told, its currency does not.
        """
        if not self._begin_anew_for(identity):
            return False
        self._zone_is_known = self._currency_is_known = False
        self.currency = ""
        self._unconfirmed_currency = self._unconfirmed_zone = None
        return True

    def _begin_anew_for(self, identity: str) -> bool:
        store = self._store
        changed = store.get_value(IDENTITY) not in (None, identity)
        if changed:
            if any(store.newest(direction, ANY_AGE) for direction in Direction):
                log.info("the rates on disk belong to another tariff; they are deleted")
            store.forget_everything()
            for name in (CURRENCY, TIMEZONE):
                store.set_value(name, "")
        store.set_value(IDENTITY, identity)
        return changed

    def learn_currency(self, received: str, now: datetime, *, leads: bool = True) -> str:
        """The currency that held until now where another one is believed from now on; else empty.

        A change may be a slip: Malformed at first. Told again an hour later it is believed, where
        whoever tells it `leads`. What is no currency code counts as not told.
        """
        if not is_currency(received) or (self._currency_is_known and received == self.currency):
            if leads:
                self._unconfirmed_currency = None
            return ""
        before = self.currency if self._currency_is_known else ""
        if before and not leads:
            raise Malformed(
                f"prices came in {received}, those of the import tariff are in {before}"
            )
        if before:
            if self._unconfirmed_currency is None or self._unconfirmed_currency[0] != received:
                self._unconfirmed_currency = received, now
            if now - self._unconfirmed_currency[1] < BELIEVED_AFTER:
                raise Malformed(f"prices came in {received}, not in {before}; asking again")
            log.warning("the currency is now %s, no longer %s", received, before)
        self._unconfirmed_currency = None
        self._currency_is_known = True
        self.currency = received
        self._store.set_value(CURRENCY, received)
        return before

    def learn_zone(self, received: str, now: datetime, *, leads: bool = True) -> str:
        """What the owner should know of the zone; empty where the one in use was told.

        The first that exists is taken at once, another one when it was told for an hour: it would
        move every deadline; and of no tariff that does not `lead`. Prices are told in UTC, so none
        of them waits for it.
        """
        zone = _zone(received)
        if zone is None:
            if self._is_configured:
                return ""
            found = (
                f"the unknown time zone {clean_text(received, 60)!r}"
                if received
                else "no time zone"
            )
            return f"{found} came with the prices; {self.zone.key} is used: set site.timezone"
        if self._zone_is_known and zone.key != self.zone.key and not leads:
            return f"the time zone {zone.key} came with the prices; {self.zone.key} is used"
        if self._zone_is_known and zone.key != self.zone.key:
            if self._unconfirmed_zone is None or self._unconfirmed_zone[0] != zone.key:
                self._unconfirmed_zone = zone.key, now
            if now - self._unconfirmed_zone[1] < BELIEVED_AFTER:
                return (
                    f"the time zone {zone.key} came with the prices; {self.zone.key} is used until "
                    "that was told for an hour"
                )
            log.warning("the tariff's time zone is now %s, no longer %s", zone.key, self.zone.key)
        if leads:
            self._unconfirmed_zone = None
        if not self._zone_is_known or zone.key != self.zone.key:
            self._zone_is_known = True
            self.zone = zone
            self._store.set_value(TIMEZONE, received)
        return ""


def is_currency(text: str) -> bool:
    """Whether it has the form of an ISO 4217 code."""
    return re.fullmatch("[A-Z]{3}", text) is not None


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        # Unknown (a KeyError), not a name at all, or the name of a folder of zones.
        return None
