"""What can be made to go wrong: a table of named faults, and which of them are on.

Where a fault acts is the matter of `server.py` (transport, login) and `fault_injection.py` (the
answer).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault: the group it belongs to and what a client would see."""

    group: str
    description: str


FAULTS = {
    # auth
    "login_refused": FaultSpec("auth", "the account id or key is wrong: login answers 403"),
    "login_error": FaultSpec("auth", "login answers 500"),
    "login_garbage": FaultSpec("auth", "login answers 200 without a token"),
    "short_token": FaultSpec("auth", "login gives a token that lives 5 seconds"),
    "no_live_mode": FaultSpec("auth", "login's answer has no live_mode"),
    "token_lapses": FaultSpec("auth", "every token given so far is forgotten, once per call"),
    "expired_401": FaultSpec("auth", "a token that is not accepted is answered by 401, not 403"),
    # http
    "rate_limit": FaultSpec("http", "429 without Retry-After"),
    "rate_limit_told": FaultSpec("http", "429 with Retry-After: 1800"),
    "rate_limit_date": FaultSpec("http", "429 with Retry-After as a date, 30 minutes ahead"),
    "server_error": FaultSpec("http", "500 with a plain message"),
    "bad_gateway": FaultSpec("http", "502 with an HTML body"),
    "truncated": FaultSpec("http", "200 with half of the JSON"),
    "html": FaultSpec("http", "200 with an HTML page, as a captive portal does"),
    "redirect": FaultSpec("http", "302 to another host"),
    "slow": FaultSpec("http", "the answer takes two minutes"),
    "reset": FaultSpec("http", "the connection is cut instead of an answer"),
    "request_timeout": FaultSpec("http", "408 with a plain message"),
    "too_early": FaultSpec("http", "425 with a plain message"),
    "half_emoji": FaultSpec("http", "500 whose texts end in half an emoji, with line breaks"),
    "huge": FaultSpec("http", "an answer of five megabytes"),
    # data
    "empty_data": FaultSpec("data", "data is an empty list"),
    "null_data": FaultSpec("data", "data is null"),
    "no_data": FaultSpec("data", "there is no data"),
    "no_tariff": FaultSpec("data", "every second slot has no tariff"),
    "hole": FaultSpec("data", "a slot in the middle is missing"),
    "overlap": FaultSpec("data", "a slot reaches half an hour into the next"),
    "duplicate": FaultSpec("data", "every slot is there twice"),
    "unsorted": FaultSpec("data", "the slots come in reverse order"),
    "reversed_slot": FaultSpec("data", "a slot ends before it starts"),
    "zero_length": FaultSpec("data", "a slot ends when it starts"),
    "long_slot": FaultSpec("data", "the last slot lasts a year"),
    "unclipped": FaultSpec("data", "the first and last slot reach over the window's edges"),
    "currency_change": FaultSpec("data", "the currency is another one"),
    "currency_nonsense": FaultSpec("data", "the currency is a letter and half an emoji"),
    "rates_withdrawn": FaultSpec("data", "no price after this local day, whatever was published"),
    "short_horizon": FaultSpec("data", "no price after the next six hours"),
    "forecasts_only": FaultSpec("data", "every price ahead is a prediction, confidence 0.6"),
    "test_mode": FaultSpec("data", "live_mode is false"),
    "rate_text": FaultSpec("data", "prices are text"),
    "rate_null": FaultSpec("data", "every second price is null"),
    "rate_nonsense": FaultSpec("data", "prices are words, lists, huge or not finite"),
    "zero_unknown": FaultSpec("data", "future prices are 0 with confidence 0: unknown"),
    "negative": FaultSpec("data", "prices are negative"),
    "six_decimals": FaultSpec("data", "prices have six decimals"),
    "confidence_above_1": FaultSpec("data", "confidence is 1.5"),
    "interpolated": FaultSpec(
        "data", "every third slot is the mean of its neighbours, confidence 0.5"
    ),
    "backfill": FaultSpec("data", "prices of past slots have changed by 0.01"),
    "random_prices": FaultSpec("data", "prices are random, as test mode once had them"),
    "other_release": FaultSpec("data", "prices come as price.value, the way of later releases"),
    # time
    "next_update_past": FaultSpec("time", "next_update was a day ago"),
    "next_update_now": FaultSpec("time", "next_update is now"),
    "next_update_null": FaultSpec("time", "next_update is null"),
    "next_update_far": FaultSpec("time", "next_update is in ten days"),
    "next_update_missing": FaultSpec("time", "there is no next_update"),
    "publication_fails": FaultSpec("time", "no new prices at the publication, next_update passes"),
    "publication_late": FaultSpec("time", "tomorrow's prices come at 23:00 local, not earlier"),
    "prices_late": FaultSpec(
        "time", "tomorrow's prices come 20 minutes late, next_update names the day after at once"
    ),
    "predictions": FaultSpec("time", "what is not published is predicted, confidence 0.6"),
    "contract_ended": FaultSpec("time", "fixed prices are predictions, 0.8 falling to 0.2"),
    "plus_zero": FaultSpec("time", "times end in +00:00 instead of Z"),
    "fractions": FaultSpec("time", "times have fractions of a second"),
    "naive_times": FaultSpec("time", "slot times have no offset"),
    "naive_error_time": FaultSpec("time", "time_created of errors has milliseconds and no zone"),
    "clock_wrong": FaultSpec("time", "the Date header is five hours ahead"),
    # 422
    "pending_connect": FaultSpec("422", "the tariff is still being connected"),
    "no_tariff_connected": FaultSpec("422", "no tariff is connected"),
    "no_price_data": FaultSpec("422", "there are no prices after a long outage"),
    "account_disabled": FaultSpec("422", "the account's subscription is over, on every endpoint"),
    "unknown_code": FaultSpec("422", "an error code nobody has heard of"),
    "plain_422": FaultSpec("422", "422 with a plain message"),
    "no_events": FaultSpec("http", "there is no GET /events: 404"),
    # location
    "deleted": FaultSpec("location", "the location is gone: 404"),
    "zone_change": FaultSpec("location", "the location's time zone is another one"),
    "zone_unknown": FaultSpec("location", "the location's time zone is a name nobody knows"),
    "zone_missing": FaultSpec("location", "there is no time zone"),
    "other_location": FaultSpec("location", "the answer is about another location"),
    "no_export": FaultSpec("location", "the second direction is not connected"),
    "status_error": FaultSpec("location", "every tariff's status is ERROR"),
    "status_flat": FaultSpec("location", "the kinds stand beside the status, not in tariff_status"),
    # connect
    "connect_expired": FaultSpec("connect", "the connect token has expired before its time"),
    "exchange_422": FaultSpec("connect", "the exchange before the end answers 422, not 404"),
    "exchange_foreign": FaultSpec("connect", "the exchange answers about another session"),
    "redirect_url_only": FaultSpec("connect", "session_redirect has redirect_url alone"),
    "redirect_uri_only": FaultSpec("connect", "session_redirect has redirect_uri alone"),
    "redirect_without_token": FaultSpec("connect", "the provider's address has no token"),
    "callback_other_name": FaultSpec("connect", "the token comes back as connect_token"),
    "exchange_old": FaultSpec("connect", "the exchange says neither action nor whether processed"),
    # provider
    "context_older": FaultSpec("provider", "the session context is the older guide's"),
    "context_refused": FaultSpec("provider", "the provider's password is not accepted: 403"),
    "submit_fails": FaultSpec("provider", "what a provider submits is answered by 500"),
    "provider_error": FaultSpec("provider", "whatever the provider submits counts as ERROR"),
    "poll_fails": FaultSpec("provider", "the provider's tariff cannot be read"),
}


@dataclass(slots=True)
class Faults:
    """The faults that are on. One with a count ends by itself after that many uses."""

    remaining: dict[str, int | None] = field(default_factory=dict)

    def on(self, name: str, times: int | None = None) -> None:
        """Raises ValueError for an unknown name or a count below 1."""
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}; GET /_sandbox/faults lists them")
        if times is not None and times < 1:
            raise ValueError(f"times: expected 1 or more, got {times}")
        self.remaining[name] = times

    def off(self, name: str) -> None:
        self.remaining.pop(name, None)

    def clear(self) -> None:
        self.remaining.clear()

    def consume(self, name: str) -> bool:
        """Whether the fault acts now; a use is counted."""
        if name not in self.remaining:
            return False
        remaining = self.remaining[name]
        if remaining is not None:
            if remaining <= 1:
                del self.remaining[name]
            else:
                self.remaining[name] = remaining - 1
        return True

    def listing(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "group": kind.group,
                "description": kind.description,
                "on": name in self.remaining,
                "times": self.remaining.get(name),
            }
            for name, kind in FAULTS.items()
        ]
