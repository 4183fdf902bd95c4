"""How much one device may cause to be written: an SD card outlives no device that flaps. Pure."""

from dataclasses import dataclass, field

# What one device may cause at once and what it may owe, and an hour for ever: in no hour more than
# the 64 kB of the wire contract's section 1a.
CAPACITY_BYTES, MOST_OWED_BYTES = 20_000, 20_000
REFILL_BYTES_AN_HOUR = 24_000
# SQLite writes whole pages, each with a head in its log; the rows that one statement writes again
# and again share theirs.
PAGE_BYTES = 1024 + 24


@dataclass(slots=True)
class WriteBudget:
    """`now` in seconds of any clock; where it goes back nothing is refilled."""

    refill_bytes_an_hour: int = REFILL_BYTES_AN_HOUR
    capacity_bytes: int = CAPACITY_BYTES
    _left: dict[str, float] = field(default_factory=dict)
    _at: dict[str, float] = field(default_factory=dict)

    def take(self, device: str, pages: int, row_bytes: int, now: float, most_owed: int = 0) -> bool:
        """True where it may be written now; what is more than the whole waits until that is full.

        What it then costs beyond is owed; `most_owed`: so much may be owed besides.
        """
        passed = max(0.0, now - self._at.get(device, now))
        left = self._left.get(device, float(self.capacity_bytes))
        left = min(self.capacity_bytes, left + passed * self.refill_bytes_an_hour / 3600)
        cost = PAGE_BYTES * pages + row_bytes
        self._at[device] = now
        fits = min(cost, self.capacity_bytes) <= left + most_owed
        self._left[device] = left - cost if fits else left
        return fits
