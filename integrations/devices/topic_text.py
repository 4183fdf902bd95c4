"""Topics of devices and programs of other makers, as the config names them."""

from typing import Annotated

from pydantic import BeforeValidator

MAX_TOPIC_BYTES = 128


def _topic(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        too_long = len(value.encode()) > MAX_TOPIC_BYTES
        if not value or too_long or value.startswith(("/", "$")) or value.endswith("/"):
            raise ValueError(
                "expected a topic such as shellyplus1pm-441793d6b0ac, without / at its ends"
            )
        if any(character in value for character in "+#{}\0"):
            raise ValueError("expected one exact topic, without + # { }")
    return value


TopicText = Annotated[str, BeforeValidator(_topic)]
