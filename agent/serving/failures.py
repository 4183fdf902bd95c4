"""What failed while a request was answered, in a log that no visitor can fill.

One line of bounded length for each failure, with where it happened instead of a whole traceback
(which level debug still shows), and a bounded number of lines a minute.
"""

import logging
import traceback
from pathlib import Path
from types import TracebackType

from agent.energy.text import clean_text
from agent.serving.rates import RequestRates

MOST_AT_ONCE, MOST_PER_S = 10.0, 1 / 30
MOST_TEXT = 160
FRAMES = 4


class BoundedFailures(logging.Filter):
    """Lets no traceback through, nor more records of failures than its share."""

    def __init__(self, rates: RequestRates | None = None) -> None:
        super().__init__()
        self._rates = rates or RequestRates(MOST_AT_ONCE, MOST_PER_S)
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None and type(error).__module__.startswith("aiohttp."):
            # What is no HTTP: its sender was told.
            return False
        if not self._rates.take(""):
            self._left_out += 1
            return False
        record.msg, record.args = self._line(record.getMessage(), error), ()
        if not logging.getLogger().isEnabledFor(logging.DEBUG):
            record.exc_info = record.exc_text = None
        return True

    def _line(self, message: str, error: BaseException | None) -> str:
        line = clean_text(message, MOST_TEXT)
        if error is not None:
            said = clean_text(str(error), MOST_TEXT)
            line += f": {type(error).__name__}: {said} ({_place(error.__traceback__)})"
        if self._left_out:
            line += f"; {self._left_out} more failures before it were not written down"
            self._left_out = 0
        return line


def _place(found: TracebackType | None) -> str:
    """The innermost frames, the failing one first."""
    frames = traceback.extract_tb(found)[-FRAMES:]
    return " < ".join(f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in reversed(frames))


# For handlers of pages, and for aiohttp itself.
failure_logger = logging.getLogger("agent.serving")
failure_logger.addFilter(BoundedFailures())
