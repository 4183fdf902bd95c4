"""Meters that are read, what is learned of them, and forecasts that replace it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.clock import SteppedClock
from agent.config.site import SiteSection
from agent.control.house_power import HousePower
from agent.control.site_meters import SiteMeters
from agent.energy.instants import to_unix_floor
from agent.energy.readings import Reading, Unreadable
from agent.health import Health, State
from agent.home.kinds.meter import Meter, MeterRole
from agent.home.windows import SiteLocation
from agent.ports import UntimedReading
from agent.records.device_store import DeviceStore
from agent.store import Store

START = datetime(2026, 6, 15, 8, tzinfo=UTC)
NOON, MIDNIGHT = START.replace(hour=11), START.replace(hour=23)
MINUTE = timedelta(minutes=1)
LONDON = SiteLocation(ZoneInfo("Europe/London"))
GRID = Meter.model_validate({"id": "grid", "type": "meter", "role": "grid"})
ROOF = Meter.model_validate({"id": "roof", "type": "meter", "role": "pv"})


class HandClock(SteppedClock):
    """A clock that stands where it is put."""

    at = START

    def now(self) -> datetime:
        return self.at


class House:
    """A grid meter and a roof's, a device that takes `device_w`; `measure` for some minutes."""

    def __init__(
        self, store: Store, *, at: datetime = START, site: SiteSection | None = None
    ) -> None:
        self.clock = HandClock(START)
        self.clock.at = at
        self.health = Health(self.clock)
        self.device_w = self.given_w = 0.0
        self.meters = SiteMeters(
            {"grid": GRID.role, "roof": ROOF.role}, frozenset({"grid", "roof"}), self.health
        )
        self.power = HousePower(
            site or SiteSection(base_load_w=300),
            self.clock,
            self.health,
            DeviceStore(store, self.health, self.clock),
            self.meters,
            location=lambda: LONDON,
            devices_w=lambda now: self.device_w - self.given_w,
            given_w=lambda now: self.given_w,
        )

    def tell(self, name: str, power_w: float) -> None:
        now = self.clock.at
        self.meters.on_decoded(name, Reading("power_w", power_w, now), now, retained=False)

    def measure(self, minutes: int, *, grid_w: float, roof_w: float | None) -> None:
        """`roof_w` None: its meter is silent."""
        for _ in range(minutes // 5):
            if roof_w is not None:
                self.tell("roof", roof_w)
            self.tell("grid", grid_w)
            self.clock.at += 5 * MINUTE

    def load_in(self, hours: int, *, limited: bool = False) -> float:
        when = to_unix_floor(self.clock.at) + hours * 3600
        return self.power.base_load(limited=limited).value(when)


async def test_the_house_is_what_was_measured_less_what_our_devices_took() -> None:
    house = House(Store.in_memory())
    assert house.load_in(24) == 300
    house.device_w = 7000
    house.measure(65, grid_w=5500, roof_w=2000)
    assert house.load_in(24) == pytest.approx(500)
    assert house.load_in(24, limited=True) == pytest.approx(500)
    roof = house.power.pv()
    assert roof is not None
    assert roof.value(to_unix_floor(START + timedelta(hours=24))) == 2000


@pytest.mark.parametrize(
    ("at", "told_w", "learned"),
    [(NOON, 0, False), (NOON, 900, False), (MIDNIGHT, 0, True), (MIDNIGHT, 900, True)],
)
async def test_where_a_silent_inverter_stands_the_sun_says_whether_it_gives_something(
    at: datetime, told_w: float, learned: bool
) -> None:
    site = SiteSection.model_validate(
        {"base_load_w": 300, "latitude": 51.5, "longitude": 0.0, "pv": {"peak_w": 5000}}
    )
    house = House(Store.in_memory(), at=at, site=site)
    house.tell("roof", told_w)
    house.clock.at += timedelta(hours=1)
    house.measure(65, grid_w=450, roof_w=None)
    assert house.load_in(24) == pytest.approx(450 if learned else 300)


@pytest.mark.parametrize(("told_w", "learned"), [(4, True), (900, False), (None, False)])
async def test_without_a_place_a_silent_inverter_gives_nothing_where_it_told_nothing_last(
    told_w: float | None, learned: bool
) -> None:
    house = House(Store.in_memory(), at=MIDNIGHT)
    if told_w is not None:
        house.tell("roof", told_w)
    house.clock.at += timedelta(hours=1)
    house.measure(65, grid_w=450, roof_w=None)
    assert house.load_in(24) == pytest.approx(450 if learned else 300)


async def test_below_a_limit_the_house_counts_with_no_less_than_the_config_says() -> None:
    house = House(Store.in_memory(), site=SiteSection(base_load_w=900))
    house.measure(65, grid_w=400, roof_w=0)
    assert house.load_in(24) == pytest.approx(400)
    assert house.load_in(24, limited=True) == 900


async def test_a_forecast_replaces_it_as_far_as_it_reaches() -> None:
    house = House(Store.in_memory())
    house.measure(65, grid_w=400, roof_w=0)
    start = to_unix_floor(house.clock.at)
    house.power.set_forecast("load", [(start, start + 7200, 1500.0)])
    house.power.set_forecast(
        "pv", [(start, start + 7200, -5.0), (start + 7200, start + 9000, 800.0)]
    )
    assert house.load_in(1) == 1500
    assert house.load_in(3) == pytest.approx(400)
    roof = house.power.pv()
    assert roof is not None
    assert [roof.value(start + hours * 3600) for hours in (0, 2, 3)] == [0, 800, 0]
    house.power.set_forecast("load", [])
    assert house.load_in(1) == pytest.approx(400)


async def test_what_was_learned_survives_a_restart_in_few_writes() -> None:
    store = Store.in_memory()
    house = House(store)
    writes = 0
    for _ in range(24):
        house.measure(60, grid_w=400, roof_w=100)
        before = store.rows("SELECT value FROM facts", (), str)
        house.power.look(house.clock.at)
        writes += store.rows("SELECT value FROM facts", (), str) != before
    house.power.save()
    assert writes <= 8
    again = House(store, at=house.clock.at)
    assert again.load_in(24) == pytest.approx(500)


async def test_stored_nonsense_is_dropped_and_counted() -> None:
    store = Store.in_memory()
    store.set_value("hourly_means:20000", '{"load":["x"]}')
    store.set_value("hourly_means:x", "{}")
    house = House(store)
    assert house.load_in(24) == 300
    assert house.health.counts["unreadable_rows"] >= 1


async def test_surplus_is_what_the_roof_gives_beyond_the_house_not_what_a_battery_gives() -> None:
    house = House(Store.in_memory())
    house.measure(5, grid_w=-800, roof_w=2000)
    house.given_w = 600
    house.measure(5, grid_w=0, roof_w=0)
    house.given_w = 0
    house.measure(5, grid_w=20, roof_w=1500)
    assert house.power.surplus_spans(house.clock.at) == [
        (START, START + 5 * MINUTE),
        (START + 10 * MINUTE, START + 15 * MINUTE),
    ]


async def test_a_silent_or_unreadable_meter_is_named_and_tells_nothing() -> None:
    house = House(Store.in_memory())
    house.power.look(START)
    assert "not heard from" in house.health.parts["device:grid"].why
    house.tell("grid", 400)
    assert house.health.parts["device:grid"].state is State.OK
    house.clock.at += 16 * MINUTE
    house.power.look(house.clock.at)
    assert "15 minutes" in house.health.parts["device:grid"].why
    assert house.meters.power_w(MeterRole.GRID, house.clock.at) is None
    now = house.clock.at
    house.meters.on_decoded("grid", Unreadable("power_w", "is a list"), now, retained=False)
    assert "cannot be read" in house.health.parts["device:grid"].why
    # One that the broker kept, without a time, may be of any day.
    house.meters.on_decoded("grid", UntimedReading("power_w", 5.0), now, retained=True)
    assert house.meters.power_w(MeterRole.GRID, now) is None
