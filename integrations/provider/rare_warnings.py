"""Warnings that strangers and outages cause as often as they like, in a log that stays readable."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from agent.serving.rates import RequestRates

EVERY_S = 600.0


class RareWarnings:
    """Of one process: a line of each kind at once, then one in ten minutes that counts the rest."""

    def __init__(self, log: logging.Logger, now_s: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._rates = RequestRates(1.0, 1 / EVERY_S, now_s)
        self._left_out = Counter[str]()

    def say(self, kind: str, text: str) -> None:
        """`text` holds nothing of a customer: the audit has who it was."""
        if not self._rates.take(kind):
            self._left_out[kind] += 1
            return
        left_out = self._left_out.pop(kind, 0)
        more = f"; {left_out} more since that was said last" if left_out else ""
        self._log.warning("%s%s", text, more)
