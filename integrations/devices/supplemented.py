"""A device of which others tell something too: Home Assistant's entities, or a program on `state`.

A charger seldom knows what the car holds, a relay not what its boiler's temperature is.
"""

from collections.abc import Sequence

from agent.energy.readings import Reading
from agent.energy.schedule import Schedule, Setpoint
from agent.errors import Malformed
from agent.ports import Decoded, DeviceAdapter, Message, OutgoingMessage, UntimedReading
from integrations.devices.entities import EntityReader
from integrations.devices.native import MAX_BYTES
from integrations.devices.state_reader import StateReader

SOC, PLUGGED = "soc_percent", "plugged"


class SupplementedDevice:
    """`adapter` with what `reader` reads besides, and with what comes on the topic `state`.

    The state of an entity holds until another is told, so at the plug-in the state of charge that
    Home Assistant knows is the one that the car comes with.
    """

    def __init__(self, adapter: DeviceAdapter, reader: EntityReader, state_topic: str) -> None:
        self._adapter, self._reader, self._state_topic = adapter, reader, state_topic
        self._own = frozenset(adapter.subscriptions)
        self._state = StateReader(alone=False)
        self._plugged: bool | None = None

    @property
    def acknowledges(self) -> bool:
        return self._adapter.acknowledges

    @property
    def holds_schedule(self) -> bool:
        return self._adapter.holds_schedule

    @property
    def refresh_s(self) -> int | None:
        return self._adapter.refresh_s

    @property
    def keeps_run(self) -> bool:
        return self._adapter.keeps_run

    @property
    def subscriptions(self) -> Sequence[str]:
        topics = [*self._adapter.subscriptions, self._state_topic, *self._reader.subscriptions]
        return tuple(dict.fromkeys(topics))

    def decode(self, message: Message) -> Sequence[Decoded]:
        out: list[Decoded] = []
        if message.topic in self._own:
            out += self._adapter.decode(message)
        elif message.topic == self._state_topic:
            if len(message.payload) > MAX_BYTES:
                raise Malformed(f"{message.topic}: at most {MAX_BYTES} bytes are read")
            out += self._state.read(message)
        out += self._reader.decode(message)
        before = self._plugged
        if self._plugs_in(out) and not message.retain:
            # After a start nobody knows for how long the car has been here.
            soc = self._reader.value_of(SOC, seen_changing=before is None)
            if soc is not None and not any(_kind(item) == SOC for item in out):
                out.append(UntimedReading(SOC, soc, current=True))
        return out

    def _plugs_in(self, items: Sequence[Decoded]) -> bool:
        before = self._plugged
        for item in items:
            if isinstance(item, Reading | UntimedReading) and item.kind == PLUGGED:
                self._plugged = bool(item.value)
        return before is not True and self._plugged is True

    def fit(self, schedule: Schedule) -> Schedule:
        return self._adapter.fit(schedule)

    def encode_schedule(self, schedule: Schedule) -> Sequence[OutgoingMessage]:
        return self._adapter.encode_schedule(schedule)

    def encode_setpoint(
        self, setpoint: Setpoint, *, repeated: bool = False
    ) -> Sequence[OutgoingMessage]:
        return self._adapter.encode_setpoint(setpoint, repeated=repeated)

    def lasts_s(self, setpoint: Setpoint) -> int | None:
        return self._adapter.lasts_s(setpoint)

    def queries(self) -> Sequence[OutgoingMessage]:
        return self._adapter.queries()

    @property
    def harmless(self) -> str | None:
        return self._adapter.harmless

    def withdraw(self) -> Sequence[OutgoingMessage]:
        return self._adapter.withdraw()


def _kind(item: Decoded) -> str:
    return item.kind if isinstance(item, Reading | UntimedReading) else ""
