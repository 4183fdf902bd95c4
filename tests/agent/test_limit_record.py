"""What the grid allowed, on record and after a power cut: every limit, also many and announced."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from agent.clock import SteppedClock
from agent.energy.instants import format_instant
from agent.records.limit_log import LimitRecord, LimitSaid, LimitSource, read_limits
from integrations.sandbox.household import DEVICES, build_appliances
from integrations.sandbox.server import FlatPeakSandbox
from tests.fakes.home import BASE, Home
from tests.fakes.memory_broker import MemoryLink
from tests.fakes.virtual_loop import run_virtual

START = datetime(2026, 1, 15, 15, tzinfo=UTC)
FAILSAFE_W = 12_000
HOURS = timedelta(hours=1)
Story = Callable[[Home], Awaitable[None]]


def live(
    story: Story,
    until: timedelta,
    failsafe_w: int | None = FAILSAFE_W,
    *,
    with_appliances: bool = True,
) -> Home:
    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            zone = next(iter(sandbox.locations.values())).zone
            if with_appliances:
                home.appliances = build_appliances(
                    BASE, clock, zone, lambda name: MemoryLink(home.broker)
                )
            config = home.config(DEVICES)
            site = config.site.model_copy(update={"failsafe_limit_w": failsafe_w})
            telling = asyncio.ensure_future(story(home))
            await home.run(config.model_copy(update={"site": site}), START + until)
            await telling
            return home

    return run_virtual(run, START)


def say(home: Home, topic: str, body: object) -> None:
    home.broker.publish(f"{BASE}/{topic}", json.dumps(body).encode(), retain=False)


def test_where_nobody_measures_nothing_is_on_record_as_measured() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        say(home, "device/ev/state", {"plugged": True})
        say(home, "device/ev/request", {"mode": "boost"})
        await home.clock.sleep(60)
        say(home, "site/limit", {"import_w": 8000})

    home = live(story, timedelta(minutes=10), with_appliances=False)
    newest = read_limits(home.store)[-1]
    assert newest.limit_w == 8000
    assert 0 < (newest.sent_w or 0) <= 8000
    assert newest.measured_w is None


def test_an_announced_limit_is_on_record_when_it_holds_with_what_was_sent_for_it() -> None:
    begin, end = START + 5 * HOURS, START + 6 * HOURS

    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        span = {"start": format_instant(begin), "end": format_instant(end), "import_w": 8000}
        say(home, "site/limit", {"windows": [span]})
        await home.clock.sleep_until(begin - 0.1 * HOURS)
        say(home, "device/ev/request", {"mode": "boost"})

    home = live(story, 6.1 * HOURS)
    records = {item.at: item for item in read_limits(home.store)}
    held, over = records[begin], records[end]
    assert (held.limit_w, over.limit_w) == (8000, FAILSAFE_W)
    assert 0 < (held.sent_w or 0) <= 8000
    assert 0 < (held.measured_w or 0) <= 8000
    assert over.sent_w is not None
    assert held.said == LimitSaid(8000, end, LimitSource.ANNOUNCED)
    assert over.said == LimitSaid(FAILSAFE_W, None, LimitSource.FAILSAFE)


def test_of_a_limit_is_on_record_who_said_it_and_until_when() -> None:
    end = START + HOURS

    async def story(home: Home) -> None:
        body = json.dumps({"import_w": 9000}).encode()
        home.broker.publish(f"{BASE}/site/limit", body, retain=True)
        await home.clock.sleep(60)
        say(home, "site/limit", {"import_w": 8000, "until": format_instant(end)})

    home = live(story, 1.1 * HOURS, failsafe_w=None, with_appliances=False)
    records = read_limits(home.store)
    assert [item.said for item in records if item.said is not None] == [
        LimitSaid(9000, None, LimitSource.KEPT),
        LimitSaid(8000, end, LimitSource.MESSAGE),
        LimitSaid(None, None, LimitSource.ANNOUNCED),
    ]
    assert records[-1].limit_w is None


def test_a_limit_every_five_minutes_is_on_record_and_survives_a_power_cut() -> None:
    said: list[tuple[datetime, float]] = []
    on_disk: list[list[LimitRecord]] = []
    in_force: list[float] = []

    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        for number in range(16):
            power = 4200 + number * 10
            said.append((home.clock.now().replace(microsecond=0), power))
            say(home, "site/limit", {"import_w": power})
            await home.clock.sleep(300)
            on_disk.append(read_limits(home.store))
            sql = "SELECT value FROM facts WHERE name = 'grid_limit'"
            (text,) = home.store.connection.execute(sql).fetchone()
            in_force.append(json.loads(text)["windows"][0][2])

    home = live(story, 2 * HOURS)
    assert in_force == [power for _, power in said]
    records = [item for item in read_limits(home.store) if item.limit_w != FAILSAFE_W]
    assert [(item.at, item.limit_w) for item in records] == said
    assert all(item.sent_w is not None for item in records)
    # What a power cut would find is never far behind.
    assert all(len(found) >= count for count, found in enumerate(on_disk, start=1))


def test_a_limit_that_is_replaced_at_once_is_on_record_with_what_was_known_of_it() -> None:
    async def story(home: Home) -> None:
        await home.clock.sleep(60)
        say(home, "device/ev/request", {"mode": "boost"})
        await home.clock.sleep(1200)
        for power in (9000, 8000, 7000):
            say(home, "site/limit", {"import_w": power})
            await home.clock.sleep(20)

    home = live(story, HOURS)
    records = {item.limit_w: item for item in read_limits(home.store)}
    for power in (9000, 8000, 7000):
        assert records[power].sent_w is not None, power
        assert records[power].measured_w is not None, power


def test_health_says_when_only_the_failsafe_holds_and_when_a_limit_cannot_be_read() -> None:
    seen: list[tuple[str, str]] = []

    def look(home: Home) -> None:
        parts = home.body("health")["parts"]
        assert isinstance(parts, dict)
        seen.append((parts["grid_limit"]["state"], parts["grid_limit"]["why"]))

    async def story(home: Home) -> None:
        until = format_instant(START + HOURS)
        for wait, body in ((60, None), (60, {"import_w": 4200, "until": until}), (60, "nonsense")):
            if body is not None:
                say(home, "site/limit", body)
            await home.clock.sleep(wait)
            look(home)
        for power in (4200, 4.2):
            say(home, "site/limit", {"import_w": power, "until": until})
            await home.clock.sleep(60)
            look(home)
        await home.clock.sleep_until(START + HOURS + timedelta(minutes=1))
        look(home)

    live(story, 1.1 * HOURS)
    assert [state for state, _ in seen] == [
        "degraded",
        "ok",
        "degraded",
        "ok",
        "degraded",
        "degraded",
    ]
    assert "the failsafe of 12000 W holds" in seen[0][1]
    assert "the last known limit holds to its end" in seen[2][1]
    assert seen[4][1] == "the grid allows 4.2 W: is that in kW?"
    assert seen[5][1] == seen[0][1]


def test_a_kept_limit_that_the_broker_gives_again_replaces_no_newer_one() -> None:
    """Two senders: one has its messages kept. After a restart both are as they were."""

    async def run(clock: SteppedClock) -> Home:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config = home.config(DEVICES)
            kept, newer = {"import_w": 9000}, {"import_w": 0}
            loop = asyncio.get_running_loop()

            def keep() -> None:
                home.broker.publish(f"{BASE}/site/limit", json.dumps(kept), retain=True)

            loop.call_later(60, keep)
            loop.call_later(120, lambda: say(home, "site/limit", newer))
            await home.run(config, START + timedelta(minutes=5))
            assert read_limits(home.store)[-1].limit_w == 0
            await home.run(config, START + timedelta(minutes=10))
            assert read_limits(home.store)[-1].limit_w == 0
            # Said anew it is the newest.
            loop.call_later(60, keep)
            await home.run(config, START + timedelta(minutes=15))
            return home

    home = run_virtual(run, START)
    assert read_limits(home.store)[-1].limit_w == 9000


DIMMED, FREE = {"import_w": 4500}, {"import_w": 11_500}


def lives(said: Sequence[tuple[object, bool, bool]]) -> list[float | None]:
    """What holds after each message, each in a life of its own: (content, kept by the broker, said
    before that life begins)."""
    held: list[float | None] = []

    async def run(clock: SteppedClock) -> None:
        async with FlatPeakSandbox(clock) as sandbox:
            home = Home(clock, sandbox)
            config, end = home.config(DEVICES), START

            def publish(body: object, retain: bool) -> None:
                home.broker.publish(f"{BASE}/site/limit", json.dumps(body), retain=retain)

            for body, retain, unheard in said:
                if unheard:
                    publish(body, retain)
                else:
                    asyncio.get_running_loop().call_later(30, publish, body, retain)
                end += timedelta(minutes=1)
                await home.run(config, end)
                newest = read_limits(home.store)
                held.append(newest[-1].limit_w if newest else None)

    run_virtual(run, START)
    return held


def test_a_stricter_limit_said_while_nobody_listened_is_obeyed_though_said_before() -> None:
    said = [(DIMMED, True, False), (FREE, True, False), (DIMMED, True, True), (FREE, True, False)]
    assert lives([*said, (DIMMED, True, True)]) == [4500, 11_500, 4500, 11_500, 4500]


def test_what_was_kept_before_does_not_hide_what_is_kept_now() -> None:
    """One sender, each of its two words kept: the dimming that was seen kept is over."""
    said = [(FREE, True, False), (DIMMED, True, False), (DIMMED, True, True), (FREE, True, True)]
    assert lives(said) == [11_500, 4500, 4500, 11_500]


def test_an_old_limit_that_is_handed_out_again_never_loosens_a_newer_one() -> None:
    strict = {"import_w": 0}
    said: list[tuple[object, bool, bool]]
    said = [(DIMMED, True, False), (strict, False, False), (DIMMED, True, True)]
    assert lives(said) == [4500, 0, 0]
    # Nor a new one that holds for a time the rest of what was said.
    end = START + timedelta(hours=2)
    spans = [(START, end, 4000), (end, end + timedelta(hours=2), 9000)]
    windows = [
        {"start": format_instant(a), "end": format_instant(b), "import_w": w} for a, b, w in spans
    ]
    mixed: object = {"windows": windows}
    said = [(DIMMED, True, False), (mixed, False, False), (DIMMED, True, True)]
    assert lives(said) == [4500, 4000, 4000]
