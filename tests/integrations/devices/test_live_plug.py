"""A plug of another maker on a real broker, through the whole agent."""

from datetime import datetime

from agent.store import Store
from tests.fakes.brokers import watching
from tests.fakes.real_home import BASE, real_home
from tests.fakes.shelly import shelly_plug

EVENING = datetime(2026, 1, 16, 20, 0)  # noqa: DTZ001  # the house's wall time
PREFIX = "shellyplugsg3-aabbcc"
LOAD = {
    "id": "pump",
    "type": "load",
    "power_w": 800,
    "needs": [{"hours": 3, "window": {"start": "01:00", "end": "05:00"}}],
    "adapter": {"family": "shelly", "topic": PREFIX},
}


async def test_a_shelly_plug_runs_when_it_is_told_and_is_let_go_when_the_agent_stops() -> None:
    async with (
        real_home("mosquitto", EVENING) as home,
        shelly_plug(home.broker.port, PREFIX) as plug,
    ):
        async with home.agent(home.config([LOAD]), Store.in_memory()):
            await home.until_status(b"online")
            await home.say("device/pump/request", {"mode": "boost", "for_s": 3600})
            await plug.until(output=True)
            assert plug.timer_s == 900
            # What it says of itself is known: health has nothing to say of it.
            await home.watcher.until(
                lambda heard: any(
                    item.topic == f"{BASE}/health"
                    and b'"device:pump":{"state":"ok"' in item.payload
                    for item in heard
                )
            )
            # A plug that lost its power has forgotten what it was told.
            plug.output, count = False, len(plug.requests)
            await plug.client.publish(f"{PREFIX}/online", "false", qos=1, retain=True)
            await plug.client.publish(f"{PREFIX}/online", "true", qos=1, retain=True)
            await plug.until(output=True)
            assert len(plug.requests) > count
        await plug.until(output=False)
        assert plug.retained == []
        async with watching(home.broker.port, f"{PREFIX}/#", name="late") as late:
            await late.until_heard(f"{PREFIX}/online")
            kept = {item.topic for item in late.heard if item.retain}
            assert kept == {f"{PREFIX}/online"}
