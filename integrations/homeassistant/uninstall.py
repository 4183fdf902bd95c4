"""What `uninstall-discovery` has to know of what was announced."""

from collections.abc import Collection, Iterable

from integrations.homeassistant.memory import from_text
from integrations.homeassistant.names import Names


def discovery_topics(published: Collection[str]) -> list[str]:
    """Of all retained topics those that announce something; no topic of ours ends like them."""
    return sorted(topic for topic in published if topic.endswith("/config"))


def discovery_filter(names: Names) -> str:
    """What takes every announcement of this base and site, and of no other agent."""
    return f"{names.prefix}/+/{names.node}/+/config"


def with_deleted(text: str | None, topics: Iterable[str]) -> str:
    """The memory after somebody has taken these away."""
    memory = from_text(text)
    memory.deleted |= set(topics)
    return memory.to_text()
