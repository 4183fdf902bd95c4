"""Text of others: cleaned where it enters, so that it can be logged, stored and published."""

import re

MAX_LENGTH = 200
_LINE_ENDS = re.compile("\n+")


def clean_text(text: str, max_length: int = MAX_LENGTH) -> str:
    """One line of valid UTF-8 of at most `max_length` characters.

    Runs of what cannot be printed (controls, separators, what turns the direction of writing, signs
    that nobody knows) become a space, half a surrogate pair becomes a question mark. What is clean
    comes back as it is, a sentence of our own as one.
    """
    given = text
    # Cut first: what comes may be megabytes, and cleaning makes nothing longer.
    text = text[: 4 * max_length].encode("utf-8", "replace").decode()
    text = "".join(sign if sign.isprintable() else "\n" for sign in text)
    text = _LINE_ENDS.sub(" ", text).strip()
    text = text if len(text) <= max_length else text[: max_length - 1] + "…"
    return given if text == given else text
