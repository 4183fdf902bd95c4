"""The main job as one loop: what is known becomes a Situation, a plan, schedules, setpoints.

A turn is taken when something that matters has changed, and every few minutes; setpoints change on
the second. What is published goes through the outbox, so a lost broker does not stop the planning.
"""

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.clock import Clock, wait_for
from agent.clockguard import ClockGuard
from agent.config import Config
from agent.config.devices import DeviceSection, ProgramAppliance, Switched
from agent.contracts.plan import plan_document
from agent.contracts.situation import situation_document
from agent.contracts.text import wire_json
from agent.dispatch.bulletin import event_document, wish_document
from agent.dispatch.journal import Journal
from agent.dispatch.ledger import Ledger
from agent.dispatch.outbox import Outbox
from agent.dispatch.schedules import (
    Nature,
    is_due,
    nature_of,
    next_revision,
    schedule_for,
    setpoint_at,
)
from agent.energy.instants import from_unix, to_unix_ceil, to_unix_floor
from agent.energy.plan import DevicePlan, Plan
from agent.energy.readings import Acknowledgement, AckStatus, Reading
from agent.energy.schedule import Schedule, Setpoint
from agent.energy.situation import ZERO, Situation
from agent.errors import Refused
from agent.health import Health
from agent.home.baseline import cost_at_once
from agent.home.demands import MET_KWH, PLANNED_AHEAD, Asked, ask, current_window
from agent.home.situation import Prices, build_situation
from agent.home.tracker import STORED, Tracker
from agent.home.windows import Place
from agent.home.wishes import Wish, apply_request, expired, from_text, read_request, to_text
from agent.mqtt.topics import Topics
from agent.ports import DeviceAdapter, OutMessage, Undated

log = logging.getLogger(__name__)

TURN_EVERY = timedelta(minutes=5)
TOLD_WITHIN = timedelta(seconds=30)
# Without any price the first plan waits this long for the first answer of the tariff source.
FIRST_PRICES_WITHIN_S = 10.0
# Energy of the last readings is booked at the prices that held then.
BOOKED_BACK = timedelta(minutes=30)
STATE_KEPT_EVERY = timedelta(minutes=15)
SILENT_AFTER = timedelta(hours=24)
# Anybody may acknowledge anything; a number at the end of the 32 bits would leave us none.
HIGHEST_BELIEVED = 2**32 - 1_000_000
# What json.loads and a look into its result may raise; deep nesting is a RecursionError.
UNREADABLE = (ValueError, AttributeError, RecursionError)

MakePlan = Callable[[Situation], Awaitable[Plan]]
PriceBook = Callable[[datetime, datetime], Prices | None]


