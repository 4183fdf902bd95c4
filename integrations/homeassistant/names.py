"""Every topic and id that Home Assistant sees; they never change, or entities would be new ones."""

import re
from dataclasses import dataclass

from agent.contracts.topics import Topics

# No device's id begins with it.
HUB = "_hub"
# Platforms that came with Home Assistant 2026.5 stand on topics of their own: an older version
# would refuse the whole device for them.
LATER_PLATFORMS = ("time", "datetime")
USUAL_SITE = "home"


@dataclass(frozen=True, slots=True)
class Names:
    """`base` and `site` are those of the agent, `prefix` and `birth` those of Home Assistant."""

    base: str
    site: str
    prefix: str
    birth: str

    @property
    def topics(self) -> Topics:
        return Topics(f"{self.base}/{self.site}")

    @property
    def node(self) -> str:
        """The agent in discovery topics, where only letters, digits, `_` and `-` may stand."""
        return re.sub(r"[^A-Za-z0-9_-]", "_", f"{self.base}_{self.site}")

    @property
    def told_apart(self) -> str:
        """The site where it is not the usual one: two houses may share a Home Assistant."""
        return "" if self.site == USUAL_SITE else self.site

    # --- discovery ------------------------------------------------------------------------------

    def config(self, device: str) -> str:
        """The device message; `device` is an id or HUB."""
        return f"{self.prefix}/device/{self.node}/{device}/config"

    def later_config(self, platform: str, device: str, key: str) -> str:
        """The message of one entity of a platform that older versions do not know."""
        return f"{self.prefix}/{platform}/{self.node}/{device}_{key}/config"

    def identifier(self, device: str) -> str:
        base = self.topics.base
        return base if device == HUB else f"{base}/{device}"

    def unique_id(self, device: str, key: str) -> str:
        return f"{self.identifier(device)}/{key}"

    def entity_id(self, platform: str, device: str, key: str) -> str:
        """As it is called at first, where nothing else has that name."""
        site = f"{self.told_apart}_" if self.told_apart else ""
        part = "" if device == HUB else f"{device}_"
        return f"{platform}.flatpeak_{site}{part}{key}".replace("-", "_")

    # --- below the base -------------------------------------------------------------------------

    def state(self, device: str) -> str:
        """What entities show; said anew every minute."""
        return self.topics.companion("hub" if device == HUB else f"device/{device}")

    def attributes(self, device: str, name: str) -> str:
        """What is too long for that; said when it changes."""
        return f"{self.state(device)}/{name}"

    def command(self, device: str, name: str) -> str:
        """What is no request as it stands, and is made into one here."""
        return f"{self.state(device)}/{name}/set"

    def request(self, device: str) -> str:
        topics = self.topics
        return topics.site_request if device == HUB else topics.device(device, "request")
