"""The main job as one loop: what is known becomes a Situation, a plan, schedules, setpoints.

A turn is taken when something that matters has changed, and every few minutes; setpoints change on
the second. What is published goes through the outbox, so a lost broker does not stop the planning.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.clock import Clock, wait_for
from agent.clockmonitor import ClockMonitor
from agent.config import Config
from agent.contracts.plan import plan_document
from agent.contracts.situation import situation_document
from agent.contracts.text import wire_json
from agent.dispatch.device_store import DeviceStore
from agent.dispatch.devices import DeviceManager
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.event_queue import EventQueue
from agent.dispatch.ledger import Ledger
from agent.dispatch.schedules import schedule_for
from agent.energy.instants import from_unix, to_unix_ceil
from agent.energy.plan import Plan
from agent.energy.schedule import Schedule
from agent.energy.situation import ZERO, Situation
from agent.home.baseline import uncontrolled_cost
from agent.home.planning_input import PLANNED_AHEAD, SATISFIED_TOLERANCE_KWH, PlanningInput
from agent.home.situation import PriceForecast, build_situation
from agent.home.windows import SiteLocation
from agent.mqtt.topics import Topics
from agent.ports import OutgoingMessage

CYCLE_PERIOD = timedelta(minutes=5)
# After a switching the device is given this long to tell what it took.
REPORT_GRACE = timedelta(seconds=30)
# Energy of the last readings is booked at the prices that held then.
BOOKING_LOOKBACK = timedelta(minutes=30)
# Without any price the first plan waits this long for the first answer of the tariff source.
FIRST_PRICES_WITHIN_S = 10.0

MakePlan = Callable[[Situation], Awaitable[Plan]]
ForecastPrices = Callable[[datetime, datetime], PriceForecast | None]


@dataclass(slots=True)
class Controller:
    """`prices(from, until)` gives known rates and estimates, None before there are any."""

    config: Config
    clock: Clock
    guard: ClockMonitor
    prices: ForecastPrices
    make_plan: MakePlan
    devices: DeviceManager
    dispatcher: Dispatcher
    events: EventQueue
    device_store: DeviceStore
    ledger: Ledger
    place: Callable[[], SiteLocation]
    topics: Topics
    _plan: Plan | None = None
    _plan_published: bool = False
    _at_risk: dict[str, int] = field(default_factory=dict)
    _user_triggered: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _next_cycle: datetime | None = None
    _began: float = math.nan

    # --- what calls in: plain and quick ---------------------------------------------------------

    def wake(self) -> None:
        """Something has changed for every device (prices, the clock): plan again at once."""
        self._user_triggered |= set(self.devices)
        self._plan_again()

    def on_change(self, device: str, user_triggered: bool) -> None:
        if user_triggered:
            self._user_triggered.add(device)
        self._plan_again()

    def on_switch(self, device: str, is_on: bool) -> None:
        if is_on and self.devices.is_program(device):
            self.devices.tracker(device).begin(self.clock.now())
        if not is_on:
            # What comes next may look different once the device has told what it took.
            soon = self.clock.now() + REPORT_GRACE
            self._next_cycle = min(self._next_cycle or soon, soon)

    def on_queued(self) -> None:
        self._wake.set()

    def _plan_again(self) -> None:
        self._next_cycle = self.clock.now()
        self._wake.set()

    # --- the loop -------------------------------------------------------------------------------

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        loop.call_later(FIRST_PRICES_WITHIN_S, self.wake)
        # Schedules of an earlier life stand before their setpoints, whenever the broker comes.
        await self.events.flush()
        while True:
            self._wake.clear()
            now = self.clock.now()
            if self.guard.trusted:
                await self.dispatcher.publish_due_setpoints(now)
                if self._is_due(now):
                    await self._run_cycle(now)
            await self.events.flush()
            if not self._wake.is_set():
                await wait_for(self._wake, self.clock, self._next_moment())

    def _is_due(self, now: datetime) -> bool:
        room = self.dispatcher.increase_due_at
        return (
            self._next_cycle is None
            or now >= self._next_cycle
            or (room is not None and now >= room)
        )

    def _next_moment(self) -> datetime:
        if not self.guard.trusted or self._next_cycle is None:
            return self.clock.now() + CYCLE_PERIOD
        moments = [
            self._next_cycle,
            self.dispatcher.next_change(),
            self.dispatcher.increase_due_at,
        ]
        return min(moment for moment in moments if moment is not None)

    async def _run_cycle(self, now: datetime) -> None:
        place = self.place()
        anew, self._user_triggered = self._user_triggered, set()
        asked = {device: self.devices.ask(device, place, now) for device in self.devices}
        ready = [from_unix(item.goal.ready_by) for item in asked.values() if item.goal.ready_by]
        self._next_cycle = min([now + CYCLE_PERIOD, *(when for when in ready if when > now)])
        latest = [item.latest for item in asked.values() if item.latest is not None]
        prices = self.prices(now - BOOKING_LOOKBACK, max([now + PLANNED_AHEAD, *latest]))
        if prices is None or not prices.import_rates:
            if not self.dispatcher.holds_any and self._awaiting_first_prices():
                self._user_triggered |= anew
                return
            prices = prices or PriceForecast("", place.zone.key)
        self._book(asked, prices, now)
        situation = build_situation(self.config, prices, asked, self._plan, now)
        self._plan = plan = await self.make_plan(situation)
        issued = await self.dispatcher.issue(
            self._schedules(asked, plan, prices, now),
            {device: device in anew for device in asked},
            to_unix_ceil(now),
        )
        await self.dispatcher.publish_due_setpoints(self.clock.now())
        self._publish_plan(plan, situation, changed=bool(issued))
        self._watch(asked, plan)

    def _awaiting_first_prices(self) -> bool:
        return asyncio.get_running_loop().time() < self._began + FIRST_PRICES_WITHIN_S

    def _book(
        self, asked: Mapping[str, PlanningInput], prices: PriceForecast, now: datetime
    ) -> None:
        for device, item in asked.items():
            intervals = self.devices.tracker(device).pop_intervals()
            self.ledger.book(device, intervals, prices.import_rates)
            self.ledger.follow(device, item.needs, prices.import_rates, now)

    def _schedules(
        self, asked: Mapping[str, PlanningInput], plan: Plan, prices: PriceForecast, now: datetime
    ) -> dict[str, Schedule]:
        """What each device should hold by this plan; without those that a person has overridden.

        A new schedule would end the person's choice.
        """
        plans = {item.id: item for item in plan.devices}
        out = {}
        for device, item in asked.items():
            if self.devices.tracker(device).opted_out(now):
                continue
            profile = self.dispatcher.profiles[device]
            missing = item.goal.energy_kwh or ZERO
            out[device] = schedule_for(
                profile,
                item,
                plans.get(device),
                now=to_unix_ceil(now),
                horizon=plan.horizon,
                currency=plan.currency,
                baseline_cost=uncontrolled_cost(
                    missing, profile.max_power_w, now, prices.import_rates
                ),
            )
        return out

    def _publish_plan(self, plan: Plan, situation: Situation, *, changed: bool) -> None:
        """Publish and keep the plan behind a change; a plan that changes nothing is not news."""
        if not changed and self._plan_published:
            return
        self._plan_published = True
        text = wire_json(plan_document(plan))
        if changed:
            self.device_store.keep_plan(
                plan.made_at, wire_json(situation_document(situation)), text
            )
        self.events.put(OutgoingMessage(self.topics.plan, text))

    def _watch(self, asked: Mapping[str, PlanningInput], plan: Plan) -> None:
        for item in plan.devices:
            deadline = asked[item.id].goal.ready_by
            if item.shortfall_kwh < SATISFIED_TOLERANCE_KWH or deadline is None:
                self._at_risk.pop(item.id, None)
            elif self._at_risk.get(item.id) != deadline:
                self._at_risk[item.id] = deadline
                missing = f"{float(item.shortfall_kwh):.1f} kWh will be missing"
                self.events.event("deadline_at_risk", item.id, missing)