class Conductor:
    """Holds the state of every device; the inbox calls in, `run` does the rest.

    `prices(now, until)` gives known rates and estimates, None before there are any.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock,
        guard: ClockGuard,
        prices: PriceBook,
        make_plan: MakePlan,
        outbox: Outbox,
        journal: Journal,
        adapters: Mapping[str, DeviceAdapter],
        health: Health,
        place: Callable[[], Place],
        retire: Callable[[str], list[OutMessage]],
        on_refresh_wanted: Callable[[], None],
        on_heard_after_silence: Callable[[], None],
        ledger: Ledger,
    ) -> None:
        self._config = config
        self._clock = clock
        self._guard = guard
        self._prices = prices
        self._make_plan = make_plan
        self._outbox = outbox
        self._journal = journal
        self._adapters = adapters
        self._health = health
        self._place = place
        self._retire = retire
        self._on_refresh_wanted = on_refresh_wanted
        self._on_heard_after_silence = on_heard_after_silence
        self._ledger = ledger
        self._topics = Topics(config.base_topic)
        self._sections: dict[str, DeviceSection] = {item.id: item for item in config.devices}
        self._natures: dict[str, Nature] = {item.id: nature_of(item) for item in config.devices}
        self._trackers: dict[str, Tracker] = {}
        self._wishes: dict[str, Wish] = {}
        self._held: dict[str, Schedule] = {}
        self._setpoints: dict[str, Setpoint] = {}
        self._seen_revision: dict[str, int] = {}
        self._plan: Plan | None = None
        self._plan_shown = False
        self._kept_state: dict[str, tuple[str, datetime]] = {}
        self._at_risk: dict[str, int] = {}
        self._asked_anew: set[str] = set(self._sections)
        self._unanswered: dict[str, set[int]] = {item.id: set() for item in config.devices}
        self._away_until: datetime | None = None
        self._outgoing: list[OutMessage] = []
        self._events: list[tuple[str, str]] = []
        self._wake = asyncio.Event()
        self._next_turn = clock.now()
        self._began = math.nan
        self._restore()

    # --- what calls in: plain and quick, nothing waits ------------------------------------------

    def wake(self) -> None:
        """Something has changed for every device (prices, the clock): plan again at once."""
        self._asked_anew |= set(self._sections)
        self._plan_again()

    def _plan_again(self) -> None:
        self._next_turn = self._clock.now()
        self._wake.set()

    def on_reading(self, device: str, item: Reading | Undated, retained: bool) -> None:
        now, tracker = self._clock.now(), self._trackers[device]
        silent = tracker.heard_at is None or now - tracker.heard_at > timedelta(seconds=60)
        if isinstance(item, Undated):
            item = tracker.undated(item.kind, item.value, retained=retained, now=now)
        before = tracker.readings.get(item.kind)
        matters = tracker.note(item, now)
        if item.kind in STORED and matters and before != item:
            self._journal.keep_reading(device, item)
        self._health_of(device, now)
        if silent:
            self._on_heard_after_silence()
        if item.kind == "power_w":
            matters = self._program_runs(device, float(item.value)) or matters
        if matters:
            if item.kind == "plugged":
                self._asked_anew.add(device)
            self._plan_again()

    def on_ack(self, device: str, ack: Acknowledgement) -> None:
        now, tracker = self._clock.now(), self._trackers[device]
        self._saw_revision(device, ack.revision)
        self._count_followed(device, ack)
        matters = tracker.acknowledge(ack, now)
        if ack.status is AckStatus.REJECTED:
            why = f"rejected its schedule: {ack.diagnostic or 'no reason given'}"
            self._health.degraded(f"device:{device}", why, "owner: look at the device")
            self._event("device_refuses", device, why)
        if matters:
            self._plan_again()
        elif self._events:
            self._wake.set()

    def on_request(self, device: str, payload: bytes) -> None:
        section = self._sections.get(device)
        if section is None:
            return
        now, tracker = self._clock.now(), self._trackers[device]
        wish, request_id = self._wishes[device], _request_id(payload)
        try:
            outcome = apply_request(
                read_request(payload),
                wish,
                section,
                now=now,
                zone=self._place().zone,
                soc_percent=tracker.number("soc_percent", now),
                session_kwh=tracker.number("energy_kwh", now),
            )
        except Refused as refusal:
            self._tell_wish(device, request_id, str(refusal))
            self._wake.set()
            return
        self._keep_wish(device, outcome.wish)
        tracker.boost_until = None
        tracker.session.opted_out_at = None
        if outcome.stated_soc_percent is not None:
            self.on_reading(
                device, Reading("soc_percent", outcome.stated_soc_percent, now), retained=False
            )
        if outcome.wish.loaded_at != wish.loaded_at:
            tracker.session.started_at, tracker.session.confirmed = None, False
        self._tell_wish(device, request_id)
        self._asked_anew.add(device)
        self._plan_again()

    def on_site_request(self, document: Mapping[str, object]) -> None:
        """A checked site request: `refresh` and `away_until`."""
        if document.get("refresh"):
            self._on_refresh_wanted()
        away = document.get("away_until")
        if isinstance(away, datetime):
            self._away_until = away
            self.wake()

    def on_retained_schedule(self, device: str, payload: bytes) -> None:
        """What the broker still holds from an earlier life of ours."""
        if device not in self._sections:
            self._outgoing += self._retire(device)
            self._wake.set()
            return
        try:
            revision = json.loads(payload).get("revision")
        except UNREADABLE:
            return
        if isinstance(revision, int):
            self._saw_revision(device, revision)

    # --- the loop -------------------------------------------------------------------------------

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        loop.call_later(FIRST_PRICES_WITHIN_S, self.wake)
        # Schedules of an earlier life stand before their setpoints, whenever the broker comes.
        await self._send_outgoing()
        while True:
            self._wake.clear()
            now = self._clock.now()
            if self._guard.sane:
                await self._move_setpoints(now)
                if now >= self._next_turn:
                    await self._turn(now)
            await self._send_outgoing()
            if not self._wake.is_set():
                await wait_for(self._wake, self._clock, self._next_moment())

    def _next_moment(self) -> datetime:
        moments = [self._next_turn if self._guard.sane else self._clock.now() + TURN_EVERY]
        if self._guard.sane:
            moments += [from_unix(setpoint.until) for setpoint in self._setpoints.values()]
        return min(moments)

    async def _turn(self, now: datetime) -> None:
        place = self._place()
        anew, self._asked_anew = self._asked_anew, set()
        asked = {device: self._ask(device, place, now) for device in self._sections}
        ready = [from_unix(item.goal.ready_by) for item in asked.values() if item.goal.ready_by]
        self._next_turn = min([now + TURN_EVERY, *(when for when in ready if when > now)])
        latest = [item.latest for item in asked.values() if item.latest is not None]
        prices = self._prices(now - BOOKED_BACK, max([now + PLANNED_AHEAD, *latest]))
        if prices is None or not prices.import_rates:
            if not self._held and self._still_waiting():
                return
            prices = prices or Prices("", place.zone.key)
        for device, item in asked.items():
            self._ledger.book(device, self._trackers[device].drain(), prices.import_rates)
            self._ledger.follow(device, item.needs, prices.import_rates, now)
        situation = build_situation(self._config, prices, asked, self._plan, now)
        plan = await self._make_plan(situation)
        issued = [
            device
            for device, item in asked.items()
            if await self._dispatch(device, item, plan, prices, now, exact=device in anew)
        ]
        self._plan = plan
        await self._move_setpoints(self._clock.now())
        await self._show_plan(plan, situation, issued)
        self._watch(asked, plan, now)

    def _still_waiting(self) -> bool:
        return asyncio.get_running_loop().time() < self._began + FIRST_PRICES_WITHIN_S

    def _ask(self, device: str, place: Place, now: datetime) -> Asked:
        section, tracker = self._sections[device], self._trackers[device]
        tracker.settle(now)
        if isinstance(section, Switched):
            tracker.window = current_window(section, place, now)
            tracker.forget_progress(now - timedelta(days=2))
        self._finish_program(device, now)
        asked = ask(section, tracker, self._wishes[device], place, now, self._away_until)
        session_over = self._session_over(section, tracker, now)
        wish = expired(self._wishes[device], now, session_over=session_over, full=asked.full)
        if wish != self._wishes[device]:
            self._keep_wish(device, wish)
            self._tell_wish(device, wish.id)
            asked = ask(section, tracker, wish, place, now, self._away_until)
        if asked.full and tracker.value("plugged", now) is True:
            tracker.session.met_at = now
        override = asked.override
        tracker.boost_until = override.until if override and override.mode == "boost" else None
        self._keep_state(device, now)
        self._health_of(device, now)
        return asked

    async def _dispatch(
        self,
        device: str,
        asked: Asked,
        plan: Plan,
        prices: Prices,
        moment: datetime,
        *,
        exact: bool,
    ) -> bool:
        """Publish the device's new schedule where one is due. True where it was."""
        nature, adapter = self._natures[device], self._adapters[device]
        tracker, now = self._trackers[device], to_unix_ceil(moment)
        wanted = adapter.fit(
            schedule_for(
                nature,
                asked,
                _plan_of(plan, device),
                now=now,
                horizon=plan.horizon,
                currency=plan.currency,
                baseline_cost=cost_at_once(
                    asked.goal.energy_kwh or ZERO,
                    nature.max_power_w,
                    moment,
                    prices.import_rates,
                ),
            )
        )
        if tracker.opted_out(moment) and device in self._held:
            # The person's choice stands; a new schedule would end it.
            return False
        held = self._held.get(device)
        if not is_due(held, wanted, now, exact=exact):
            return False
        revision = next_revision(
            now, self._journal.highest_revision(device), self._seen_revision.get(device, 0)
        )
        schedule = replace(wanted, revision=revision)
        self._journal.issue(schedule)
        self._ledger.of(device).schedules += 1
        self._unanswered[device].add(revision)
        self._held[device] = schedule
        await self._outbox.put(*adapter.encode_schedule(schedule))
        self._event("plan_changed", device, _told(schedule, self._place().zone, now))
        return True

    async def _move_setpoints(self, now: datetime) -> None:
        second = to_unix_floor(now)
        for device, schedule in self._held.items():
            old = self._setpoints.get(device)
            if old and old.revision == schedule.revision and second < old.until:
                continue
            new = setpoint_at(schedule, self._natures[device], second)
            self._setpoints[device] = new
            await self._outbox.put(self._adapters[device].encode_setpoint(new))
            self._note_switch(device, old, new, now)

    def _note_switch(self, device: str, old: Setpoint | None, new: Setpoint, now: datetime) -> None:
        nature = self._natures[device]
        was_on = old is not None and old.mode == nature.on_mode
        is_on = new.mode == nature.on_mode
        if was_on == is_on:
            return
        if is_on:
            tracker = self._trackers[device]
            if isinstance(self._sections[device], ProgramAppliance):
                tracker.session.started_at = tracker.session.started_at or now
            self._event("window_started", device, f"{nature.on_mode} at {new.power_w} W")
        else:
            if not self._trackers[device].session.confirmed:
                self._event("window_ended", device, f"now {new.mode}")
            # What comes next may look different once the device has told what it took.
            self._next_turn = min(self._next_turn, now + TOLD_WITHIN)

    async def _show_plan(self, plan: Plan, situation: Situation, issued: list[str]) -> None:
        """Publish and keep the plan behind a change; a plan that changes nothing is not news."""
        if not issued and self._plan_shown:
            return
        self._plan_shown = True
        text = wire_json(plan_document(plan))
        if issued:
            self._journal.keep_plan(plan.made_at, wire_json(situation_document(situation)), text)
        await self._outbox.put(OutMessage(self._topics.plan, text))

    def _watch(self, asked: Mapping[str, Asked], plan: Plan, now: datetime) -> None:
        for device_plan in plan.devices:
            deadline = asked[device_plan.id].goal.ready_by
            if device_plan.shortfall_kwh < MET_KWH or deadline is None:
                self._at_risk.pop(device_plan.id, None)
            elif self._at_risk.get(device_plan.id) != deadline:
                self._at_risk[device_plan.id] = deadline
                missing = f"{float(device_plan.shortfall_kwh):.1f} kWh will be missing"
                self._event("deadline_at_risk", device_plan.id, missing)
        for device in self._sections:
            self._health_of(device, now)

    # --- small parts ----------------------------------------------------------------------------

    async def _send_outgoing(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        await self._outbox.put(*outgoing)
        events, self._events = self._events, []
        for _, text in events:
            await self._outbox.post.publish(self._topics.event, text, retain=False)

    def _event(self, kind: str, device: str | None, text: str) -> None:
        self._events.append((kind, event_document(self._clock.now(), kind, device, text)))

    def tell(self, kind: str, text: str) -> None:
        """An event of the site, from another room."""
        self._event(kind, None, text)
        self._wake.set()

    def _count_followed(self, device: str, ack: Acknowledgement) -> None:
        open_ = self._unanswered[device]
        if ack.status is AckStatus.ACCEPTED and ack.revision in open_:
            open_.discard(ack.revision)
            self._ledger.of(device).schedules_followed += 1

    def _saw_revision(self, device: str, revision: int) -> None:
        if revision <= HIGHEST_BELIEVED:
            self._seen_revision[device] = max(self._seen_revision.get(device, 0), revision)

    def _keep_wish(self, device: str, wish: Wish) -> None:
        self._wishes[device] = wish
        self._journal.keep_wish(device, to_text(wish))

    def _tell_wish(self, device: str, request_id: str | None, refusal: str | None = None) -> None:
        text = wish_document(self._wishes[device], request_id, refusal)
        self._outgoing.append(OutMessage(self._topics.wish(device), text))

    def _keep_state(self, device: str, now: datetime) -> None:
        text = self._trackers[device].to_text()
        kept, when = self._kept_state.get(device, ("", now))
        if text == kept or (_session_part(text) == _session_part(kept) and now < when):
            return
        self._journal.keep_state(device, text)
        self._kept_state[device] = (text, now + STATE_KEPT_EVERY)

    def _program_runs(self, device: str, power_w: float) -> bool:
        session = self._trackers[device].session
        section = self._sections[device]
        if (
            not isinstance(section, ProgramAppliance)
            or session.started_at is None
            or session.confirmed
            or power_w <= 0
        ):
            return False
        session.confirmed = True
        return True

    def _finish_program(self, device: str, now: datetime) -> None:
        section, session = self._sections[device], self._trackers[device].session
        if not isinstance(section, ProgramAppliance) or session.started_at is None:
            return
        length = timedelta(seconds=sum(part.duration_s for part in section.profile))
        if now >= session.started_at + length:
            session.started_at, session.confirmed = None, False
            session.met_at = now

    def _session_over(self, section: DeviceSection, tracker: Tracker, now: datetime) -> bool:
        if isinstance(section, ProgramAppliance):
            loaded, met = self._wishes[section.id].loaded_at, tracker.session.met_at
            return loaded is not None and met is not None and met > loaded
        return tracker.value("plugged", now) is False

    def _health_of(self, device: str, now: datetime) -> None:
        part, tracker = f"device:{device}", self._trackers[device]
        error = tracker.value("error", now)
        ack = tracker.acknowledged
        if error:
            self._health.degraded(part, f"says {error}", "owner: look at the device")
        elif tracker.heard_at is None:
            self._health.degraded(part, "not heard from yet")
        elif now - tracker.heard_at > SILENT_AFTER:
            self._health.degraded(part, "silent for a day", "owner: look at the device")
        elif ack is None or ack.status is not AckStatus.REJECTED:
            self._health.ok(part)

    def _restore(self) -> None:
        """Take up what an earlier life left: readings, wishes, and what devices hold."""
        wishes, now = self._journal.wishes(), self._clock.now()
        for device, section in self._sections.items():
            tracker = Tracker(device, self._natures[device].max_power_w)
            tracker.restore(self._journal.state(device), self._journal.readings(device))
            self._trackers[device] = tracker
            self._wishes[device] = from_text(wishes[device]) if device in wishes else Wish()
            self._tell_wish(device, self._wishes[device].id)
            self._health_of(section.id, now)
        for device, schedule in self._journal.schedules().items():
            if device in self._sections:
                self._held[device] = schedule
                self._outgoing += self._adapters[device].encode_schedule(schedule)
            else:
                self._outgoing += self._retire(device)
                self._journal.forget_schedule(device)


def _plan_of(plan: Plan, device: str) -> DevicePlan | None:
    return next((item for item in plan.devices if item.id == device), None)


def _session_part(text: str) -> str:
    return text.partition('"progress"')[0]


def _request_id(payload: bytes) -> str | None:
    try:
        found = json.loads(payload).get("id")
    except UNREADABLE:
        return None
    return found if isinstance(found, str) else None


def _told(schedule: Schedule, zone: ZoneInfo, now: int) -> str:
    """The schedule in a sentence, in local time."""
    if not schedule.slots:
        return f"nothing to do, {schedule.default.mode}"
    first = schedule.slots[0]
    begins = from_unix(first.start).astimezone(zone)
    starts = "now" if first.start <= now else f"from {begins:%a %H:%M}"
    ends = from_unix(schedule.slots[-1].end).astimezone(zone)
    count = len(schedule.slots)
    parts = f" in {count} parts" if count > 1 else ""
    return f"{first.mode} at {first.power_w} W {starts}{parts} until {ends:%a %H:%M}"
