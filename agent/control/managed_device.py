"""One device as it is managed: its config, its model, its wish, what was said of it."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from agent.config.devices import DeviceSection
from agent.control.request_bucket import RequestBucket
from agent.energy.profile import DeviceProfile
from agent.energy.readings import DeviceInfo, Reading
from agent.home.model.device_model import DeviceModel
from agent.home.wishes import Wish

Publish = Callable[[], None]


@dataclass(slots=True)
class Answers:
    """Answers go out in the order of the requests, also where one waits for the disk."""

    _row: deque[list[Publish]] = field(default_factory=deque)

    def place(self) -> Callable[[Publish], None]:
        """The next place in the row, to be given its answer when that is known."""
        mine: list[Publish] = []
        self._row.append(mine)

        def give(publish: Publish) -> None:
            mine.append(publish)
            while self._row and self._row[0]:
                self._row.popleft()[0]()

        return give


@dataclass(slots=True)
class ManagedDevice:
    """`notes` are what the last planning input had to assume, `beliefs` what it was made from."""

    section: DeviceSection
    profile: DeviceProfile
    model: DeviceModel
    wish: Wish
    notes: tuple[str, ...] = ()
    beliefs: tuple[str, ...] = ()
    why_less: str = ""
    info: DeviceInfo | None = None
    rejected: str = ""
    refusal_said_at: datetime | None = None
    stored_text: str = ""
    unsaved: dict[str, Reading] = field(default_factory=dict)
    said_unknown: set[str] = field(default_factory=set)
    answers: Answers = field(default_factory=Answers)
    requests: RequestBucket = field(default_factory=RequestBucket)
