"""What stands behind the grid connection: the house's own draw, its roof, and all appliances.

The weather is drawn from a seed, a sky a day and clouds a quarter of an hour, so that the same
seed is the same year.
"""

import math
import random
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

# What a house draws by the local hour, in W; weekends begin later and cook at noon.
WEEKDAY_W = (
    *(230, 210, 200, 200, 210, 260, 620, 780, 420, 320, 300, 310),
    *(360, 320, 300, 310, 420, 720, 980, 1100, 860, 640, 460, 300),
)
WEEKEND_W = (
    *(250, 220, 210, 200, 200, 210, 260, 420, 680, 760, 620, 640),
    *(980, 720, 460, 420, 480, 700, 940, 1020, 820, 640, 500, 340),
)
SATURDAY = 5
QUARTER_S = 900
EARTH_TILT_DEG = 23.44


class Premises:
    """`add` what is connected; `rest_w` is the sum without the battery, `grid_w` what is imported.

    `peak_w` of the roof, which looks south; 0: there is none. `pv_w` is what its inverter gives of
    what the sun offers, `sun_w`.
    """

    def __init__(
        self,
        zone: ZoneInfo,
        *,
        latitude: float,
        longitude: float,
        peak_w: float = 0.0,
        seed: int = 1,
    ) -> None:
        self._zone = zone
        self._latitude = math.radians(latitude)
        self._longitude = longitude
        self._peak_w = peak_w
        self._seed = seed
        self._loads: list[Callable[[], float]] = []
        self._battery: Callable[[], float] = lambda: 0.0
        self._roof_limit: Callable[[], float] = lambda: math.inf

    def add(self, power_w: Callable[[], float]) -> None:
        self._loads.append(power_w)

    def add_battery(self, power_w: Callable[[], float]) -> None:
        self._battery = power_w

    def limit_roof(self, power_w: Callable[[], float]) -> None:
        self._roof_limit = power_w

    def rest_w(self, now: datetime) -> float:
        return self.house_w(now) - self.pv_w(now) + sum(power() for power in self._loads)

    def grid_w(self, now: datetime) -> float:
        return self.rest_w(now) + self._battery()

    def house_w(self, now: datetime) -> float:
        local = now.astimezone(self._zone)
        usual = (WEEKEND_W if local.weekday() >= SATURDAY else WEEKDAY_W)[local.hour]
        return usual * self._drawn("house", int(now.timestamp()) // QUARTER_S, 0.7, 1.3)

    def pv_w(self, now: datetime) -> float:
        return min(self.sun_w(now), self._roof_limit())

    def sun_w(self, now: datetime) -> float:
        sun = self._sun(now)
        if not self._peak_w or sun <= 0:
            return 0.0
        second = int(now.timestamp())
        sky = self._drawn("sky", second // 86_400, 0.3, 0.95)
        clouds = self._drawn("clouds", second // QUARTER_S, 0.75, 1.15)
        return self._peak_w * sun * min(1.0, sky * clouds)

    def outdoor_c(self, now: datetime) -> float:
        """A year, a day, and weather that is another every day."""
        local = now.astimezone(self._zone)
        latitude = math.degrees(abs(self._latitude))
        day = local.timetuple().tm_yday + (0 if self._latitude >= 0 else 182)
        yearly = 30 - 0.42 * latitude + 0.2 * latitude * math.cos(2 * math.pi * (day - 205) / 365)
        daily = 3.5 * math.cos(2 * math.pi * (local.hour + local.minute / 60 - 15) / 24)
        days = now.timestamp() / 86_400
        first = int(days)
        weather = [self._drawn("weather", index, -4.0, 4.0) for index in (first, first + 1)]
        return yearly + daily + weather[0] + (weather[1] - weather[0]) * (days - first)

    def _sun(self, now: datetime) -> float:
        """The sine of the sun's height, thinned by the air it comes through."""
        now = now.astimezone(self._zone)
        day = now.timetuple().tm_yday
        declination = -math.radians(EARTH_TILT_DEG) * math.cos(2 * math.pi * (day + 10) / 365)
        hours = now.timestamp() % 86_400 / 3600 + self._longitude / 15 - 12
        height = math.sin(self._latitude) * math.sin(declination)
        height += math.cos(self._latitude) * math.cos(declination) * math.cos(math.pi * hours / 12)
        return 0.0 if height <= 0 else height * math.pow(0.75, 1 / max(0.05, height)) / 0.7

    def _drawn(self, what: str, index: int, low: float, high: float) -> float:
        return random.Random(f"{self._seed}/{what}/{index}").uniform(low, high)
