"""A program's run: loaded by a person, told to run, running, through. Pure.

    empty --start--> loaded --told--> told to run --says so--> running --> empty
    empty or loaded --started at the machine--> running

* A start loads it; its run begins when it is told to run, or says that it runs: then nothing tells
  it to run until the next start. One that is loaded and told to run has begun, whatever happened
  to its wish meanwhile.
* What it was told while the agent was gone it has done, where it holds a schedule.
* One that tells nothing runs as it was told, for as long as its profile says. One that was told in
  vain is told again when that time is over, and given up at the time by which it was to be ready.
* Soaking takes no power: that ends a run when it has lasted, or with the profile's time. A machine
  that takes power beyond that time is not through yet.
* A person may load it anew when it has been at rest for a while, whatever is left of its profile.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.energy.instants import from_unix
from agent.energy.schedule import Schedule
from agent.home.model.commanded import CommandedSpan
from agent.home.model.following import LASTS, UNASKED_SHARE

if TYPE_CHECKING:
    from agent.home.model.device_model import DeviceModel

RUN = "run"
# At rest for so long in the middle of its time it is through: no soaking lasts longer.
THROUGH_AFTER = timedelta(minutes=30)
# A profile is an estimate, but no machine takes so many times as long.
LONGEST_SHARE = 2


def look(model: "DeviceModel", loaded_at: datetime | None, now: datetime) -> None:
    """Has its run begun? `loaded_at`: since when it waits for one; None: it is not loaded."""
    if model.session.started_at is None:
        began = _began_by_itself(model, loaded_at, now) or _told_at(model, loaded_at, now)
        began = began or followed_alone_since(model, model.schedules.held, now)
        if began is not None:
            model.begin_run(began, now)
    if not model.session.confirmed and _says_that_it_runs(model):
        model.confirm_run()


def carry_on(
    model: "DeviceModel",
    loaded_at: datetime | None,
    now: datetime,
    *,
    ready_by: datetime | None = None,
) -> None:
    """The model and its run up to now. Until `ready_by` one that does not begin is told again."""
    look(model, loaded_at, now)
    model.advance(now)
    if not _is_through(model, now):
        return
    model.was_in_vain = not model.session.confirmed and model.meter.drawn.takes_nothing
    if model.was_in_vain and loaded_at is not None and ready_by is not None and now < ready_by:
        model.drop_run(now)
        if model.told_to_run_since is not None:
            # What it is told from here on is the next try.
            model.told_to_run_since = now
    else:
        model.end_run(now)


def is_under_way(model: "DeviceModel", now: datetime) -> bool:
    """Does it run, as far as is known? Of one that tells nothing what it was told is known."""
    if model.session.started_at is None:
        return _began_by_itself(model, None, now) is not None
    if model.session.confirmed:
        return not model.session.has_rested(now, LASTS)
    return not model.operation.stalled(now)


def followed_alone_since(
    model: "DeviceModel", schedule: Schedule | None, now: datetime
) -> datetime | None:
    """When it was told to run by what it holds of an earlier life; None: it was not, or has run."""
    if schedule is None or schedule != model.schedules.followed_alone:
        return None
    for slot in schedule.slots:
        # The start of a slot under way is told five minutes early.
        at = from_unix(max(slot.start, schedule.issued_at))
        if slot.mode == RUN and at <= now and at < from_unix(slot.end) and _is_news(model, at):
            return at
    return None


def spans_from(parts: Sequence[tuple[int, int]], start: datetime) -> tuple[CommandedSpan, ...]:
    """What it takes when it begins then; `parts` are (seconds, W)."""
    out, at = [], start
    for duration_s, power_w in parts:
        end = at + timedelta(seconds=duration_s)
        out.append(CommandedSpan(at, end, float(power_w)))
        at = end
    return tuple(out)


def takes_more_than_standby(model: "DeviceModel", now: datetime) -> bool:
    """A plug tells a few watts of any machine at rest."""
    told = model.meter.drawn.told
    return told is not None and model.meter.drawn.reports(now) and told[0] > model.traits.standby_w


def _told_at(model: "DeviceModel", loaded_at: datetime | None, now: datetime) -> datetime | None:
    since, held = model.told_to_run_since, model.schedules.held
    if loaded_at is None or since is None or held is None or not _is_news(model, loaded_at):
        return None
    slot = held.slot_at(int(now.timestamp()))
    return max(since, loaded_at) if slot is not None and slot.mode == RUN else None


def _began_by_itself(
    model: "DeviceModel", loaded_at: datetime | None, now: datetime
) -> datetime | None:
    """Since when it says that it runs, if that is no run that has ended.

    A mode that was told before it was loaded, or that no run lasts for, says nothing. Its lamp, its
    pump or its display are no start, and what ran on has not begun anew.
    """
    by_mode = model.session.says_run_since
    if by_mode is not None and _is_news(model, by_mode):
        recent = now - by_mode < LONGEST_SHARE * _length(model)
        if recent and (loaded_at is None or by_mode >= loaded_at):
            return by_mode
    told, since = model.meter.drawn.told, model.switching.on_since
    if told is None or since is None or not model.meter.drawn.reports(now):
        return None
    if told[0] < UNASKED_SHARE * model.traits.max_power_w or not _is_news(model, since):
        return None
    # Whatever it took for longer than a run was none.
    return since if now - since < _length(model) else told[1]


def _is_news(model: "DeviceModel", at: datetime) -> bool:
    """Is that later than the end of the last run?"""
    ended = model.session.satisfied_at
    return ended is None or at > ended


def _length(model: "DeviceModel") -> timedelta:
    return timedelta(seconds=sum(seconds for seconds, _ in model.traits.run_parts))


def _says_that_it_runs(model: "DeviceModel") -> bool:
    session = model.session
    if session.started_at is None:
        return False
    if session.says_run_since is not None and _is_news(model, session.says_run_since):
        return True
    told = model.meter.drawn.told
    return told is not None and told[1] >= session.started_at and told[0] > model.traits.standby_w


def _is_through(model: "DeviceModel", now: datetime) -> bool:
    session, started = model.session, model.session.started_at
    if started is None:
        return False
    length, ran = _length(model), now - started
    if not session.confirmed:
        return ran >= length
    says_run = session.says_run_since is not None
    stopped = session.says_stopped_at
    if not says_run and stopped is not None and stopped > started:
        return True
    if ran < length:
        return not says_run and session.has_rested(now, THROUGH_AFTER)
    tells = model.meter.drawn.reports(now)
    goes_on = takes_more_than_standby(model, now) if tells else says_run
    return not goes_on or ran >= LONGEST_SHARE * length
