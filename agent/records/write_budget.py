"""How much one device may cause to be written: an SD card outlives no device that flaps. Pure."""

from dataclasses import dataclass, field

# What one device may cause at once, and an hour for ever (wire contract, section 1a).
CAPACITY_BYTES = 64_000
REFILL_BYTES_AN_HOUR = 24_000
# SQLite writes whole pages; the rows that one statement writes again and again share theirs.
PAGE_BYTES = 4096


@dataclass(slots=True)
class WriteBudget:
    """`now` in seconds of any clock; where it goes back nothing is refilled."""

    refill_bytes_an_hour: int = REFILL_BYTES_AN_HOUR
    _left: dict[str, float] = field(default_factory=dict)
    _at: dict[str, float] = field(default_factory=dict)

    def take(self, device: str, pages: int, row_bytes: int, now: float) -> bool:
        """True where it may be written now; what is more than the whole waits until that is full.

        What it then costs beyond is owed.
        """
        passed = max(0.0, now - self._at.get(device, now))
        left = self._left.get(device, float(CAPACITY_BYTES))
        left = min(CAPACITY_BYTES, left + passed * self.refill_bytes_an_hour / 3600)
        cost = PAGE_BYTES * pages + row_bytes
        self._at[device] = now
        fits = min(cost, CAPACITY_BYTES) <= left
        self._left[device] = left - cost if fits else left
        return fits
