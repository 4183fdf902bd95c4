"""Mean power by the hour of one thing that is measured, for three weeks. Pure.

Hours are counted from the Unix epoch; powers in W. Stored by the day: an SD card is spared.
"""

import json
import math
from dataclasses import dataclass, field

HOUR_S = 3600
KEPT_HOURS = 21 * 24
# Of an hour that was measured for less than this nobody knows the mean.
MEASURED_AT_LEAST_S = 1800
MAX_W = 1_000_000.0


@dataclass(slots=True)
class HourlyMeans:
    """`hours` are complete; the hour under way is counted beside them."""

    hours: dict[int, float] = field(default_factory=dict)
    _open: dict[int, tuple[float, float]] = field(default_factory=dict, init=False)

    def add(self, start: float, end: float, power_w: float) -> bool:
        """That power held over `[start, end)`, Unix seconds. True where an hour became complete."""
        at = start
        while at < end:
            hour = int(at // HOUR_S)
            until = min(end, float((hour + 1) * HOUR_S))
            joules, seconds = self._open.get(hour, (0.0, 0.0))
            self._open[hour] = joules + power_w * (until - at), seconds + until - at
            at = until
        return self._close(int(end // HOUR_S))

    def _close(self, current: int) -> bool:
        over = [hour for hour in self._open if hour < current]
        complete = False
        for hour in over:
            joules, seconds = self._open.pop(hour)
            if seconds >= MEASURED_AT_LEAST_S:
                self.hours[hour] = round(joules / seconds, 1)
                complete = True
        if over:
            for hour in [hour for hour in self.hours if hour < current - KEPT_HOURS]:
                del self.hours[hour]
        return complete


def day_text(series: dict[str, HourlyMeans], day: int) -> str:
    """The means of a day (days since the epoch, UTC) as text for the store."""
    out = {name: [series[name].hours.get(day * 24 + hour) for hour in range(24)] for name in series}
    return json.dumps(out, separators=(",", ":"))


def take_day(series: dict[str, HourlyMeans], day: int, text: str) -> None:
    """Take a stored day up. Raises ValueError, KeyError or TypeError for what cannot be."""
    raw = json.loads(text)
    for name, means in series.items():
        for hour, power in enumerate(raw.get(name, ())[:24]):
            if power is None:
                continue
            if not (math.isfinite(power) and abs(power) <= MAX_W):
                raise ValueError(f"a power of {power}")
            means.hours[day * 24 + hour] = float(power)
