"""Text of others: cleaned where it enters, so that it can be logged, stored and published."""

import codecs
import re

MAX_LENGTH = 200
_LINE_ENDS = re.compile("\n+")
# The longer before the shorter, which it begins with.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


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


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 if it begins with their mark.

    Raises ValueError with the line that is none, and nothing of what stands there: one byte a
    letter may be any of many code pages, and guessing turns names into others.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, "replace")
        line = before.count("\n") + before.count("\r") - before.count("\r\n") + 1
        name = encoding.removesuffix("-sig").upper()
        raise ValueError(f"line {line} is no text in {name}") from None
