"""One device as it is managed: its config, its model, its wish, what was said of it."""

from dataclasses import dataclass, field
from datetime import datetime

from agent.config.devices import DeviceSection
from agent.energy.profile import DeviceProfile
from agent.energy.readings import DeviceInfo, Reading
from agent.home.model.device_model import DeviceModel
from agent.home.wishes import Wish

# So many requests of a person come through at once.
REQUESTS_AT_ONCE = 30


@dataclass(slots=True)
class ManagedDevice:
    """`notes` are what the last planning input had to assume."""

    section: DeviceSection
    profile: DeviceProfile
    model: DeviceModel
    wish: Wish
    notes: tuple[str, ...] = ()
    why_less: str = ""
    info: DeviceInfo | None = None
    rejected: str = ""
    refusal_said_at: datetime | None = None
    stored_text: str = ""
    unsaved: dict[str, Reading] = field(default_factory=dict)
    said_unknown: set[str] = field(default_factory=set)
    tokens: float = float(REQUESTS_AT_ONCE)
    tokens_at: datetime | None = None
