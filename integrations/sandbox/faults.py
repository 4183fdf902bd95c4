"""What can be made to go wrong: a table of named faults, and which of them are on.

Where a fault acts is the matter of `server.py` (transport, login) and `spoil.py` (the answer).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Kind:
    """One fault: the group it belongs to and what a client would see."""

    group: str
    description: str


KINDS = {
    # auth
    "login_refused": Kind("auth", "the account id or key is wrong: login answers 403"),
    "login_error": Kind("auth", "login answers 500"),
    "login_garbage": Kind("auth", "login answers 200 without a token"),
    "short_token": Kind("auth", "login gives a token that lives 5 seconds"),
    "no_live_mode": Kind("auth", "login's answer has no live_mode"),
    "token_lapses": Kind("auth", "every token given so far is forgotten, once per call"),
    "expired_401": Kind("auth", "a token that is not accepted is answered by 401, not 403"),
    # http
    "rate_limit": Kind("http", "429 without Retry-After"),
    "rate_limit_told": Kind("http", "429 with Retry-After: 1800"),
    "rate_limit_date": Kind("http", "429 with Retry-After as a date, 30 minutes ahead"),
    "server_error": Kind("http", "500 with a plain message"),
    "bad_gateway": Kind("http", "502 with an HTML body"),
    "truncated": Kind("http", "200 with half of the JSON"),
    "html": Kind("http", "200 with an HTML page, as a captive portal does"),
    "redirect": Kind("http", "302 to another host"),
    "slow": Kind("http", "the answer takes two minutes"),
    "reset": Kind("http", "the connection is cut instead of an answer"),
    "huge": Kind("http", "an answer of five megabytes"),
    # data
    "empty_data": Kind("data", "data is an empty list"),
    "null_data": Kind("data", "data is null"),
    "no_data": Kind("data", "there is no data"),
    "no_tariff": Kind("data", "every second slot has no tariff"),
    "hole": Kind("data", "a slot in the middle is missing"),
    "overlap": Kind("data", "a slot reaches half an hour into the next"),
    "duplicate": Kind("data", "every slot is there twice"),
    "unsorted": Kind("data", "the slots come in reverse order"),
    "reversed_slot": Kind("data", "a slot ends before it starts"),
    "zero_length": Kind("data", "a slot ends when it starts"),
    "long_slot": Kind("data", "the last slot lasts a year"),
    "unclipped": Kind("data", "the first and last slot reach over the window's edges"),
    "currency_change": Kind("data", "the currency is another one"),
    "rate_text": Kind("data", "prices are text"),
    "rate_null": Kind("data", "every second price is null"),
    "rate_nonsense": Kind("data", "prices are words, lists, huge or not finite"),
    "zero_unknown": Kind("data", "future prices are 0 with confidence 0: unknown"),
    "negative": Kind("data", "prices are negative"),
    "six_decimals": Kind("data", "prices have six decimals"),
    "confidence_above_1": Kind("data", "confidence is 1.5"),
    "interpolated": Kind("data", "every third slot is the mean of its neighbours, confidence 0.5"),
    "backfill": Kind("data", "prices of past slots have changed by 0.01"),
    "random_prices": Kind("data", "prices are random, as test mode once had them"),
    "other_release": Kind("data", "prices come as price.value, the way of later releases"),
    # time
    "next_update_past": Kind("time", "next_update was a day ago"),
    "next_update_now": Kind("time", "next_update is now"),
    "next_update_null": Kind("time", "next_update is null"),
    "next_update_far": Kind("time", "next_update is in ten days"),
    "next_update_missing": Kind("time", "there is no next_update"),
    "publication_fails": Kind("time", "no new prices at the publication, next_update passes"),
    "publication_late": Kind("time", "tomorrow's prices come at 23:00 local, not earlier"),
    "predictions": Kind("time", "what is not published is predicted, confidence 0.6"),
    "contract_ended": Kind("time", "fixed prices are predictions, 0.8 falling to 0.2"),
    "plus_zero": Kind("time", "times end in +00:00 instead of Z"),
    "fractions": Kind("time", "times have fractions of a second"),
    "naive_times": Kind("time", "slot times have no offset"),
    "naive_error_time": Kind("time", "time_created of errors has milliseconds and no zone"),
    "clock_wrong": Kind("time", "the Date header is five hours ahead"),
    # 422
    "pending_connect": Kind("422", "the tariff is still being connected"),
    "no_tariff_connected": Kind("422", "no tariff is connected"),
    "no_price_data": Kind("422", "there are no prices after a long outage"),
    "account_disabled": Kind("422", "the account's subscription is over, on every endpoint"),
    "unknown_code": Kind("422", "an error code nobody has heard of"),
    "plain_422": Kind("422", "422 with a plain message"),
    # location
    "deleted": Kind("location", "the location is gone: 404"),
    "zone_change": Kind("location", "the location's time zone is another one"),
    "no_export": Kind("location", "the second direction is not connected"),
}


@dataclass(slots=True)
class Faults:
    """The faults that are on. One with a count ends by itself after that many uses."""

    left: dict[str, int | None] = field(default_factory=dict)

    def on(self, name: str, times: int | None = None) -> None:
        """Raises ValueError for an unknown name or a count below 1."""
        if name not in KINDS:
            raise ValueError(f"there is no fault {name!r}; GET /_sandbox/faults lists them")
        if times is not None and times < 1:
            raise ValueError(f"times: expected 1 or more, got {times}")
        self.left[name] = times

    def off(self, name: str) -> None:
        self.left.pop(name, None)

    def clear(self) -> None:
        self.left.clear()

    def takes(self, name: str) -> bool:
        """Whether the fault acts now; a use is counted."""
        if name not in self.left:
            return False
        left = self.left[name]
        if left is not None:
            if left <= 1:
                del self.left[name]
            else:
                self.left[name] = left - 1
        return True

    def listing(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "group": kind.group,
                "description": kind.description,
                "on": name in self.left,
                "times": self.left.get(name),
            }
            for name, kind in KINDS.items()
        ]
