"""How much one device may cause to be written: an SD card outlives no device that flaps. Pure."""

from dataclasses import dataclass, field

# What one device may cause at once, and an hour for ever (wire contract, section 1a).
CAPACITY_BYTES = 64_000
REFILL_BYTES_AN_HOUR = 24_000
# SQLite writes whole pages, and each once more when it tidies up its log.
PAGE_BYTES = 4096
PAGES_A_STATEMENT = 1


@dataclass(slots=True)
class WriteBudget:
    """`now` in seconds of any clock; where it goes back nothing is refilled."""

    _left: dict[str, float] = field(default_factory=dict)
    _at: dict[str, float] = field(default_factory=dict)

    def take(self, device: str, statements: int, document_bytes: int, now: float) -> bool:
        """True where it may be written now."""
        passed = max(0.0, now - self._at.get(device, now))
        left = self._left.get(device, float(CAPACITY_BYTES))
        left = min(CAPACITY_BYTES, left + passed * REFILL_BYTES_AN_HOUR / 3600)
        cost = PAGE_BYTES * PAGES_A_STATEMENT * statements + document_bytes
        self._at[device] = now
        fits = cost <= left
        self._left[device] = left - cost if fits else left
        return fits
