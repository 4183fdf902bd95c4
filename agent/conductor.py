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
from agent.clockguard import ClockGuard
from agent.config import Config
from agent.contracts.plan import plan_document
from agent.contracts.situation import situation_document
from agent.contracts.text import wire_json
from agent.dispatch.devices import Devices
from agent.dispatch.dispatcher import Dispatcher
from agent.dispatch.journal import Journal
from agent.dispatch.ledger import Ledger
from agent.dispatch.notices import Notices
from agent.dispatch.schedules import schedule_for
from agent.energy.instants import from_unix, to_unix_ceil
from agent.energy.plan import Plan
from agent.energy.schedule import Schedule
from agent.energy.situation import ZERO, Situation
from agent.home.asked import MET_KWH, PLANNED_AHEAD, Asked
from agent.home.baseline import cost_at_once
from agent.home.situation import Prices, build_situation
from agent.home.windows import Place
from agent.mqtt.topics import Topics
from agent.ports import OutMessage

TURN_EVERY = timedelta(minutes=5)
# After a switching the device is given this long to tell what it took.
TOLD_WITHIN = timedelta(seconds=30)
# Energy of the last readings is booked at the prices that held then.
BOOKED_BACK = timedelta(minutes=30)
# Without any price the first plan waits this long for the first answer of the tariff source.
FIRST_PRICES_WITHIN_S = 10.0

MakePlan = Callable[[Situation], Awaitable[Plan]]
PriceBook = Callable[[datetime, datetime], Prices | None]


@dataclass(slots=True)
class Conductor:
    """`prices(from, until)` gives known rates and estimates, None before there are any."""

    config: Config
    clock: Clock
    guard: ClockGuard
    prices: PriceBook
    make_plan: MakePlan
    devices: Devices
    dispatcher: Dispatcher
    notices: Notices
    journal: Journal
    ledger: Ledger
    place: Callable[[], Place]
    topics: Topics
    _plan: Plan | None = None
    _plan_shown: bool = False
    _at_risk: dict[str, int] = field(default_factory=dict)
    _asked_anew: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _next_turn: datetime | None = None
    _began: float = math.nan

    # --- what calls in: plain and quick ---------------------------------------------------------

    def wake(self) -> None:
        """Something has changed for every device (prices, the clock): plan again at once."""
        self._asked_anew |= set(self.devices)
        self._plan_again()

    def on_change(self, device: str, asked_anew: bool) -> None:
        if asked_anew:
            self._asked_anew.add(device)
        self._plan_again()

    def on_switch(self, device: str, is_on: bool) -> None:
        if is_on and self.devices.is_program(device):
            self.devices.tracker(device).begin(self.clock.now())
        if not is_on:
            # What comes next may look different once the device has told what it took.
            soon = self.clock.now() + TOLD_WITHIN
            self._next_turn = min(self._next_turn or soon, soon)

    def on_notice(self) -> None:
        self._wake.set()

    def _plan_again(self) -> None:
        self._next_turn = self.clock.now()
        self._wake.set()

    # --- the loop -------------------------------------------------------------------------------

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        loop.call_later(FIRST_PRICES_WITHIN_S, self.wake)
        # Schedules of an earlier life stand before their setpoints, whenever the broker comes.
        await self.notices.say()
        while True:
            self._wake.clear()
            now = self.clock.now()
            if self.guard.sane:
                await self.dispatcher.move_setpoints(now)
                if self._is_due(now):
                    await self._turn(now)
            await self.notices.say()
            if not self._wake.is_set():
                await wait_for(self._wake, self.clock, self._next_moment())

    def _is_due(self, now: datetime) -> bool:
        room = self.dispatcher.room_wanted_until
        return (
            self._next_turn is None or now >= self._next_turn or (room is not None and now >= room)
        )

    def _next_moment(self) -> datetime:
        if not self.guard.sane or self._next_turn is None:
            return self.clock.now() + TURN_EVERY
        moments = [
            self._next_turn,
            self.dispatcher.next_change(),
            self.dispatcher.room_wanted_until,
        ]
        return min(moment for moment in moments if moment is not None)

    async def _turn(self, now: datetime) -> None:
        place = self.place()
        anew, self._asked_anew = self._asked_anew, set()
        asked = {device: self.devices.ask(device, place, now) for device in self.devices}
        ready = [from_unix(item.goal.ready_by) for item in asked.values() if item.goal.ready_by]
        self._next_turn = min([now + TURN_EVERY, *(when for when in ready if when > now)])
        latest = [item.latest for item in asked.values() if item.latest is not None]
        prices = self.prices(now - BOOKED_BACK, max([now + PLANNED_AHEAD, *latest]))
        if prices is None or not prices.import_rates:
            if not self.dispatcher.holds_any and self._still_waiting():
                self._asked_anew |= anew
                return
            prices = prices or Prices("", place.zone.key)
        self._book(asked, prices, now)
        situation = build_situation(self.config, prices, asked, self._plan, now)
        self._plan = plan = await self.make_plan(situation)
        issued = await self.dispatcher.issue(
            self._schedules(asked, plan, prices, now),
            {device: device in anew for device in asked},
            to_unix_ceil(now),
        )
        await self.dispatcher.move_setpoints(self.clock.now())
        self._show_plan(plan, situation, changed=bool(issued))
        self._watch(asked, plan)

    def _still_waiting(self) -> bool:
        return asyncio.get_running_loop().time() < self._began + FIRST_PRICES_WITHIN_S

    def _book(self, asked: Mapping[str, Asked], prices: Prices, now: datetime) -> None:
        for device, item in asked.items():
            takings = self.devices.tracker(device).drain()
            self.ledger.book(device, takings, prices.import_rates)
            self.ledger.follow(device, item.needs, prices.import_rates, now)

    def _schedules(
        self, asked: Mapping[str, Asked], plan: Plan, prices: Prices, now: datetime
    ) -> dict[str, Schedule]:
        """What each device should hold by this plan; without those that a person has overridden.

        A new schedule would end the person's choice.
        """
        plans = {item.id: item for item in plan.devices}
        out = {}
        for device, item in asked.items():
            if self.devices.tracker(device).opted_out(now):
                continue
            nature = self.dispatcher.natures[device]
            missing = item.goal.energy_kwh or ZERO
            out[device] = schedule_for(
                nature,
                item,
                plans.get(device),
                now=to_unix_ceil(now),
                horizon=plan.horizon,
                currency=plan.currency,
                baseline_cost=cost_at_once(missing, nature.max_power_w, now, prices.import_rates),
            )
        return out

    def _show_plan(self, plan: Plan, situation: Situation, *, changed: bool) -> None:
        """Publish and keep the plan behind a change; a plan that changes nothing is not news."""
        if not changed and self._plan_shown:
            return
        self._plan_shown = True
        text = wire_json(plan_document(plan))
        if changed:
            self.journal.keep_plan(plan.made_at, wire_json(situation_document(situation)), text)
        self.notices.put(OutMessage(self.topics.plan, text))

    def _watch(self, asked: Mapping[str, Asked], plan: Plan) -> None:
        for item in plan.devices:
            deadline = asked[item.id].goal.ready_by
            if item.shortfall_kwh < MET_KWH or deadline is None:
                self._at_risk.pop(item.id, None)
            elif self._at_risk.get(item.id) != deadline:
                self._at_risk[item.id] = deadline
                missing = f"{float(item.shortfall_kwh):.1f} kWh will be missing"
                self.notices.event("deadline_at_risk", item.id, missing)
