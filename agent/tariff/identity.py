"""Whose rates these are: the contract, its currency, its time zone. Remembered on disk."""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.errors import Malformed
from agent.tariff.rate_store import RateStore

log = logging.getLogger(__name__)

# Another currency must be said at least so long after it was said first.
BELIEVED_AFTER = timedelta(minutes=10)
IDENTITY, CURRENCY, TIMEZONE = "tariff.identity", "tariff.currency", "tariff.timezone"


class TariffIdentity:
    """`zone` and `currency` as the source said, before that as the config has them."""

    def __init__(self, rate_store: RateStore, identity: str, timezone: str, currency: str) -> None:
        self._rate_store = rate_store
        if rate_store.get_value(IDENTITY) not in (None, identity):
            log.info("the rates on disk belong to another tariff; they are deleted")
            rate_store.forget_everything()
        rate_store.set_value(IDENTITY, identity)
        self.zone = _zone(rate_store.get_value(TIMEZONE)) or _zone(timezone) or ZoneInfo("UTC")
        self.currency = rate_store.get_value(CURRENCY) or currency
        self._said_currency = rate_store.get_value(CURRENCY) is not None
        self._said_zone = rate_store.get_value(TIMEZONE) is not None
        self._unconfirmed_currency: tuple[str, datetime] | None = None

    def learn_currency(self, said: str, now: datetime) -> bool:
        """Whether the currency is another one now, so that the old prices mean nothing.

        A change may be a slip: Malformed at first. Said again a while later it is believed.
        """
        if not said or (self._said_currency and said == self.currency):
            self._unconfirmed_currency = None
            return False
        changed = self._said_currency
        if changed:
            if self._unconfirmed_currency is None or self._unconfirmed_currency[0] != said:
                self._unconfirmed_currency = said, now
            if now - self._unconfirmed_currency[1] < BELIEVED_AFTER:
                raise Malformed(f"prices came in {said}, not in {self.currency}; asking again")
            log.warning("the currency is now %s, no longer %s", said, self.currency)
        self._unconfirmed_currency = None
        self._said_currency = True
        self.currency = said
        self._rate_store.set_value(CURRENCY, said)
        return changed

    def learn_zone(self, said: str) -> None:
        """A zone that exists is taken at once; anything else leaves the known one."""
        zone = _zone(said)
        if zone is None or (self._said_zone and zone.key == self.zone.key):
            return
        if self._said_zone:
            log.warning("the tariff's time zone is now %s, no longer %s", said, self.zone.key)
        self._said_zone = True
        self.zone = zone
        self._rate_store.set_value(TIMEZONE, said)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        # Unknown (a KeyError), not a name at all, or the name of a folder of zones.
        return None
