"""The wall clock jumped: what was heard before it was heard at other times than noted. Pure.

Time itself has gone on as ever, so every instant that was noted in this life by the wrong clock
moves with it, and so does what was reckoned from such an instant: when something is tried again,
and the end of a wish that was given as a length; one given as a clock time stays that clock time.
What earlier lives have stored, and what else lies ahead, was never read off that clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from agent.energy.localtime import next_local_instant
from agent.home.model.commanded import Commanded
from agent.home.model.device_model import DeviceModel
from agent.home.model.following import Retries
from agent.home.model.held import HeldSchedules
from agent.home.wishes import COMFORT_END, MODE_END, ONCE_END, READY_BY, Wish

# The device follows what it was told by its own clock, which has not jumped.
KEPT = (Commanded, HeldSchedules, Retries)


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A clock that this life began by at `since` showed `until`, and then at once `by` more."""

    since: datetime
    until: datetime
    by: timedelta

    def moved(self, when: datetime) -> datetime:
        """What lay behind and is in the future now was reckoned by the wrong clock all the same."""
        by_this_clock = when >= self.since or when > self.until + self.by
        return when + self.by if by_this_clock and when <= self.until else when


def move_with_clock(model: DeviceModel, jump: ClockJump) -> None:
    """Everything that the device has been seen to do; a boost is given anew, an hour ahead."""
    _moved(model, jump.moved, set())
    model.boost_until = None
    for retries in (model.following.retries, model.following.refusals):
        if retries.retry_at is not None:
            retries.retry_at += jump.by


def moved_wish(wish: Wish, jump: ClockJump, zone: ZoneInfo) -> Wish:
    """The wish with the ends that it would have, had the clock always been right."""

    def end(key: str, when: datetime | None) -> datetime | None:
        how = wish.reckoned.get(key)
        if when is None or how is None or (since := jump.moved(how.since)) == how.since:
            return when
        if how.clock is None:
            return when + jump.by
        return next_local_instant(since, how.clock, zone)

    once = wish.once
    return replace(
        wish,
        mode=replace(wish.mode, until=end(MODE_END, wish.mode.until)),
        once=replace(
            once,
            ready_by=end(READY_BY, once.ready_by),
            comfort_until=end(COMFORT_END, once.comfort_until),
        ),
        once_until=end(ONCE_END, wish.once_until),
        loaded_at=None if wish.loaded_at is None else jump.moved(wish.loaded_at),
        asked_at=None if wish.asked_at is None else jump.moved(wish.asked_at),
        reckoned={
            key: replace(how, since=jump.moved(how.since)) for key, how in wish.reckoned.items()
        },
    )


def _moved(value: object, move: Callable[[datetime], datetime], seen: set[int]) -> object:
    """The value itself where nothing in it moves; what can be changed is changed in place.

    `seen` are the parts that have moved (their ids): what two of them share moves once.
    """
    if isinstance(value, datetime):
        return move(value)
    if isinstance(value, KEPT):
        return value
    if isinstance(value, tuple):
        items = tuple(_moved(item, move, seen) for item in value)
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    if id(value) in seen:
        return value
    if _can_change(value):
        seen.add(id(value))
    if isinstance(value, list):
        value[:] = [_moved(item, move, seen) for item in value]
    elif isinstance(value, dict):
        value.update({key: _moved(item, move, seen) for key, item in value.items()})
    elif is_dataclass(value) and not isinstance(value, type):
        return _moved_parts(value, move, seen)
    return value


def _can_change(value: object) -> bool:
    """What cannot is made anew wherever it stands."""
    parameters = getattr(value, "__dataclass_params__", None)
    return isinstance(value, list | dict) or (parameters is not None and not parameters.frozen)


def _moved_parts(value: Any, move: Callable[[datetime], datetime], seen: set[int]) -> object:
    parts = {item.name: getattr(value, item.name) for item in fields(value)}
    moved = {name: _moved(part, move, seen) for name, part in parts.items()}
    changed = {name: new for name, new in moved.items() if new is not parts[name]}
    if changed and value.__dataclass_params__.frozen:
        return replace(value, **changed)
    for name, new in changed.items():
        setattr(value, name, new)
    return value
