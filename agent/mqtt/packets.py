"""What can be sent at all: valid topics and text, and how large a packet the broker takes."""

import re
from dataclasses import dataclass, field

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MAX_TOPIC_BYTES = 65_535
# What a broker may hang up over (MQTT 5, section 1.5.4), and Mosquitto does.
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
# A packet's length is four bytes of seven bits.
MAX_PACKET_BYTES = 268_435_455
# Below this no broker hangs up for the size: a setpoint and a compact schedule have to pass.
SMALLEST_SUSPECT = 1280
# A limit that we only guessed from a hang-up is tried again.
GUESS_HOLDS_S = 3600.0


class Unsendable(ValueError):
    """No broker could take this message."""


def encoded(topic: str, payload: str | bytes) -> bytes:
    """The payload as bytes. Raises Unsendable where topic or payload are not MQTT."""
    try:
        name = topic.encode()
        content = payload.encode() if isinstance(payload, str) else payload
    except UnicodeEncodeError as error:
        raise Unsendable(f"not UTF-8: {error.reason}") from None
    if not 0 < len(name) <= MAX_TOPIC_BYTES:
        raise Unsendable(f"a topic of {len(name)} bytes")
    if FORBIDDEN.search(topic) or "+" in topic or "#" in topic:
        raise Unsendable("a topic with a sign that none may have")
    return content


def is_filter(text: str) -> bool:
    """May one subscribe to this? A broker hangs up on a filter that is none."""
    levels = text.split("/")
    return (
        not FORBIDDEN.search(text)
        and 0 < len(text.encode("utf-8", "replace")) <= MAX_TOPIC_BYTES
        and all(level == "+" or "+" not in level for level in levels)
        and all("#" not in level for level in levels[:-1])
        and (levels[-1] == "#" or "#" not in levels[-1])
    )


def matches(pattern: str, topic: str) -> bool:
    """Does a subscription cover the topic (MQTT 5, section 4.7)?"""
    wanted, given = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted, given = wanted[:-1], given[: len(wanted) - 1]
    return len(wanted) == len(given) and all(
        one in ("+", other) for one, other in zip(wanted, given, strict=True)
    )


def packet_bytes(topic: str, payload: bytes, qos: int, properties: Properties | None) -> int:
    """The size of the PUBLISH; no properties under MQTT 3.1.1."""
    rest = 2 + len(topic.encode()) + (2 if qos else 0) + len(payload)
    if properties is not None:
        rest += len(properties.pack())  # type: ignore[no-untyped-call]  # paho
    length_bytes = 1 + (rest > 127) + (rest > 16_383) + (rest > 2_097_151)
    return 1 + length_bytes + rest


def publish_properties(expiry_s: int | None) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho
    if expiry_s is not None:
        properties.MessageExpiryInterval = max(0, min(expiry_s, 2**32 - 1))
    return properties


@dataclass(slots=True)
class PacketLimit:
    """The largest packet that may be sent: as the broker told (MQTT 5), else as it taught us.

    A broker that hangs up twice running while a large message is on its way, and is there again at
    once, did so for the message. Once is any broken connection; one that was away in between was
    only restarted; what it has taken before is not too large. Times are the event loop's.
    """

    told: int | None = None
    _guessed: int | None = field(default=None, init=False)
    _guessed_at: float = field(default=0.0, init=False)
    _suspect: int | None = field(default=None, init=False)
    _proved: int | None = field(default=None, init=False)
    _passed: int = field(default=0, init=False)

    def allows(self, size: int, now: float) -> bool:
        if self._guessed is not None and now - self._guessed_at > GUESS_HOLDS_S:
            self._guessed = None
        return size <= min(self.told or MAX_PACKET_BYTES, self._guessed or MAX_PACKET_BYTES)

    def on_confirmed(self, size: int) -> None:
        """The broker took a packet of this size."""
        self._passed = max(self._passed, size)
        if self._suspect is not None and size >= self._suspect:
            self._suspect = None

    def on_lost(self, in_flight: int, *, certain: bool) -> bool:
        """The connection ended with a packet of this size unconfirmed (0: none): is it suspect?

        `certain` where the broker gave the size as its reason.
        """
        before, self._suspect = self._suspect, None
        if certain:
            self._proved = in_flight
        elif in_flight >= SMALLEST_SUSPECT and in_flight > self._passed:
            self._suspect = in_flight
            if before is not None:
                self._proved = min(before, in_flight)
        return self._suspect is not None or certain

    def on_away(self) -> None:
        """The broker could not be reached: its hang-up had another reason, its limit may be new."""
        self._suspect = self._proved = None
        self._passed = 0

    def on_connected(self, told: int | None, now: float) -> None:
        self.told = told
        if self._proved:
            self._guessed, self._guessed_at = self._proved - 1, now
            self._suspect = None
        self._proved = None
