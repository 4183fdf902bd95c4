"""What the home page says of appliances, and what a person can say there."""

from datetime import datetime, timedelta
from pathlib import Path

from tests.fakes.web_home import DEVICES, Visitor, running, visitor

DISHES = {
    "id": "dishes",
    "type": "program",
    "profile": [{"duration_s": 3600, "power_w": 1500}],
    "ready_by": {"every_day": "18:00"},
}
BATTERY = {
    "id": "battery",
    "type": "battery",
    "capacity_kwh": 10,
    "max_charge_w": 3000,
    "max_discharge_w": 3000,
}
PUMP = {"id": "pump", "type": "load", "power_w": 800, "needs": [{"hours": 5}]}
GERMAN = {"language": "de"}


async def home(owner: Visitor) -> str:
    return (await owner.get("/", params=GERMAN))[1]


async def test_a_person_says_that_the_dishwasher_is_loaded_and_takes_it_back(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, [DISHES]) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        assert "Beladen: starten, wenn es günstig ist" in await home(owner)
        assert (await owner.send("/start", device="dishes")).status == 303
        await house.home.until("device/dishes/wish", loaded=True)
        text = await home(owner)
        assert "Beladen; es startet nach Plan." in text
        await owner.send("/unload", device="dishes")
        await house.home.until("device/dishes/wish", loaded=False)
        assert "Nicht beladen: Dishes." in await home(owner)


async def test_an_absence_is_shown_and_ended_by_a_button(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        assert "counts as empty" not in (await owner.get("/"))[1]
        later = house.home.clock.now() + timedelta(days=30)
        away = {"away_until": later.isoformat()}
        await house.home.say("site/request", away)
        await owner.until("/", "The house counts as empty until")
        assert (await owner.send("/back")).status == 303
        page = (await owner.get("/"))[1]
        assert "lived in again" in page
        assert "counts as empty" not in page


async def test_what_takes_nothing_is_not_said_to_charge(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await house.home.say("device/ev/state", {"plugged": True, "power_w": 0}, retain=True)
        await owner.until("/", "0 W jetzt", params=GERMAN)
        await owner.send("/boost", device="ev", minutes="60")
        text = await home(owner)
        assert "Soll: laden mit 11,0 kW bis" in text
        assert "Lädt mit" not in text
        await house.home.say("device/ev/state", {"plugged": True, "power_w": 10_900}, retain=True)
        await owner.until("/", "Lädt mit 11,0 kW bis", params=GERMAN)


async def test_a_battery_gives_and_that_is_said_without_a_sign(tmp_path: Path) -> None:
    async with running(tmp_path, [BATTERY]) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        state = {"soc_percent": 60, "power_w": -400}
        await house.home.say("device/battery/state", state, retain=True)
        text = await owner.until("/", "gibt jetzt 400 W ab", params=GERMAN)
        assert "-400" not in text


async def test_a_refusal_is_in_the_language_of_the_page(tmp_path: Path) -> None:
    frugal = {**BATTERY, "grid_charge": False}
    async with running(tmp_path, [frugal]) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await home(owner)
        await owner.send("/boost", device="battery", minutes="60")
        text = await home(owner)
        assert "grid_charge ist in der Konfiguration aus, es nimmt nur Überschuss" in text
        assert '<span lang="en">' not in text


async def test_minutes_that_cannot_be_are_refused_and_not_taken_for_an_hour(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await home(owner)
        for odd in ("0", "-30", "1.5", "1441", "60 min", "²"):
            await owner.send("/boost", device="ev", minutes=odd)
            text = await home(owner)
            assert "Minuten sind eine ganze Zahl von 1 bis 1440, etwa 60" in text, odd
        await owner.send("/boost", device="ev", minutes="45")
        wish = await house.home.until("device/ev/wish", mode="boost")
        begun, end = (datetime.fromisoformat(str(wish[key])) for key in ("at", "until"))
        assert timedelta(minutes=44) <= end - begun <= timedelta(minutes=45)


async def test_what_stores_nothing_runs_and_does_not_charge(tmp_path: Path) -> None:
    async with running(tmp_path, [PUMP]) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await home(owner)
        await owner.send("/boost", device="pump", minutes="60")
        assert "Läuft mit 800 W bis" in await home(owner)
        events = (await owner.get("/events", params=GERMAN))[1]
        assert "Laufen mit 800 W" in events


async def test_german_pages_have_no_english_left(tmp_path: Path) -> None:
    """Devices that were not heard of, assumed values, a deadline that cannot be met."""
    car = {**DEVICES[0], "energy_kwh": 58, "ready_by": {"every_day": "11:00"}}
    async with running(tmp_path, [car, BATTERY]) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await house.home.say("device/ev/state", {"plugged": True, "power_w": 0}, retain=True)
        await owner.until("/", "kWh fehlen", params=GERMAN)
        text = await home(owner)
        assert "Setzen Sie eine spätere Zeit oder ein kleineres Ziel." in text
        for path in ("/", "/health", "/events"):
            page = (await owner.get(path, params=GERMAN))[1]
            assert '<span lang="en">' not in page, path
            assert "..<" not in page, path


async def test_what_a_person_at_the_device_has_overridden_shows_no_plan(tmp_path: Path) -> None:
    async with running(tmp_path) as house, visitor(house.url) as owner:
        await owner.claim(house.code())
        await house.home.say("device/ev/state", {"plugged": True, "power_w": 0}, retain=True)
        await owner.until("/", "Plan: ", params=GERMAN)
        revision = (await house.home.until("device/ev/schedule"))["revision"]
        ack = {"revision": revision, "status_type": "ABORTED", "diagnostic": "user_opt_out"}
        await house.home.say("device/ev/ack", ack, retain=True)
        text = await owner.until("/", "Jemand am Gerät bestimmt selbst", params=GERMAN)
        card = text[text.index('id="device-ev"') : text.index('id="device-boiler"')]
        assert "Plan: " not in card
