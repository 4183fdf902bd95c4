"""The main loop: what is known becomes a Situation, a plan, schedules, setpoints.

Two tasks side by side. One keeps setpoints on the second and what a person or the grid asks for
within it; the other plans, and however long that takes nothing waits for it: what is in force
stays in force. What is published goes through the outbox, so a lost broker stops neither.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agent.clock import Clock, wait_for
from agent.config import Config
from agent.contracts.plan import plan_document
from agent.contracts.situation.writing import situation_document
from agent.contracts.text import wire_json
from agent.contracts.topics import Topics
from agent.control.boosts import RENEWED_BEFORE_S
from agent.control.deadlines import DeadlineWatch
from agent.control.device_manager import DeviceManager
from agent.control.limit_control import LimitControl
from agent.control.plan_cycle import PlanCycle
from agent.control.plan_timing import CYCLE_PERIOD, PlanTiming
from agent.control.schedule_maker import ScheduleMaker, part_of
from agent.control.site import Site
from agent.control.situation_maker import SituationMaker
from agent.control.timed_planner import TimedPlanner
from agent.control.told_schedule import in_words_of
from agent.dispatch.dispatcher import Dispatcher, Wanted
from agent.dispatch.outbox import LARGE, Outbox
from agent.energy.instants import from_unix, to_unix_ceil, to_unix_floor
from agent.energy.plan import Plan
from agent.energy.profile import DeviceProfile
from agent.energy.rates import Direction, Rates, same_ahead
from agent.energy.situation import Situation
from agent.energy.view import Planned
from agent.home.joined_plans import joined_plan
from agent.home.planning_input import PLANNED_AHEAD, PlanningInput, with_assumptions
from agent.home.plans_in_force import PlansInForce
from agent.home.situation import PriceForecast
from agent.ports import OutgoingMessage
from agent.records.bookkeeper import Bookkeeper
from agent.records.device_store import DeviceStore
from agent.report.event_queue import EventQueue

log = logging.getLogger(__name__)

# After a switching the device is given this long to tell what it took.
REPORT_GRACE = timedelta(seconds=30)
# A run that has not brought what it should goes on without a gap where it is seen before its end.
LAST_LOOK = timedelta(seconds=10)
# What a person asked for goes on without a gap where it is given piece by piece.
RENEWED_BEFORE = timedelta(seconds=RENEWED_BEFORE_S)
# Without any price the first plan waits this long for the first answer of the tariff source.
FIRST_PRICES_WITHIN_S = 10.0
SITE = "site"
# Between two plans everything else has its turn, whatever asks for the next one.
BETWEEN_PLANS_S = 0.05


@dataclass(slots=True)
class Controller:
    """The main loop: `run()` plans and keeps setpoints.

    `clock_trusted()` says whether anything may be switched now; `on_turn(part)` hears that a task
    is alive. Where the planner was not in time and nothing is in force its fallback plans.
    """

    config: Config
    clock: Clock
    clock_trusted: Callable[[], bool]
    planner: TimedPlanner
    site: Site
    devices: DeviceManager
    dispatcher: Dispatcher
    outbox: Outbox
    events: EventQueue
    store: DeviceStore
    bookkeeper: Bookkeeper
    limits: LimitControl
    topics: Topics
    profiles: Mapping[str, DeviceProfile]
    on_turn: Callable[[str], None] = lambda part: None
    _plan: Plan | None = field(default=None, init=False)
    _in_force: PlansInForce = field(default_factory=PlansInForce, init=False)
    _rates: Mapping[Direction, Rates] | None = field(default=None, init=False)
    _prices: PriceForecast | None = field(default=None, init=False)
    _situation: Situation | None = field(default=None, init=False)
    _plan_published: bool = field(default=False, init=False)
    _deadlines: DeadlineWatch = field(init=False)
    _schedules: ScheduleMaker = field(init=False)
    _situations: SituationMaker = field(init=False)
    _user_triggered: set[str] = field(default_factory=set, init=False)
    # Whose request has no plan of the planner yet, only of its fallback.
    _still_asking: set[str] = field(default_factory=set, init=False)
    _urgent: set[str] = field(default_factory=set, init=False)
    _changed: set[str] = field(default_factory=set, init=False)
    _timing: PlanTiming = field(default_factory=PlanTiming, init=False)
    _plan_wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _serve_wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _began: float = field(default=math.nan, init=False)

    def __post_init__(self) -> None:
        self._deadlines = DeadlineWatch(self.events)
        self._schedules = ScheduleMaker(self.profiles, self.devices, self.site)
        self._situations = SituationMaker(self.config, self.profiles, self.site, self.limits)
        self.planner.on_late = self.plan_now

    # --- what calls in: plain and quick ---------------------------------------------------------

    def wake(self) -> None:
        """Something has changed for every device (prices, the clock): plan again at once."""
        self._user_triggered |= set(self.devices)
        self._plan_again(self.clock.now())

    def on_rates(self) -> None:
        """An answer of the tariff source, which may bring nothing new."""
        before, self._rates = self._rates, self.site.rates.current.value
        if before is None or not same_ahead(before, self._rates, self.clock.now()):
            self.wake()

    def on_change(self, device: str, user_triggered: bool) -> None:
        """A device said something that matters; one of them causes a plan every few seconds."""
        if user_triggered:
            self._user_triggered.add(device)
        self._changed.add(device)
        self._plan_again(self._due_after(device))

    def on_heard(self, device: str) -> None:
        """It said something: where it draws what it was not told, the others have less at once."""
        if self.clock_trusted() and self.limits.look([device], self.clock.now()):
            self._changed.add(device)
            self._plan_again(self._due_after(device))

    def on_site_change(self) -> None:
        """A limit, a forecast or an absence has changed; however often, that is one plan."""
        self._user_triggered |= set(self.devices)
        self._plan_again(self._due_after(SITE))

    def on_weather(self) -> None:
        """It is warmer or colder outdoors: one more measurement, that nobody asked about."""
        self._plan_again(self._due_after(SITE))

    def _due_after(self, who: str) -> datetime:
        return self._timing.due_after(who, self.clock.now())

    def on_request(self, device: str) -> None:
        """A person asked: what can be done at once is done at once, then it is planned."""
        self._user_triggered.add(device)
        self._urgent.add(device)
        self._changed.add(device)
        now = self.clock.now()
        if self.clock_trusted():
            self._apply_override_now(device, now)
        self._plan_again(now)

    def on_stricter_limit(self) -> None:
        """Less may be drawn: setpoints first, in one step, before anything is planned."""
        now = self.clock.now()
        if self.clock_trusted():
            self.limits.curtail(now)
        self._serve_wake.set()

    def plan_now(self) -> None:
        """What was waited for has come: headroom, an answer of the planner."""
        self._plan_again(self.clock.now())

    def on_switch(self, device: str, is_on: bool) -> None:
        model = self.devices.model(device)
        self.devices.on_switch(device, is_on)
        if is_on:
            model.following.try_again(self.clock.now())
        else:
            # What comes next may look different once the device has told what it took.
            self._timing.bring_forward(self.clock.now() + REPORT_GRACE)

    def take_back(self, device: str) -> None:
        """Its schedule is taken back; the next plan gives it anew."""
        self.dispatcher.withdraw(device)

    def _plan_again(self, when: datetime) -> None:
        self._timing.bring_forward(when)
        self._plan_wake.set()
        self._serve_wake.set()

    def planned(self, device: str) -> Planned:
        """What was told to the device and why, for people."""
        plan, risk = self._plan, self._deadlines.at_risk.get(device)
        held = self.dispatcher.holdings.held(device)
        if held is not None and plan is not None:
            held = in_words_of(held, plan, self._schedules.slots(device, plan, self._situation))
        return Planned(held, part_of(plan, device), risk)

    # --- the two tasks --------------------------------------------------------------------------

    async def run(self) -> None:
        """Never ends."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        loop.call_later(FIRST_PRICES_WITHIN_S, self.wake)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve(), name="setpoints")
            group.create_task(self._plan_for_ever(), name="planning")

    async def _serve(self) -> None:
        """Setpoints on the second, whatever the planner does."""
        while True:
            self._serve_wake.clear()
            now = self.clock.now()
            self.on_turn("setpoints")
            if self.clock_trusted():
                self.dispatcher.publish_due_setpoints(now)
                self.limits.record(now)
            self.store.queue.flush()
            moments = [
                now + CYCLE_PERIOD,
                self.dispatcher.next_change(),
                self.limits.next_record(now),
            ]
            moment = min(when for when in moments if when is not None)
            if moment <= now:
                # What was due has just been done: one that stays due must not stop everything.
                moment = now + timedelta(seconds=1)
            await wait_for(self._serve_wake, self.clock, moment)

    async def _plan_for_ever(self) -> None:
        while True:
            self._plan_wake.clear()
            now = self.clock.now()
            if self.planner.alive:
                self.on_turn("planning")
            if self.clock_trusted() and self._is_due(now):
                await self._run_cycle(now)
                # Whatever moves it to be due again at once, the others have their turn between.
                await self.clock.sleep(BETWEEN_PLANS_S)
            await wait_for(self._plan_wake, self.clock, self._next_moment())

    def _is_due(self, now: datetime) -> bool:
        moments = [self.dispatcher.increase_due_at, self.dispatcher.retry_at]
        due = any(when is not None and now >= when for when in moments)
        return due or self._timing.is_due(now)

    def _next_moment(self) -> datetime:
        now = self.clock.now()
        if not self.clock_trusted():
            return now + CYCLE_PERIOD
        moments = [
            self._timing.next_at or now + CYCLE_PERIOD,
            self.dispatcher.increase_due_at,
            self.dispatcher.retry_at,
        ]
        return max(now, min(moment for moment in moments if moment is not None))

    # --- one plan -------------------------------------------------------------------------------

    async def _run_cycle(self, now: datetime) -> None:
        cycle = self._gather(now)
        if cycle is None:
            return
        before = None
        if (first := self._situations.outside_group(cycle)) is not None:
            before = await self._plan_or_fallback(first)
            if before is None:
                return
            cycle = self._situations.inside_group(cycle, before)
        await self._plan_changed(cycle)
        plan = await self._plan_or_fallback(cycle)
        if plan is None:
            return
        if before is not None:
            plan = joined_plan(before, plan)
        plan = with_assumptions(plan, cycle.inputs)
        self._plan, self._situation = plan, cycle.situation
        for part in plan.devices:
            slots = ((slot.start, slot.end, slot.power_w, slot.cost) for slot in part.slots)
            self.bookkeeper.note_plan(part.id, slots)
        issued = self._issue(cycle, plan, self.clock.now())
        end = self.dispatcher.holdings.next_end(self.clock.now())
        if end is not None and end - LAST_LOOK > self.clock.now():
            self._timing.bring_forward(end - LAST_LOOK)
        self.dispatcher.publish_due_setpoints(self.clock.now())
        self._serve_wake.set()
        self._publish_plan(plan, cycle.situation, changed=bool(issued))
        stalled = {name for name in self.devices if self.devices.model(name).operation.stalled(now)}
        self._deadlines.look(cycle.inputs, plan, stalled)

    async def _plan_or_fallback(self, cycle: PlanCycle) -> Plan | None:
        plan = await self.planner.plan(cycle.situation)
        return plan if plan is not None else await self._without_planner(cycle)

    async def _plan_changed(self, cycle: PlanCycle) -> None:
        """Where no device touches another, one that has changed waits for nobody else's plan."""
        situation = cycle.situation
        if cycle.is_shared or all(one.id in cycle.changed for one in situation.devices):
            return
        inputs = {name: item for name, item in cycle.inputs.items() if name in cycle.changed}
        if not inputs:
            return
        devices = tuple(one for one in situation.devices if one.id in inputs)
        own = replace(cycle, inputs=inputs, situation=replace(situation, devices=devices))
        plan = await self.planner.plan(own.situation)
        if plan is not None:
            self._issue(own, with_assumptions(plan, inputs), self.clock.now())
            self.dispatcher.publish_due_setpoints(self.clock.now())
            # What was decided is on its way to the device before the processor is taken again.
            await self.clock.sleep(BETWEEN_PLANS_S)

    def _gather(self, now: datetime) -> PlanCycle | None:
        """What is known now, as a Situation; None while the first prices may still come."""
        self.devices.advance(now)
        self.site.power.look(now)
        self.limits.look(self.devices, now)
        inputs = {device: self.devices.planning_input(device, now) for device in self.devices}
        ready = [from_unix(item.goal.ready_by) for item in inputs.values() if item.goal.ready_by]
        self._timing.begin(now, ready)
        latest = [item.latest for item in inputs.values() if item.latest is not None]
        prices = self.site.prices(now, max([_whole_hour_after(now + PLANNED_AHEAD), *latest]))
        if prices is None or not prices.import_rates:
            if not self.dispatcher.holdings.any_held and self._awaiting_first_prices():
                return None
            prices = prices or PriceForecast("", self.site.location().zone.key)
        triggered = frozenset(self._user_triggered | self._still_asking)
        self._user_triggered, self._still_asking = set(), set()
        urgent, self._urgent = frozenset(self._urgent), set()
        changed, self._changed = frozenset(self._changed), set()
        inputs = self.limits.within(inputs, now)
        for device, item in inputs.items():
            self.devices.note_input(device, item, now)
            if item.override is not None and now < item.override.until - RENEWED_BEFORE:
                self._timing.bring_forward(item.override.until - RENEWED_BEFORE)
        self._prices = prices
        self._book(inputs, now, asked_anew=urgent)
        held = self.dispatcher.holdings.schedules()
        previous = self._in_force.of(held, self._plan, to_unix_floor(now))
        situation = self._situations.of_all(inputs, prices, previous, now, triggered)
        return PlanCycle(now, inputs, prices, situation, triggered, urgent, changed)

    async def _without_planner(self, cycle: PlanCycle) -> Plan | None:
        """Nothing where a plan is in force for everybody who asks, else the rule's."""
        self._still_asking |= cycle.user_triggered
        self._urgent |= cycle.urgent
        asking = {name for name, item in cycle.inputs.items() if item.device is not None}
        served = {name for name in asking if self.dispatcher.holdings.held(name) is not None}
        if asking <= served and not cycle.user_triggered:
            return None
        return await self.planner.fallback(cycle.situation)

    def _awaiting_first_prices(self) -> bool:
        return asyncio.get_running_loop().time() < self._began + FIRST_PRICES_WITHIN_S

    def _book(
        self, inputs: Mapping[str, PlanningInput], now: datetime, *, asked_anew: Collection[str]
    ) -> None:
        for device, item in inputs.items():
            self.bookkeeper.open_demands(device, item.needs, now)
            self.devices.book(device, now)
            self.bookkeeper.settle(device, item.needs, now, asked_anew=device in asked_anew)

    # --- schedules ------------------------------------------------------------------------------

    def _issue(self, cycle: PlanCycle, plan: Plan, now: datetime) -> list[str]:
        """Publish what each device should hold by this plan, where that is something new."""
        wanted = self._schedules.wanted(
            cycle,
            plan,
            now,
            # What was done at once for those who asked while this was planned stands till the next.
            asked_anew=self._user_triggered,
            waiting=self.dispatcher.waiting_for_headroom,
        )
        issued = self.dispatcher.issue(
            wanted,
            to_unix_ceil(now),
            self.limits.headroom(now),
            self.limits.beside(),
            self.limits.group(now),
        )
        self.limits.say_who_waits()
        # What a person asked for is still urgent when the others have made room.
        self._urgent |= cycle.urgent & self.dispatcher.waiting_for_headroom
        return issued

    def _apply_override_now(self, device: str, now: datetime) -> None:
        """A boost, a pause or their end by the plan in force: the planner is not waited for."""
        inputs = {name: self.devices.planning_input(name, now) for name in self.devices}
        item = self.limits.within(inputs, now)[device]
        self.devices.note_input(device, item, now)
        held = self.dispatcher.holdings.held(device)
        if held is None and item.override is None:
            return
        if self._plan is None and item.override is None:
            return
        schedule = self._schedules.schedule(
            device, item, self._plan, self._situation, self._prices, now
        )
        wanted = {device: Wanted(schedule, urgent=True)}
        headroom, beside = self.limits.headroom(now), self.limits.beside()
        group = self.limits.group(now)
        if self.dispatcher.issue(wanted, to_unix_ceil(now), headroom, beside, group):
            self.dispatcher.publish_due_setpoints(now)
        self.limits.say_who_waits()
        self._serve_wake.set()

    def _publish_plan(self, plan: Plan, situation: Situation, *, changed: bool) -> None:
        """Publish and keep the plan behind a change; a plan that changes nothing is not news."""
        if not changed and self._plan_published:
            return
        self._plan_published = True
        text = wire_json(plan_document(plan))
        if changed:
            self.store.keep_plan(plan.made_at, wire_json(situation_document(situation)), text)
        self.outbox.set(LARGE, OutgoingMessage(self.topics.plan, text))


def _whole_hour_after(when: datetime) -> datetime:
    """The end of its hour: a horizon that moved on with every plan would leave crumbs behind, runs
    of minutes at what was the end once and is held against each plan that follows."""
    return when.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
