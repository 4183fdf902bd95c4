"""Text of others: cleaned where it enters, so that it can be logged, stored and published."""

import re

MAX_LENGTH = 200
# C0 and C1 controls, line and paragraph separators, and what turns the direction of writing.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def clean_text(text: str, max_length: int = MAX_LENGTH) -> str:
    """One line of valid UTF-8 of at most `max_length` characters.

    Runs of control characters become a space, half a surrogate pair becomes a question mark.
    """
    # Cut first: what comes may be megabytes, and cleaning makes nothing longer.
    text = text[: 4 * max_length].encode("utf-8", "replace").decode()
    text = _CONTROLS.sub(" ", text).strip()
    return text if len(text) <= max_length else text[: max_length - 1] + "…"
