"""Loads with windows over a day or two: what each kWh is for, and what is made good when."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.config.devices import DeviceSection
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Reading
from agent.energy.schedule import DeviceType, ScheduleSlot
from agent.energy.situation import Flexible, RateSpan, Situation
from agent.home.kinds import KINDS
from agent.home.model.device_model import DeviceModel
from agent.home.model.stored import restore, to_text
from agent.home.planning_input import PlanningContext, PlanningInput
from agent.home.requests import RequestContext, apply_request, read_request
from agent.home.windows import SiteLocation
from agent.home.wishes import Wish, expired
from agent.planning.make import make_rule_plan
from tests.fakes.device_models import schedule

ZONE = ZoneInfo("Europe/London")
EVENING = datetime(2026, 1, 15, 17, tzinfo=UTC)
STEP = timedelta(minutes=15)
# By the hour of the day: cheap at night, cheapest about 13:00.
PRICES = {2: 0.2, 3: 0.18, 4: 0.19, 5: 0.22, 12: 0.12, 13: 0.11, 17: 0.5, 18: 0.55, 19: 0.5}


def at(hour: float, day: int = 15) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC) + timedelta(hours=hour)


def section(**values: Any) -> DeviceSection:
    base = {"id": "x", "type": "heat_pump", "power_w": 2000}
    need = {"hours": 3, "window": {"start": "22:00", "end": "06:00"}}
    values = {**base, "needs": [need], **values}
    found: DeviceSection = KINDS[values["type"]].section.model_validate(values)
    return found


HEAT_PUMP = section()


def always(now: datetime) -> bool:
    return True


@dataclass
class Load:
    """A load that does as it is planned where `can_run`; `ran` is when it began to take power.

    `tells` its power, or nothing at all.
    """

    one: DeviceSection = HEAT_PUMP
    tells: bool = True
    can_run: Callable[[datetime], bool] = always
    away_until: datetime | None = None
    now: datetime = EVENING
    wish: Wish = field(default_factory=Wish)
    model: DeviceModel = field(init=False)
    wanted: PlanningInput = field(init=False)
    ran: list[tuple[datetime, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model = DeviceModel(self.one.id, KINDS[self.one.type].traits(self.one))
        self.model.told(replace(schedule(), device_type=DeviceType.SPACE_HEATING), self.now)

    def ask(self, body: str) -> None:
        kind = KINDS[self.one.type]
        self.model.advance(self.now)
        self.wish = apply_request(
            read_request(body.encode()),
            self.wish,
            RequestContext(
                "x",
                self.one.type,
                kind.wish_keys(self.one),
                self.now,
                ZONE,
                counter_kwh=self.model.meter.total_kwh,
            ),
        ).wish

    def restart(self) -> None:
        before = to_text(self.model)
        held = self.model.schedules.held
        self.model = DeviceModel(self.one.id, self.model.traits)
        restore(self.model, before)
        self.model.told(held, self.now)

    def go_on(self, until: datetime) -> "Load":
        while self.now < until:
            self._turn()
            self.now += STEP
        return self

    def _turn(self) -> None:
        kind, now = KINDS[self.one.type], self.now
        context = PlanningContext(now, SiteLocation(ZONE), self.away_until)
        kind.advance(self.one, self.model, self.wish, context)
        self.wish = expired(
            self.wish,
            now,
            plugged=True,
            session_over=False,
            full=False,
            owed=kind.owes(self.one, self.model, self.wish, context),
        )
        self.wanted = kind.planning_input(self.one, self.model, self.wish, context)
        power = self._planned_w() if self.can_run(now) else 0.0
        if self.tells:
            self.model.report(Reading("power_w", power, now), now)
        if power:
            self.ran.append((now, power))
        begin = to_unix_floor(now)
        slot = ScheduleSlot(begin, begin + 1800, "boost", int(power), Decimal(0), None, "cheapest")
        told = replace(
            schedule(), device_type=DeviceType.SPACE_HEATING, issued_at=begin, valid_from=begin
        )
        told = replace(told, valid_until=begin + 86_400, slots=(slot,) if power else ())
        self.model.told(told, now)

    def _planned_w(self) -> float:
        override = self.wanted.override
        if override is not None and self.now < override.until:
            return float(override.power_w)
        if self.wanted.device is None:
            return 0.0
        start = self.now.replace(minute=0)
        rates = tuple(
            RateSpan(
                to_unix_floor(start + timedelta(hours=i)),
                to_unix_floor(start + timedelta(hours=i + 1)),
                Decimal(str(PRICES.get((start.hour + i) % 24, 0.3))),
            )
            for i in range(30)
        )
        plan = make_rule_plan(
            Situation(
                now=to_unix_floor(self.now),
                timezone="UTC",
                currency="GBP",
                import_rates=rates,
                devices=(self.wanted.device,),
            )
        )
        [part] = plan.devices
        second = to_unix_floor(self.now)
        return max(
            (float(s.power_w) for s in part.slots if s.start <= second + 60 < s.end), default=0.0
        )

    def kwh(self, since: datetime, until: datetime) -> float:
        hours = STEP.total_seconds() / 3600
        return sum(power * hours / 1000 for when, power in self.ran if since <= when < until)


def test_what_a_window_has_missed_is_made_good_after_it() -> None:
    load = Load(can_run=lambda now: not at(20) <= now < at(5, 16)).go_on(at(22, 16))
    # An hour within the window, and it is not cut at its end.
    assert load.kwh(at(12), at(6, 16)) == pytest.approx(2, abs=0.6)
    assert load.kwh(at(6, 16), at(9, 16)) == pytest.approx(4, abs=0.7)
    assert load.kwh(at(9, 16), at(22, 16)) == 0


def test_a_window_that_was_missed_wholly_is_made_good_as_soon_as_it_may_run() -> None:
    load = Load(can_run=lambda now: not at(20) <= now < at(7, 16), tells=False)
    load.go_on(at(22, 16))
    assert load.kwh(at(6, 16), at(10.5, 16)) == pytest.approx(6, abs=0.6)
    assert load.kwh(at(12), at(22, 16)) == pytest.approx(6, abs=0.6)
    # The next night has its own.
    load.go_on(at(6, 17))
    assert load.kwh(at(22, 16), at(6, 17)) == pytest.approx(6, abs=0.6)


@pytest.mark.parametrize("until", ["05:00", "07:00"])
def test_after_a_pause_it_is_made_good_too(until: str) -> None:
    load = Load().go_on(at(21))
    load.ask(f'{{"mode":"pause","until":"{until}"}}')
    load.go_on(at(22, 16))
    assert load.kwh(at(21), at(5, 16)) == 0
    assert load.kwh(at(5, 16), at(11, 16)) == pytest.approx(6, abs=0.6)
    assert load.kwh(at(21), at(22, 16)) == pytest.approx(6, abs=0.6)


def test_a_pause_beyond_the_window_plans_what_it_misses_for_after_it() -> None:
    load = Load().go_on(at(21))
    load.ask('{"mode":"pause","until":"07:00"}')
    load.go_on(at(21) + STEP)
    assert isinstance(load.wanted.device, Flexible)
    assert load.wanted.device.demands[0].earliest == to_unix_floor(at(7, 16))


def test_it_is_made_good_until_the_next_window_of_the_same_need_begins() -> None:
    load = Load(can_run=lambda now: not at(20) <= now < at(21, 16)).go_on(at(6, 17))
    assert load.kwh(at(20), at(22, 16)) == pytest.approx(2, abs=0.6)
    assert load.kwh(at(22, 16), at(6, 17)) == pytest.approx(6, abs=0.6)


def test_over_a_restart_it_is_still_made_good() -> None:
    load = Load(can_run=lambda now: not at(20) <= now < at(5, 16)).go_on(at(7, 16))
    load.restart()
    load.go_on(at(22, 16))
    assert load.kwh(at(12), at(22, 16)) == pytest.approx(6, abs=0.5)


def test_of_nights_before_it_was_there_it_owes_nothing() -> None:
    load = Load(now=at(9)).go_on(at(14))
    assert load.ran == []


def test_what_is_not_to_be_late_is_not() -> None:
    need = {"hours": 3, "late": False, "window": {"start": "22:00", "end": "06:00"}}
    one = section(needs=[need])
    load = Load(one, can_run=lambda now: not at(20) <= now < at(5, 16)).go_on(at(22, 16))
    assert load.kwh(at(6, 16), at(22, 16)) == 0


def test_what_a_price_cap_has_it_miss_is_not_made_good_below_it() -> None:
    assert Load(section(price_cap=0.15)).go_on(at(22, 16)).ran == []


def test_what_is_late_leaves_the_next_window_of_another_need_its_own() -> None:
    needs = [
        {"hours": 2, "window": {"start": "20:00", "end": "22:00"}},
        {"hours": 3, "window": {"start": "22:00", "end": "02:00"}},
    ]
    load = Load(section(needs=needs), can_run=lambda now: not at(19) <= now < at(22))
    load.go_on(at(2, 16))
    key = "2026-01-15T22:00:00Z/1"
    assert load.model.progress[key] >= 5.4
    load.go_on(at(18, 16))
    assert load.kwh(at(22), at(18, 16)) == pytest.approx(10, abs=0.6)


def test_nights_that_nobody_was_there_for_are_not_made_good() -> None:
    load = Load(away_until=at(7, 16)).go_on(at(7, 16))
    load.away_until = None
    load.go_on(at(22, 16))
    assert load.ran == []


def test_a_block_that_has_begun_in_its_window_goes_on_after_it() -> None:
    need = {"hours": 3, "contiguous": True, "window": {"start": "22:00", "end": "06:00"}}
    load = Load(section(needs=[need]), can_run=lambda now: not at(20) <= now < at(5, 16))
    load.go_on(at(22, 16))
    assert load.kwh(at(5, 16), at(8.5, 16)) == pytest.approx(6, abs=0.6)


def test_the_missed_window_stays_open_in_the_books_while_it_is_made_good() -> None:
    load = Load(can_run=lambda now: not at(20) <= now < at(5, 16)).go_on(at(7, 16))
    [need] = load.wanted.needs
    assert need.deadline == at(6, 16)
    assert 0 < float(need.missing_kwh) < 4
    load.go_on(at(12, 16))
    assert load.wanted.needs == ()


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("hour", [18, 22.5, 27])
def test_more_once_is_on_top_of_the_night_whenever_it_is_asked(hour: float, tells: bool) -> None:
    load = Load(
        tells=tells,
    ).go_on(at(hour))
    load.ask('{"hours":1}')
    load.go_on(at(6, 16))
    assert load.kwh(at(12), at(6, 16)) >= 5.6
    load.go_on(at(18, 16))
    assert load.kwh(at(12), at(18, 16)) == pytest.approx(8, abs=0.6)


def test_more_once_by_the_morning_is_on_top_of_the_night() -> None:
    load = Load().go_on(at(18))
    load.ask('{"hours":1,"ready_by":"05:50"}')
    load.go_on(at(22, 16))
    assert load.kwh(at(18), at(6, 16)) == pytest.approx(8, abs=0.6)


def test_more_once_before_the_window_takes_nothing_from_it() -> None:
    load = Load().go_on(at(18))
    load.ask('{"hours":1,"ready_by":"19:30"}')
    load.go_on(at(22, 16))
    assert load.kwh(at(18), at(19.5)) == pytest.approx(2, abs=0.3)
    assert load.kwh(at(22), at(6, 16)) == pytest.approx(6, abs=0.3)


def test_asked_twice_it_is_as_asked_last_and_asked_again_when_it_came_it_comes_again() -> None:
    load = Load().go_on(at(18))
    load.ask('{"hours":1,"ready_by":"20:00"}')
    load.ask('{"hours":1,"ready_by":"20:00"}')
    load.go_on(at(20.5))
    assert load.kwh(at(18), at(20.5)) == pytest.approx(2, abs=0.3)
    load.ask('{"hours":1,"ready_by":"21:50"}')
    load.go_on(at(22))
    assert load.kwh(at(20.5), at(22)) == pytest.approx(2, abs=0.3)


def test_more_once_is_not_lost_over_a_restart() -> None:
    load = Load().go_on(at(18))
    load.ask('{"hours":1,"ready_by":"20:00"}')
    load.go_on(at(19.5))
    load.restart()
    load.go_on(at(22, 16))
    assert load.kwh(at(18), at(22)) == pytest.approx(2, abs=0.3)
    assert load.kwh(at(22), at(6, 16)) == pytest.approx(6, abs=0.3)


def test_more_once_that_found_no_room_comes_late() -> None:
    load = Load(can_run=lambda now: not at(18) <= now < at(20)).go_on(at(18))
    load.ask('{"hours":1,"ready_by":"19:30"}')
    load.go_on(at(20.5))
    assert load.wish.once.hours == 1
    load.go_on(at(22))
    assert load.kwh(at(20), at(21.2)) == pytest.approx(2, abs=0.3)
    assert load.wish.once.hours is None


def test_a_boost_serves_what_was_asked_once_and_each_of_its_kwh_only_that() -> None:
    load = Load().go_on(at(18))
    load.ask('{"mode":"boost","for_s":3600,"hours":1}')
    load.go_on(at(18) + STEP)
    # It is not planned once more while the boost brings it.
    assert all(d.earliest is not None for d in getattr(load.wanted.device, "demands", ()))
    load.go_on(at(22, 16))
    assert load.kwh(at(18), at(22)) == pytest.approx(2, abs=0.3)
    assert load.kwh(at(22), at(22, 16)) == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize(("power_w", "hours"), [(20, 2), (45, 1), (250, 1)])
def test_a_small_load_has_its_hours_too(power_w: int, hours: int) -> None:
    need = {"hours": hours, "window": {"start": "20:00", "end": "08:00"}}
    one = section(type="load", power_w=power_w, needs=[need])
    load = Load(one, tells=False).go_on(at(2.3, 16))
    # Stored in the middle of its time, and hundredths of a kWh are much of it.
    load.restart()
    load.go_on(at(12, 16))
    assert load.kwh(at(20), at(12, 16)) == pytest.approx(power_w * hours / 1000)
