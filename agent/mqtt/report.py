"""What the owner is told of the broker: one line when it changes, and who acts."""

import logging
from dataclasses import dataclass, field

from agent.config.mqtt import MqttSection
from agent.energy.sentences import joined, sentence
from agent.energy.text import clean_text
from agent.health import Health
from agent.mqtt.diagnosis import Diagnosis

log = logging.getLogger(__name__)

PART = "broker"
# What is remembered only to be counted or not said twice: nobody's topics make it grow.
MAX_REMEMBERED = 100
ACL = "owner: allow the agent its topics (mosquitto.acl)"
SIZE = "owner: raise the broker's limit (Mosquitto: max_packet_size)"
OWN_NAME = "owner: give mqtt.client_id a name of its own"


@dataclass(slots=True)
class BrokerReport:
    """Health part `broker`. Several things may be wrong on one connection; all are named."""

    settings: MqttSection
    client_id: str
    health: Health
    _said: set[str] = field(default_factory=set, init=False)
    _refused: set[str] = field(default_factory=set, init=False)
    _too_large: dict[str, int] = field(default_factory=dict, init=False)
    _silent: bool = field(default=False, init=False)

    @property
    def where(self) -> str:
        return f"{self.settings.host}:{self.settings.port}"

    def connected(self, protocol: str) -> None:
        log.info("connected to %s (%s)", self.where, protocol)
        self._said.clear()
        self._tell()

    def lost(self, trouble: Diagnosis) -> None:
        """No broker. The next connection begins with a clean slate."""
        self._forget()
        why = clean_text(f"{self.where}: {trouble.why}")
        worth_a_line = trouble.who_acts and not trouble.absent and why not in self._said
        if not self._said or worth_a_line:
            self._remember(self._said, why)
            who_acts = f" ({trouble.who_acts})" if trouble.who_acts else ""
            log.warning("no connection to the broker at %s%s", why, who_acts)
        self.health.failed(PART, why, trouble.who_acts)

    def taken_over(self, wait_s: float, *, certain: bool) -> None:
        self._forget()
        how = "connects" if certain else "seems to connect"
        seen = "" if certain else " (the connection is lost as soon as it stands)"
        minutes = f"{wait_s / 60:.0f} minute{'s' * (wait_s >= 90)}"
        why = f"another client {how} as {self.client_id!r}{seen}; trying again in {minutes}"
        log.error("broker: %s (%s)", why, OWN_NAME)
        self._remember(self._said, why)
        self.health.failed(PART, why, OWN_NAME)

    def refused(self, topic: str, answer: str) -> None:
        """The broker's rules keep us from a topic."""
        if topic in self._refused:
            return
        if not self._refused:
            log.warning(
                "the broker refuses %s (%s); others are not said one by one",
                clean_text(topic),
                clean_text(answer),
            )
        self._remember(self._refused, topic)
        self._tell()

    def too_large(self, topic: str, size: int) -> None:
        """A message that the broker would hang up for is left out."""
        self.health.count("messages_too_large_for_the_broker")
        if topic in self._too_large or len(self._too_large) >= MAX_REMEMBERED:
            return
        if not self._too_large:
            log.warning("the broker takes no message of %d bytes (%s)", size, clean_text(topic))
        self._too_large[topic] = size
        self._tell()

    def silent(self, *, yes: bool) -> None:
        """What we publish does not come back."""
        if yes:
            log.warning("the broker seems to drop what we publish (%s)", ACL)
        self._silent = yes
        self._tell()

    def unsendable(self, topic: str, why: str) -> None:
        if self.health.count("unsendable_messages") == 1:
            log.error("%s: %s; later ones are counted", clean_text(topic), why)

    def unreadable(self, topic: str, error: Exception) -> None:
        """A message on which whoever reads it stumbled."""
        if self.health.count("failed_messages") == 1:
            what = clean_text(f"{type(error).__name__}: {error}")
            log.error("%s: %s; later ones are counted", clean_text(topic), what)

    def dropped(self) -> None:
        if self.health.count("dropped_messages") == 1:
            log.warning("more messages come than can be read; what is dropped is counted")

    def _tell(self) -> None:
        found = []
        if self._silent:
            found.append((sentence("the broker seems to drop what we publish"), ACL))
        if self._refused:
            many = f"{len(self._refused)}{'+' * (len(self._refused) >= MAX_REMEMBERED)}"
            first = clean_text(min(self._refused), 80)
            why = sentence(
                "the broker refuses {many} topic(s), first {first}", many=many, first=first
            )
            found.append((why, ACL))
        if self._too_large:
            topic, size = next(iter(self._too_large.items()))
            why = sentence(
                "too large for the broker and left out: {topic} ({size} bytes)",
                topic=clean_text(topic, 80),
                size=size,
            )
            if more := len(self._too_large) - 1:
                why = sentence("{why} and {more} more", why=why, more=more)
            found.append((why, SIZE))
        if not found:
            self.health.ok(PART)
            return
        who_acts = dict.fromkeys(who for _, who in found)
        self.health.degraded(PART, joined(why for why, _ in found), joined(who_acts))

    def _forget(self) -> None:
        self._refused.clear()
        self._too_large.clear()
        self._silent = False

    def _remember(self, where: set[str], what: str) -> None:
        if len(where) < MAX_REMEMBERED:
            where.add(what)
