"""On a real Mosquitto: what is shown vanishes there by itself when nobody says it any more."""

from datetime import datetime

from agent.store import Store
from integrations.homeassistant.entities import EXPIRES_S
from tests.fakes.real_home import BASE, real_home

EVENING = datetime(2026, 1, 15, 16, 0)  # noqa: DTZ001 - local time of the house
TANK = {
    "id": "tank",
    "type": "water_heater",
    "power_w": 2000,
    "needs": [{"energy_kwh": 4, "window": {"start": "23:00", "end": "06:30"}}],
}


async def test_a_restarted_home_assistant_is_not_shown_what_a_dead_agent_said() -> None:
    async with (
        real_home("mosquitto", EVENING) as home,
        home.agent(home.config([TANK]), Store.in_memory()),
    ):
        for topic in ("ha/hub", "ha/device/tank"):
            said = await home.watcher.until_heard(f"{BASE}/{topic}")
            assert said.expiry_s is not None
            # Home Assistant that runs lets go of it earlier.
            assert EXPIRES_S < said.expiry_s <= 3600
