"""How often a house was told something new, and how often its devices went on, by what was said.

Of lives that begin at noon in Berlin; a night is from five in the afternoon to nine.
"""

from collections import Counter
from collections.abc import Iterable

from tests.fakes.home import Home

NIGHT_BEGINS_S, NIGHT_ENDS_S = 5 * 3600, 21 * 3600
MOST_REVISIONS_A_NIGHT = 3
MORE_STARTS, MORE_STARTS_SHARE = 2, 0.1


def starts_of(home: Home, names: Iterable[str]) -> Counter[str]:
    """How often each device went on."""
    found: Counter[str] = Counter()
    for name in names:
        powers = [body.get("power_w") or 0 for body in home.bodies(f"device/{name}/state")]
        found[name] = sum(a <= 0 < b for a, b in zip([0, *powers], powers, strict=False))
    return found


def more_starts_allowed(planned: int) -> float:
    """Than with exact readings, where that is how many there are."""
    return max(MORE_STARTS, MORE_STARTS_SHARE * planned)


def revisions_of(home: Home) -> Counter[tuple[str, int]]:
    """By device and night."""
    found: Counter[tuple[str, int]] = Counter()
    for said in home.broker.log:
        parts = said.topic.split("/")
        night = NIGHT_BEGINS_S <= said.at % 86400 < NIGHT_ENDS_S
        if parts[-1] == "schedule" and said.payload and night:
            found[parts[-2], int(said.at // 86400)] += 1
    return found
