"""An appliance's connection over which it says what its gauges and plugs measure: a little off."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from integrations.sandbox.appliances.link import Receive
from tests.fakes.memory_broker import MemoryLink

# Points of SoC, and a share of the power.
SOC_NOISE, POWER_NOISE = 0.3, 0.02


@dataclass
class NoisyLink:
    """What an appliance says of itself is a little off, each time anew."""

    link: MemoryLink
    dice: random.Random

    async def publish(self, topic: str, payload: str, *, retain: bool) -> None:
        if topic.endswith("/state"):
            body = json.loads(payload)
            if "soc_percent" in body:
                soc = body["soc_percent"] + self.dice.gauss(0, SOC_NOISE)
                body["soc_percent"] = round(min(100.0, max(0.0, soc)), 1)
            if body.get("power_w"):
                body["power_w"] = round(body["power_w"] * (1 + self.dice.gauss(0, POWER_NOISE)))
            payload = json.dumps(body)
        await self.link.publish(topic, payload, retain=retain)

    async def subscribe(self, topics: Sequence[str], receive: Receive) -> None:
        await self.link.subscribe(topics, receive)
