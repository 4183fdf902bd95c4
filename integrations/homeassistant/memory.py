"""What was announced in earlier lives, and what a person has deleted; kept over a restart."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Memory:
    """`entities`: by topic of a device message, key and platform of each entity it ever had.

    `deleted` are topics of messages that a person took away in Home Assistant: they stay away.
    `currency` and `extras` (what not every tariff has) are known at once after a restart.
    """

    currency: str = ""
    extras: set[str] = field(default_factory=set)
    entities: dict[str, dict[str, str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def to_text(self) -> str:
        raw = asdict(self)
        return json.dumps({**raw, "extras": sorted(self.extras), "deleted": sorted(self.deleted)})


def from_text(text: str | None) -> Memory:
    """An empty memory where there is none or it cannot be believed."""
    try:
        raw = json.loads(text or "{}")
        return Memory(
            str(raw.get("currency", "")),
            {str(item) for item in raw.get("extras", [])},
            {
                str(topic): {str(key): str(value) for key, value in entities.items()}
                for topic, entities in raw.get("entities", {}).items()
            },
            {str(item) for item in raw.get("deleted", [])},
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        return Memory()
