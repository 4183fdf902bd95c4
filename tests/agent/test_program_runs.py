"""A dishwasher that is loaded once runs once, whoever starts it and however often it is asked."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.clock import SteppedClock
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
RUN_S = 3600
DISHES = {
    "id": "dishes",
    "type": "program",
    "profile": [{"duration_s": RUN_S, "power_w": 1500}],
    "ready_by": {"every_day": "06:45"},
}


def live(
    story: Callable[[Home], Awaitable[None]],
    hours: int = 2,
    device: Mapping[str, object] = DISHES,
) -> Home:
    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            telling = asyncio.ensure_future(story(home))
            await home.run(home.config([device]), START + timedelta(hours=hours))
            await telling
            return home

    return run_virtual(run, START)


def say(home: Home, topic: str, body: object) -> None:
    home.broker.publish(f"{BASE}/device/dishes/{topic}", json.dumps(body).encode(), retain=False)


def part(home: Home) -> Any:
    return json.loads(home.broker.retained[f"{BASE}/health"])["parts"]["device:dishes"]


def schedules(home: Home) -> list[list[Any]]:
    topic = f"{BASE}/device/dishes/schedule"
    said = [json.loads(item.payload) for item in home.broker.log if item.topic == topic]
    return [body["slots"] for body in said]


def runs_told(home: Home) -> set[int]:
    """The revisions that contain `run`."""
    return {body["revision"] for body in home.bodies("device/dishes/schedule") if body["slots"]}


async def load(home: Home) -> None:
    await home.clock.sleep(60)
    say(home, "state", {"mode": "idle", "power_w": 0})
    say(home, "request", {"start": True})
    await home.clock.sleep(10)
    assert home.body("device/dishes/schedule")["slots"]


async def end(home: Home) -> None:
    await home.clock.sleep(RUN_S)
    say(home, "state", {"mode": "idle", "power_w": 0})
    await home.clock.sleep(1200)


def test_one_that_is_started_at_the_machine_is_not_started_again() -> None:
    async def story(home: Home) -> None:
        await load(home)
        say(home, "state", {"mode": "run", "power_w": 1500})
        await end(home)
        assert home.body("device/dishes/wish")["loaded"] is False

    home = live(story)
    assert schedules(home)[-1] == []


def test_a_second_start_while_it_runs_is_refused_and_changes_nothing() -> None:
    async def story(home: Home) -> None:
        await load(home)
        ack = {"revision": home.body("device/dishes/schedule")["revision"]}
        say(home, "ack", {**ack, "status_type": "STARTED"})
        say(home, "state", {"mode": "run", "power_w": 1500})
        await home.clock.sleep(600)
        before = len(schedules(home))
        say(home, "request", {"start": True, "id": "again"})
        await home.clock.sleep(60)
        wish = home.body("device/dishes/wish")
        assert (wish["id"], wish["accepted"], wish["loaded"]) == ("again", False, True)
        assert "is running" in str(wish["reason"])
        assert not any(schedules(home)[before:])
        await end(home)
        assert "told to run" not in part(home)["why"]

    home = live(story)
    assert schedules(home)[-1] == []


def test_start_pressed_twice_is_one_run_of_one_that_tells_nothing() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        by = (START + timedelta(minutes=90)).isoformat()
        say(home, "request", {"start": True, "ready_by": by})
        await home.clock.sleep(10)
        [slot] = schedules(home)[-1]
        await home.clock.sleep_until(datetime.fromisoformat(slot["start"]))
        for wait_s in (3, 600):
            await home.clock.sleep(wait_s)
            say(home, "request", {"start": True, "id": f"after {wait_s}"})
            await home.clock.sleep(2)
            wish = home.body("device/dishes/wish")
            assert (wish["id"], wish["accepted"]) == (f"after {wait_s}", False)
            assert wish["reason"] == "start: dishes is running; ask again when it has ended"
        await home.clock.sleep_until(datetime.fromisoformat(slot["end"]))
        revisions = len(schedules(home))
        await home.clock.sleep(3600)
        assert home.body("device/dishes/wish")["loaded"] is False
        assert len(schedules(home)) == revisions
        assert home.body("device/dishes/setpoint")["mode"] == "idle"
        assert round(float(home.ledger.of("dishes").energy_kwh), 2) == 1.5

    live(story, hours=4)


def test_one_that_is_started_at_the_machine_tells_it_by_its_power() -> None:
    async def story(home: Home) -> None:
        await load(home)
        [slot] = schedules(home)[-1]
        for _ in range(RUN_S // 60):
            say(home, "state", {"power_w": 1500})
            await home.clock.sleep(60)
        while home.clock.now() < datetime.fromisoformat(slot["start"]) + timedelta(minutes=30):
            say(home, "state", {"power_w": 2})
            await home.clock.sleep(300)
        assert home.body("device/dishes/wish")["loaded"] is False
        assert home.body("device/dishes/setpoint")["mode"] == "idle"

    home = live(story, hours=14)
    assert schedules(home)[-1] == []
    assert events(home, "not_following") == []
    assert events(home, "deadline_at_risk") == []


def test_a_run_that_was_due_while_the_agent_was_gone_is_not_told_again() -> None:
    """It holds its schedule, so it has run by that: nobody loads it again without a start."""

    async def run(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            telling = asyncio.ensure_future(load(home))
            await home.run(home.config([DISHES]), START + timedelta(minutes=30))
            await telling
            [slot] = schedules(home)[-1]
            await clock.sleep_until(datetime.fromisoformat(slot["end"]) + timedelta(minutes=30))
            told = runs_told(home)
            await home.run(home.config([DISHES]), clock.now() + timedelta(minutes=20))
            assert home.body("device/dishes/wish")["loaded"] is False
            # What it holds is published again at a start, and is over.
            assert runs_told(home) == told
            assert round(float(home.ledger.of("dishes").energy_kwh), 2) == 1.5

    run_virtual(run, START)


def test_a_few_watts_of_standby_are_no_run() -> None:
    """A run is told until the machine is seen to run: its clock may be a minute slow."""

    async def story(home: Home) -> None:
        await load(home)
        [slot] = schedules(home)[-1]
        begins = datetime.fromisoformat(slot["start"])
        while home.clock.now() < begins + timedelta(minutes=2):
            say(home, "state", {"power_w": 2})
            await home.clock.sleep(20)
        # What it was told stands: it may begin yet.
        assert [one["mode"] for one in schedules(home)[-1]] == ["run"]
        say(home, "state", {"power_w": 1480})
        await home.clock.sleep(6 * 60)
        assert home.body("device/dishes/schedule")["slots"] == []

    live(story, hours=14)


def events(home: Home, kind: str) -> list[str]:
    said = [json.loads(item.payload) for item in home.broker.log if item.topic == f"{BASE}/event"]
    return [event["text"] for event in said if event["type"] == kind]


def test_an_end_that_is_told_before_the_state_begins_no_second_run() -> None:
    async def story(home: Home) -> None:
        await load(home)
        ack = {"revision": home.body("device/dishes/schedule")["revision"]}
        say(home, "ack", {**ack, "status_type": "STARTED"})
        say(home, "state", {"mode": "run", "power_w": 1500})
        await home.clock.sleep(RUN_S - 60)
        say(home, "ack", {**ack, "status_type": "SUCCEEDED"})
        await home.clock.sleep(5)
        for _ in range(25):
            say(home, "state", {"mode": "idle", "power_w": 0})
            await home.clock.sleep(60)
        assert "told to run" not in part(home)["why"]

    home = live(story)
    assert events(home, "not_following") == []
    assert events(home, "deadline_at_risk") == []
    assert schedules(home)[-1] == []


def test_a_run_that_ends_before_its_profile_is_done_and_no_deviation() -> None:
    """The machine tells nothing but its power: its last half hour is none."""

    async def story(home: Home) -> None:
        await load(home)
        [slot] = schedules(home)[-1]
        await home.clock.sleep_until(datetime.fromisoformat(slot["start"]))
        for minute in range(RUN_S // 60 + 30):
            say(home, "state", {"power_w": 1500 if minute < 30 else 2})
            await home.clock.sleep(60)
        assert home.body("device/dishes/wish")["loaded"] is False
        assert "told to run" not in part(home)["why"]

    home = live(story, hours=14)
    assert events(home, "not_following") == []
    assert events(home, "deadline_at_risk") == []


def setpoints(home: Home) -> list[tuple[datetime, str]]:
    """When each mode was told on `setpoint`, without repetitions."""
    out: list[tuple[datetime, str]] = []
    for body in home.bodies("device/dishes/setpoint"):
        if not out or out[-1][1] != body["mode"]:
            out.append((datetime.fromisoformat(body["at"]), body["mode"]))
    return out


async def switched_run(home: Home, run_minutes: int) -> datetime:
    """A switch that does what stands on the setpoint, and a machine that takes what it lets it."""
    await load(home)
    [slot] = schedules(home)[-1]
    begins = datetime.fromisoformat(slot["start"])
    while home.clock.now() < begins + timedelta(seconds=RUN_S, minutes=30):
        lets = home.body("device/dishes/setpoint")["mode"] == "run"
        ran = home.clock.now() - begins
        takes = lets and ran < timedelta(minutes=run_minutes)
        say(home, "state", {"power_w": 1500 if takes else 0})
        await home.clock.sleep(60)
    return begins


SWITCHED = DISHES | {"adapter": {"family": "home_assistant"}}


def test_a_switch_that_keeps_no_run_is_told_to_run_until_the_machine_is_through() -> None:
    async def story(home: Home) -> None:
        begins = await switched_run(home, RUN_S // 60)
        assert [mode for _, mode in setpoints(home)][-2:] == ["run", "idle"]
        off = setpoints(home)[-1][0]
        assert timedelta(0) <= off - begins - timedelta(seconds=RUN_S) <= timedelta(minutes=6)
        assert home.body("device/dishes/wish")["loaded"] is False
        assert home.body("device/dishes/schedule")["slots"] == []

    live(story, hours=14, device=SWITCHED)


def test_a_machine_that_needs_longer_than_its_profile_is_not_cut() -> None:
    async def story(home: Home) -> None:
        begins = await switched_run(home, RUN_S // 60 + 12)
        off = setpoints(home)[-1]
        assert off[1] == "idle"
        assert off[0] - begins >= timedelta(seconds=RUN_S, minutes=12)

    live(story, hours=14, device=SWITCHED)


def test_one_that_keeps_its_run_is_told_it_once() -> None:
    async def story(home: Home) -> None:
        begins = await switched_run(home, RUN_S // 60)
        off = setpoints(home)[-1]
        assert off[1] == "idle"
        assert off[0] - begins < timedelta(minutes=10)

    live(story, hours=14)


def test_a_run_under_way_outlives_a_restart_of_the_agent() -> None:
    async def run(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            telling = asyncio.ensure_future(switched_run(home, RUN_S // 60))
            while not any(mode == "run" for _, mode in setpoints_so_far(home)):
                await home.run(home.config([SWITCHED]), clock.now() + timedelta(minutes=20))
            count = len(setpoints(home))
            await clock.sleep(120)
            await home.run(home.config([SWITCHED]), clock.now() + timedelta(minutes=20))
            assert [mode for _, mode in setpoints(home)][count - 1 :] == ["run"]
            telling.cancel()

    run_virtual(run, START)


def setpoints_so_far(home: Home) -> list[tuple[datetime, str]]:
    return setpoints(home) if f"{BASE}/device/dishes/setpoint" in home.broker.retained else []
