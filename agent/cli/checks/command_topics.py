"""May the agent say and hear what it has to on other makers' topics? Nothing is switched.

A broker of MQTT 5 answers each message with whether its rules allow it; one of MQTT 3.1.1 drops
what they forbid without a word, so there it can only be said what they have to allow. Whoever may
not read is told so by neither: Mosquitto grants the subscription and passes nothing on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from agent.cli.checks.commands import would_say
from agent.cli.checks.result import CheckResult, failed, passed
from agent.config import Config
from agent.home.kinds.meter import Meter
from agent.home.kinds.pv_inverter import PvInverter
from agent.ports import OutgoingMessage
from integrations.registry import device_adapter

Publish = Callable[[OutgoingMessage], Awaitable[bool]]
NEEDED = "An access file has to give the agent's user"


@dataclass(frozen=True, slots=True)
class CommandTopics:
    """Of one device: what can be tried without a change, and the topics of which nothing can."""

    device: str
    harmless: tuple[OutgoingMessage, ...]
    untried: tuple[str, ...]


def command_topics(config: Config) -> list[CommandTopics]:
    """Of each device that is spoken to on topics of its maker."""
    out = []
    for device in config.devices:
        adapter = device_adapter(device, config.base_topic)
        if adapter.holds_schedule:
            continue
        asked = {message.topic: message.payload for message in adapter.queries()}
        only_read = isinstance(device, Meter | PvInverter) and not device.controlled
        said = () if only_read else would_say(device, config)
        topics = dict.fromkeys([*asked, *(message.topic for message in said)])
        payloads = {topic: asked.get(topic, adapter.harmless) for topic in topics}
        out.append(
            CommandTopics(
                device.id,
                tuple(
                    OutgoingMessage(topic, payload, retain=False)
                    for topic, payload in payloads.items()
                    if payload is not None
                ),
                tuple(topic for topic, payload in payloads.items() if payload is None),
            )
        )
    return [item for item in out if item.harmless or item.untried]


async def try_command_topics(
    found: Sequence[CommandTopics], publish: Publish, *, answers: bool, where: str
) -> list[CheckResult]:
    """`publish` says whether the broker took it, where the broker `answers`."""
    out = []
    for item in found:
        untried = list(item.untried)
        for message in item.harmless:
            if not answers:
                untried.append(message.topic)
            elif not await publish(message):
                text = f"{where} refuses what the agent has to say to {item.device}"
                hint = "its access file needs, below the agent's user, the line"
                out.append(failed("broker", text, f"{hint}: {_lines('write', [message.topic])}"))
        if untried:
            why = "" if answers else ": a broker of MQTT 3.1.1 does not tell what it drops"
            text = f"what is said to {item.device} is not tried{why}"
            out.append(passed("broker", f"{text}. {NEEDED}: {_lines('write', sorted(untried))}"))
    return out


def heard_topics(config: Config) -> list[CheckResult]:
    """What the agent has to hear on topics that are not below its base; none of it is tried."""
    heard = {
        device.id: device_adapter(device, config.base_topic).subscriptions
        for device in config.devices
    }
    if config.site.outdoor_topic is not None:
        heard["site.outdoor_topic"] = (config.site.outdoor_topic,)
    out = []
    for name, topics in heard.items():
        others = [topic for topic in topics if not topic.startswith(f"{config.base_topic}/")]
        if others:
            text = f"what is read of {name} is not tried: no broker tells what it keeps back"
            out.append(passed("broker", f"{text}. {NEEDED}: {_lines('read', others)}"))
    return out


def _lines(access: str, topics: Sequence[str]) -> str:
    """As an access file of Mosquitto has them."""
    return "; ".join(f"topic {access} {topic}" for topic in topics)
