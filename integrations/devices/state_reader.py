"""What comes on the topic `state`, message by message."""

from agent.contracts.state import ReadState
from agent.energy.readings import Reading
from agent.ports import Decoded, Message, UnknownKeys, UntimedReading

ERROR = "error"


class StateReader:
    """One device's `state`.

    An error that is left out is over. But devices tell their state in pieces too, and a piece that
    never has it says nothing of it: so it is over with the first message that tells all that was
    told beside it, and with what the broker kept where that has none (`alone`: what comes here is
    all that the device tells).
    """

    def __init__(self, *, alone: bool = True) -> None:
        self._alone = alone
        # None: it has no error. An error that came alone is ended alone.
        self._beside_error: frozenset[str] | None = None
        self._heard = False

    def read(self, message: Message) -> list[Decoded]:
        """Raises Malformed."""
        state = ReadState(message.payload, message.topic)
        out: list[Decoded] = list(state.unreadable)
        misdated = any(item.kind == "at" for item in state.unreadable)
        values = state.values | dict.fromkeys(state.cleared, "")
        kept = self._alone and message.retain and not self._heard
        is_over = self._leaves_error_out(state, kept=kept)
        if is_over:
            values[ERROR] = ""
        self._heard = True
        for kind, value in values.items():
            if state.at is None:
                # However long the broker has kept it: no later state has the error.
                current = is_over and kind == ERROR
                out.append(UntimedReading(kind, value, current=current, misdated=misdated))
            else:
                out.append(Reading(kind, value, state.at))
        if state.unknown:
            out.append(UnknownKeys(state.unknown))
        return out

    def _leaves_error_out(self, state: ReadState, *, kept: bool) -> bool:
        told = {*state.values, *state.cleared, *(item.kind for item in state.unreadable)}
        if ERROR in told:
            beside = frozenset(told - {ERROR, "at"})
            self._beside_error = beside if state.values.get(ERROR) else None
            return False
        beside_error = self._beside_error
        if kept or (beside_error and beside_error <= told):
            self._beside_error = None
            return True
        return False
