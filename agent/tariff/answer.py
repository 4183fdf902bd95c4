"""What is used of an answer: its rates, what it leaves open of the future, warnings. Pure."""

from dataclasses import dataclass
from datetime import datetime

from agent.energy.rates import Rate
from agent.ports import FetchedRates
from agent.tariff import refresh
from agent.tariff.health import ONLY_FORECASTS
from agent.tariff.normalise import Withdrawal, gaps, normalise


@dataclass(frozen=True, slots=True)
class Answer:
    """`complete`: every rate in it could be read, so what is missing is really not there."""

    rates: tuple[Rate, ...]
    complete: bool
    withdrawal: Withdrawal
    warnings: tuple[str, ...]


def read_answer(fetched: FetchedRates, window: refresh.Window, now: datetime) -> Answer:
    """An answer to a question about `window`, received at `now`."""
    found = normalise(fetched.rates, *window)
    complete = not (fetched.dropped or found.dropped)
    # What is over stays known, whatever is said of it now.
    start = max(window[0], refresh.this_hour(now))
    left_open = gaps(found.rates, start, window[1]) if complete and start < window[1] else []
    warnings = list(fetched.warnings)
    ahead = [rate for rate in found.rates if rate.end > now]
    if ahead and all(rate.confidence < 1 for rate in ahead):
        warnings.append(ONLY_FORECASTS)
    withdrawal = Withdrawal(tuple(left_open), final=bool(found.rates))
    return Answer(found.rates, complete, withdrawal, tuple(warnings))
