"""A program from one start to the next, in every order of events.

The rules: it starts once what a person has loaded; once it has begun nothing tells it to run until
the next start; there are never two runs for one start.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agent.energy.instants import to_unix_floor
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.energy.schedule import DefaultCommand, DeviceType, OfflineRule, Schedule, ScheduleSlot
from agent.home.kinds import KINDS
from agent.home.kinds.program import ProgramAppliance
from agent.home.model import program_run
from agent.home.model.device_model import DeviceModel
from agent.home.planning_input import PlanningContext
from agent.home.windows import SiteLocation
from agent.home.wishes import Wish, expired
from tests.fakes.device_models import restarted

EVENING = datetime(2026, 1, 16, 18, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# An hour: heats, soaks, heats, dries.
PARTS = ((900, 2000), (900, 100), (900, 2000), (900, 100))
RUN_MINUTES, KWH = 60, 1.05
DISHES = ProgramAppliance.model_validate(
    {
        "id": "dw",
        "type": "program",
        "profile": [{"duration_s": seconds, "power_w": watts} for seconds, watts in PARTS],
    }
)
KIND = KINDS["program"]
HOME = SiteLocation(ZoneInfo("Europe/London"), 51.5, -0.1)


@dataclass
class Kitchen:
    """The model of a dishwasher, told and heard by the minute; all minutes count from EVENING."""

    model: DeviceModel = field(default_factory=lambda: DeviceModel("dw", KIND.traits(DISHES)))
    wish: Wish = field(default_factory=Wish)
    minute: float = 0.0
    ends: int = 0
    booked_kwh: float = 0.0

    @property
    def now(self) -> datetime:
        return EVENING + self.minute * MINUTE

    @property
    def loaded(self) -> bool:
        return self.wish.loaded_at is not None

    @property
    def runs(self) -> bool:
        return program_run.is_under_way(self.model, self.now)

    def start(self) -> bool:
        """A person asks for a start, as they may where it does not run. Was it taken?"""
        if self.runs:
            return False
        if self.model.session.started_at is not None:
            self.model.drop_run(self.now)
        self.wish = replace(self.wish, loaded_at=self.now)
        self.look()
        return True

    def hold(self, *slot: int) -> None:
        """It holds that run, as (first minute, last minute), or none."""
        self.model.told(_schedule(self.now, slot), self.now)
        self.look()

    def switch(self, on: bool) -> None:
        self.model.told_to_run_since = self.now if on else None
        self.look()

    def ack(self, status: AckStatus) -> None:
        self.model.acknowledge(Acknowledgement(1, status), self.now)
        self.look()

    def to(self, minute: float, **said: float | str) -> None:
        """Up to then it says that each minute; where it says nothing it is silent."""
        while self.minute < minute:
            self.minute = min(minute, self.minute + 1)
            for kind, value in said.items():
                self.model.report(Reading(kind, value, self.now), self.now)
            self.look()

    def look(self) -> None:
        ended, context = self.model.session.satisfied_at, PlanningContext(self.now, HOME, None)
        KIND.advance(DISHES, self.model, self.wish, context)
        self.ends += self.model.session.satisfied_at != ended
        over = KIND.session_over(DISHES, self.model, self.wish, context)
        self.wish = expired(self.wish, self.now, plugged=True, session_over=over, full=False)
        self.booked_kwh += sum(one.energy_kwh for one in self.model.pop_booked())

    def may_be_told_to_run(self) -> bool:
        """Would a schedule made now contain `run`?"""
        context = PlanningContext(self.now, HOME, None)
        asked = KIND.planning_input(DISHES, self.model, self.wish, context)
        return asked.device is not None and not asked.running

    def wash(self, *, minutes: int = RUN_MINUTES) -> None:
        """It tells the power of its profile, then that of a machine at rest."""
        begin = self.minute
        for minute in range(minutes):
            self.to(begin + minute + 1, power_w=_power(minute * 60))
        self.to(self.minute + 1, power_w=2.0)

    def restart(self) -> None:
        """A new life of the agent, to which nobody has said anything yet."""
        before, held = self.model, self.model.schedules.held
        self.model = restarted(before)
        self.model.schedules.followed_alone = held
        if held is not None:
            self.model.told(held, self.now)
        self.look()


def _power(second: int) -> float:
    for seconds, watts in PARTS:
        if second < seconds:
            return float(watts)
        second -= seconds
    return 2.0


def _schedule(now: datetime, slot: tuple[int, ...]) -> Schedule:
    begin, issued = to_unix_floor(EVENING), to_unix_floor(now)
    slots: tuple[ScheduleSlot, ...] = ()
    if slot:
        start, end = (begin + 60 * minute for minute in slot)
        start = min(start, issued - 300) if start <= issued else start
        slots = (ScheduleSlot(start, end, "run", 2000, Decimal(1), None, "cheapest"),)
    default, offline = DefaultCommand("idle", 0), OfflineRule(900, "idle", 0)
    return Schedule(
        "dw", DeviceType.PROGRAM, issued, issued, issued - 300, begin + 86_400, "EUR", slots,
        default=default, offline=offline,
    )  # fmt: skip


def loaded(*slot: int) -> Kitchen:
    """Loaded at minute 0, with that run planned."""
    kitchen = Kitchen()
    assert kitchen.start()
    kitchen.hold(*(slot or (60, 120)))
    return kitchen


def told(*, by_power: bool) -> Kitchen:
    """Just told to run, at minute 60."""
    kitchen = loaded()
    kitchen.to(60, **({"power_w": 2.0} if by_power else {}))
    kitchen.switch(True)
    return kitchen


def is_done(kitchen: Kitchen) -> None:
    """One run for one start, and nothing tells it to run again."""
    assert (kitchen.ends, kitchen.loaded, kitchen.runs) == (1, False, False)
    assert not kitchen.may_be_told_to_run()
    # The next start is the next run.
    assert kitchen.start()
    assert kitchen.may_be_told_to_run()
    kitchen.look()
    assert (kitchen.loaded, kitchen.runs) == (True, False)


def test_a_silent_one_runs_as_long_as_its_profile_says() -> None:
    kitchen = told(by_power=False)
    kitchen.to(119)
    assert kitchen.runs
    kitchen.to(121)
    kitchen.switch(False)
    assert kitchen.booked_kwh == pytest.approx(KWH, abs=0.01)
    is_done(kitchen)


@pytest.mark.parametrize("after", [0, 0.05, 1, 30, 59])
def test_a_start_while_a_silent_one_runs_changes_nothing(after: float) -> None:
    kitchen = told(by_power=False)
    kitchen.to(60 + after)
    assert not kitchen.start()
    kitchen.to(121)
    kitchen.switch(False)
    assert kitchen.booked_kwh == pytest.approx(KWH, abs=0.01)
    is_done(kitchen)


@pytest.mark.parametrize("after", [0, 1, 10, 20, 40, 59])
def test_a_start_while_one_that_tells_its_power_runs_changes_nothing(after: int) -> None:
    kitchen = told(by_power=True)
    for minute in range(RUN_MINUTES):
        if minute == after:
            assert not kitchen.start()
        kitchen.to(61 + minute, power_w=_power(minute * 60))
    assert not kitchen.may_be_told_to_run()
    kitchen.hold()
    kitchen.switch(False)
    kitchen.to(123, power_w=2.0)
    assert kitchen.booked_kwh == pytest.approx(KWH, abs=0.05)
    is_done(kitchen)


def test_a_start_for_one_that_is_loaded_already_is_one_start() -> None:
    kitchen = loaded()
    kitchen.to(10)
    assert kitchen.start()
    kitchen.to(60)
    kitchen.switch(True)
    kitchen.to(121)
    kitchen.switch(False)
    is_done(kitchen)


def test_a_start_taken_back_and_given_again_while_its_setpoint_says_run_begins_it() -> None:
    """No setpoint changes by that, and all the same it is one run that comes to its end."""
    kitchen = told(by_power=False)
    kitchen.to(60.1)
    kitchen.wish = replace(kitchen.wish, loaded_at=None)
    kitchen.model.drop_run(kitchen.now)
    assert kitchen.start()
    assert kitchen.runs
    kitchen.to(122)
    assert not kitchen.loaded
    assert not kitchen.may_be_told_to_run()


def test_a_start_for_one_that_was_told_in_vain_is_a_new_try() -> None:
    """Its door was open: it says so by its power, and a person presses start once more."""
    kitchen = told(by_power=True)
    kitchen.to(75, power_w=2.0)
    assert kitchen.start()
    kitchen.wash()
    kitchen.switch(False)
    is_done(kitchen)


def test_one_that_was_told_in_vain_is_told_again_when_its_time_is_over() -> None:
    """Its door was open; then somebody closes it."""
    kitchen = told(by_power=True)
    kitchen.to(122, power_w=2.0)
    assert (kitchen.loaded, kitchen.ends, kitchen.booked_kwh < 0.1) == (True, 0, True)
    assert kitchen.may_be_told_to_run()
    kitchen.switch(False)
    kitchen.to(200, power_w=2.0)
    kitchen.switch(True)
    kitchen.wash()
    kitchen.switch(False)
    is_done(kitchen)


def test_one_that_was_told_in_vain_is_given_up_when_it_was_to_be_ready() -> None:
    # At 07:00, which is minute 780.
    kitchen = told(by_power=True)
    kitchen.to(122, power_w=2.0)
    kitchen.switch(False)
    kitchen.hold(730, 790)
    kitchen.to(730, power_w=2.0)
    kitchen.switch(True)
    kitchen.to(785, power_w=2.0)
    assert kitchen.loaded
    kitchen.to(792, power_w=2.0)
    assert (kitchen.loaded, kitchen.runs, kitchen.booked_kwh < 0.2) == (False, False, True)
    assert kitchen.model.was_in_vain


@pytest.mark.parametrize("says", ["power", "mode", "ack"])
def test_one_that_is_started_at_the_machine_is_told_no_more(says: str) -> None:
    kitchen = loaded(600, 660)
    kitchen.to(30, power_w=2.0)
    if says == "mode":
        kitchen.to(31, mode="run")
    if says == "ack":
        kitchen.ack(AckStatus.STARTED)
    kitchen.to(32, power_w=2000.0)
    assert kitchen.runs
    assert not kitchen.may_be_told_to_run()
    assert not kitchen.start()
    kitchen.wash()
    kitchen.to(95, power_w=2.0, mode="idle")
    is_done(kitchen)


def test_a_run_that_nobody_asked_for_is_a_run_all_the_same() -> None:
    kitchen = Kitchen()
    kitchen.to(10, power_w=2.0)
    kitchen.to(12, power_w=2000.0)
    assert kitchen.runs
    assert not kitchen.start()
    kitchen.wash()
    assert (kitchen.runs, kitchen.loaded) == (False, False)
    assert kitchen.start()
    assert kitchen.may_be_told_to_run()


@pytest.mark.parametrize("watts", [12.0, 60.0, 300.0])
def test_a_lamp_or_a_pump_is_no_start(watts: float) -> None:
    kitchen = loaded(600, 660)
    kitchen.to(20, power_w=watts)
    assert not kitchen.runs
    assert kitchen.may_be_told_to_run()
    assert kitchen.start()


@pytest.mark.parametrize("rests", [5, 15, 25])
def test_a_soak_that_takes_nothing_ends_no_run(rests: int) -> None:
    kitchen = told(by_power=True)
    kitchen.to(70, power_w=2000.0)
    kitchen.switch(False)
    kitchen.to(70 + rests, power_w=0.0)
    assert kitchen.loaded
    assert not kitchen.may_be_told_to_run()
    assert not kitchen.model.problems(kitchen.now)
    kitchen.to(110, power_w=2000.0)
    assert (kitchen.ends, kitchen.runs) == (0, True)
    kitchen.to(122, power_w=0.0)
    is_done(kitchen)


def test_a_machine_that_takes_little_at_first_is_not_through() -> None:
    """It fills and circulates while its profile says that it heats."""
    kitchen = told(by_power=True)
    kitchen.to(75, power_w=60.0)
    assert kitchen.runs
    kitchen.wash(minutes=40)
    kitchen.to(121, power_w=2.0)
    kitchen.switch(False)
    is_done(kitchen)


def test_one_that_is_stopped_by_hand_may_be_loaded_anew() -> None:
    kitchen = told(by_power=True)
    kitchen.to(70, power_w=2000.0)
    kitchen.hold()
    kitchen.switch(False)
    kitchen.to(75, power_w=2.0)
    assert not kitchen.start()
    kitchen.to(82, power_w=2.0)
    assert kitchen.start()
    assert kitchen.may_be_told_to_run()
    kitchen.to(150, power_w=2.0)
    assert kitchen.loaded


def test_one_that_says_that_it_has_stopped_is_through() -> None:
    kitchen = told(by_power=False)
    kitchen.to(61, mode="run")
    kitchen.to(70, mode="run")
    kitchen.switch(False)
    kitchen.to(71, mode="idle")
    is_done(kitchen)


def test_a_machine_that_goes_on_beyond_its_profile_is_not_through() -> None:
    kitchen = told(by_power=True)
    kitchen.to(140, power_w=500.0)
    assert (kitchen.ends, kitchen.runs) == (0, True)
    assert not kitchen.start()
    kitchen.switch(False)
    kitchen.to(141, power_w=2.0)
    is_done(kitchen)


@pytest.mark.parametrize("said", [{"power_w": 500.0}, {"mode": "run"}])
def test_what_never_says_that_it_is_through_blocks_no_start_for_ever(
    said: dict[str, float | str],
) -> None:
    kitchen = told(by_power=True)
    kitchen.to(200, **said)
    kitchen.switch(False)
    is_done(kitchen)


@pytest.mark.parametrize("minute", [20, 75, 119])
@pytest.mark.parametrize("by_power", [True, False])
def test_a_run_outlives_a_restart_of_the_agent(minute: int, by_power: bool) -> None:
    kitchen = loaded()
    if minute < 60:
        kitchen.to(minute)
        kitchen.restart()
    kitchen.to(60)
    kitchen.switch(True)
    for at in range(60, 120):
        kitchen.to(at + 1, **({"power_w": _power(60 * (at - 60))} if by_power else {}))
        if at == minute:
            kitchen.restart()
    kitchen.to(122, **({"power_w": 2.0} if by_power else {}))
    assert kitchen.booked_kwh == pytest.approx(KWH, abs=0.05)
    is_done(kitchen)


@pytest.mark.parametrize("back_at", [61, 90, 119, 121, 300])
def test_what_it_was_told_while_the_agent_was_gone_it_has_done(back_at: int) -> None:
    kitchen = loaded()
    kitchen.to(50)
    kitchen.minute = back_at
    kitchen.restart()
    assert kitchen.runs is (back_at < 120)
    assert not kitchen.start() if back_at < 120 else not kitchen.loaded
    kitchen.to(max(back_at, 121))
    assert kitchen.booked_kwh == pytest.approx(KWH, abs=0.01)
    is_done(kitchen)


def test_one_that_holds_no_schedule_was_not_told_while_the_agent_was_gone() -> None:
    kitchen = loaded()
    kitchen.to(50)
    kitchen.minute = 90
    held = kitchen.model.schedules.held
    kitchen.model = restarted(kitchen.model)
    kitchen.model.told(held, kitchen.now)
    kitchen.look()
    assert (kitchen.runs, kitchen.loaded, kitchen.may_be_told_to_run()) == (False, True, True)
    assert kitchen.booked_kwh == 0


def test_what_the_broker_kept_of_a_run_that_is_over_begins_none() -> None:
    kitchen = told(by_power=False)
    kitchen.ack(AckStatus.STARTED)
    kitchen.to(121)
    kitchen.hold()
    kitchen.switch(False)
    kitchen.ack(AckStatus.STARTED)
    is_done(kitchen)


def test_a_mode_from_before_it_was_loaded_is_no_start() -> None:
    """The broker kept it, and nobody knows for how long."""
    kitchen = Kitchen()
    day_ago = EVENING - timedelta(days=1)
    kitchen.model.report(Reading("mode", "run", day_ago), kitchen.now, retained=True)
    kitchen.look()
    assert not kitchen.runs
    assert kitchen.start()
    kitchen.to(60)
    assert kitchen.loaded
    assert kitchen.may_be_told_to_run()


def test_a_machine_that_always_takes_something_is_seen_to_start() -> None:
    kitchen = Kitchen()
    kitchen.to(300, power_w=150.0)
    assert kitchen.start()
    kitchen.to(302, power_w=2000.0)
    assert (kitchen.runs, kitchen.loaded) == (True, True)


def test_a_clock_that_was_behind_at_the_start_changes_nothing_of_that() -> None:
    kitchen = loaded()
    kitchen.to(50)
    kitchen.minute = -300
    kitchen.restart()
    assert not kitchen.runs
    kitchen.minute = 150
    kitchen.look()
    is_done(kitchen)


def test_a_power_that_stands_at_nothing_ends_no_run() -> None:
    """It says itself that it has started; its plug says what it has always said."""
    kitchen = told(by_power=True)
    kitchen.ack(AckStatus.STARTED)
    kitchen.to(110, power_w=2.0)
    assert (kitchen.ends, kitchen.runs) == (0, True)
    kitchen.to(121, power_w=2.0)
    kitchen.switch(False)
    is_done(kitchen)
