"""The dynamic programme against every pattern of on and off."""

import random
from itertools import groupby, product

import pytest

from agent.planning.tidying.fewest_runs import Rules, fewest_runs, powers_at
from agent.planning.tidying.room import Option

CELLS, QUARTER = 9, 900


def options(dice: random.Random) -> list[Option]:
    out = []
    for k in range(CELLS):
        most = dice.choice([0, 2, 2, 3, 3])
        price = dice.choice([5, 5, 5, 7])
        points = tuple((power, power * QUARTER * price) for power in (1, most)) if most else ()
        needed = dice.random() < 0.1 and most > 0
        out.append(Option(k * QUARTER, (k + 1) * QUARTER, bool(most), most, points, needed=needed))
    return out


def runs(pattern: tuple[bool, ...]) -> list[tuple[bool, int]]:
    return [(on, len(list(own)) * QUARTER) for on, own in groupby(pattern)]


def allowed(pattern: tuple[bool, ...], cells: list[Option], rules: Rules) -> bool:
    if any(on and not one.usable for on, one in zip(pattern, cells, strict=True)):
        return False
    if any(one.needed and not on for on, one in zip(pattern, cells, strict=True)):
        return False
    spans = runs(pattern)
    if rules.running and not pattern[0]:
        spans.insert(0, (True, 0))
    for n, (on, seconds) in enumerate(spans):
        under_way = rules.running and not n
        since = -rules.on_since if under_way else 0
        between = 0 < n < len(spans) - 1
        if on and seconds + since < rules.min_on_s:
            return False
        if not on and between and seconds < rules.min_off_s:
            return False
        starts_at = sum(length for _, length in spans[:n])
        if on and not under_way and starts_at < rules.blocked_s:
            return False
    return True


RULES = (
    Rules(),
    Rules(min_on_s=2 * QUARTER, min_off_s=2 * QUARTER),
    Rules(running=True, on_since=-QUARTER, min_on_s=3 * QUARTER, min_off_s=QUARTER),
    Rules(blocked_s=2 * QUARTER),
)


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("seed", range(12))
def test_no_pattern_is_better(seed: int, rules: Rules) -> None:
    dice = random.Random(seed)
    cells = options(dice)
    energy = dice.randint(1, 12) * QUARTER
    powers = powers_at(cells, 5, 1)

    def worth(on: list[int]) -> tuple[int, int]:
        given = sum(powers[k][0] * QUARTER for k in on)
        return sum(powers[k][1] for k in on), -min(given, energy)

    best: dict[int, tuple[int, int]] = {}
    for pattern in product((False, True), repeat=CELLS):
        if allowed(pattern, cells, rules):
            spans = runs(pattern)
            count = sum(on for on, _ in spans) + (rules.running and not pattern[0])
            value = worth([k for k, on in enumerate(pattern) if on])
            best[count] = min(best.get(count, value), value)
    found = [worth(on) for on in fewest_runs(cells, powers, energy, CELLS, rules)]
    expected: list[tuple[int, int]] = []
    for _, value in sorted(best.items()):
        if not expected or value < expected[-1]:
            expected.append(value)
    assert found == expected
