"""What is kept of an answer, against an oracle that looks at every second."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.energy.rates import Rate
from agent.tariff.normalise import (
    WITHDRAWN,
    Withdrawal,
    first_difference,
    gaps,
    normalise,
    overlay,
    withdraw,
)

START = datetime(2026, 1, 16, tzinfo=UTC)
WINDOW_S = 60


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def rate(begins: float, ends: float, price: str = "0.1", confidence: float = 1.0) -> Rate:
    return Rate(at(begins), at(ends), Decimal(price), confidence)


RATES = st.lists(
    st.builds(
        rate,
        st.integers(-20, 80) | st.floats(-20, 80).map(lambda second: round(second, 3)),
        st.integers(-20, 80) | st.floats(-20, 80).map(lambda second: round(second, 3)),
        st.sampled_from(["0.1", "0.10", "0", "-0.2", "NaN", "Infinity", "1e7"]),
        st.sampled_from([0.0, 0.6, 1.0]),
    ),
    max_size=8,
)


def best(rates: list[Rate], when: datetime) -> Rate | None:
    """The written rule, looked up for one second."""
    usable = []
    for held in rates:
        start, end = held.start.replace(microsecond=0), held.end.replace(microsecond=0)
        trusted = held.price.is_finite() and abs(held.price) <= 1_000_000
        if trusted and start <= when < end and held.confidence > 0:
            usable.append((held.confidence, start, start - end, held.price, held))
    return max(usable, key=lambda entry: entry[:4])[4] if usable else None


@settings(deadline=None)
@given(RATES, st.randoms(use_true_random=False))
def test_at_every_second_the_written_rule_holds(rates: list[Rate], random: Random) -> None:
    found = normalise(rates, at(0), at(WINDOW_S)).rates
    for second in range(-20, 80):
        when = at(second)
        held = [kept for kept in found if kept.start <= when < kept.end]
        expected = best(rates, when) if 0 <= second < WINDOW_S else None
        if expected is None:
            assert held == []
        else:
            (kept,) = held
            assert (kept.price, kept.confidence) == (expected.price, expected.confidence)
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(
        a.end < b.start or a.price != b.price or a.confidence != b.confidence
        for a, b in pairwise(found)
    )
    assert normalise(found, at(0), at(WINDOW_S)).rates == found
    shuffled = random.sample(rates, len(rates))
    assert normalise(shuffled, at(0), at(WINDOW_S)).rates == found


@settings(deadline=None)
@given(RATES, RATES)
def test_news_replace_what_is_known_but_never_a_confirmed_price_by_a_guess(
    old: list[Rate], new: list[Rate]
) -> None:
    known = normalise(old, at(0), at(WINDOW_S)).rates
    news = normalise(new, at(0), at(WINDOW_S)).rates
    after = overlay(known, news)
    for second in range(WINDOW_S):
        before, told, now = (
            next((held for held in rates if held.start <= at(second) < held.end), None)
            for rates in (known, news, after)
        )
        if told is None or (before and before.confidence >= 1 > told.confidence):
            told = before
        assert (now and (now.price, now.confidence)) == (told and (told.price, told.confidence))
    assert overlay(after, news) == after


def test_the_impossible_is_counted_and_the_unknown_is_a_gap() -> None:
    found = normalise(
        [rate(10, 5), rate(5, 5), rate(0, 9, "NaN"), rate(20, 30, "0", 0.0), rate(30, 40)],
        at(0),
        at(WINDOW_S),
    )
    assert found.rates == (rate(30, 40),)
    assert found.dropped == 3


def test_gaps_are_what_no_rate_covers() -> None:
    rates = [rate(-5, 2), rate(4, 6), rate(6, 8), rate(90, 95)]
    assert gaps(rates, at(0), at(10)) == [(at(2), at(4)), (at(8), at(10))]
    assert gaps([], at(0), at(10)) == [(at(0), at(10))]
    assert gaps([rate(0, 10)], at(0), at(10)) == []


SPANS = st.lists(st.integers(0, WINDOW_S), max_size=6, unique=True).map(
    lambda ends: tuple(
        (at(begin), at(end)) for begin, end in zip(*[iter(sorted(ends))] * 2, strict=False)
    )
)


@given(RATES, SPANS, st.booleans())
def test_what_an_answer_leaves_open_is_first_an_estimate_then_unknown(
    rates: list[Rate], spans: tuple[tuple[datetime, datetime], ...], final: bool
) -> None:
    known = list(normalise(rates, at(0), at(WINDOW_S)).rates)
    once = withdraw(known, Withdrawal(spans, final))
    twice = withdraw(once, Withdrawal(spans, final))
    for second in range(WINDOW_S):
        when = at(second + 0.5)
        before, first, then = (
            next((held for held in some if held.start <= when < held.end), None)
            for some in (known, once, twice)
        )
        if before is None or not any(start <= when < end for start, end in spans):
            assert first == before or (before and first and first.price == before.price)
            assert (first is None) == (before is None) == (then is None)
            continue
        assert first is not None
        assert (first.price, first.confidence) == (before.price, WITHDRAWN)
        assert (then is None) is final


def known_at(rates: list[Rate], second: int) -> tuple[Decimal, float] | None:
    when = at(second)
    found = (r for r in rates if r.start <= when < r.end)
    return next(((r.price, r.confidence) for r in found), None)


@settings(deadline=None)
@given(RATES, RATES, st.integers(-5, 20))
def test_the_first_difference_is_that_of_every_second_and_what_is_let_go_is_none(
    before: list[Rate], answer: list[Rate], let_go: int
) -> None:
    old = list(normalise(before, at(0), at(WINDOW_S)).rates)
    new = overlay(old, normalise(answer, at(0), at(WINDOW_S)).rates)
    new = [rate for rate in new if rate.end > at(let_go)]
    begin = int((new[0].start - START).total_seconds()) if new else 0
    differ = [s for s in range(begin, WINDOW_S) if known_at(old, s) != known_at(new, s)]
    found = first_difference(old, new)
    expected = at(differ[0]) if differ else None
    assert (found if found is None else max(found, at(begin))) == expected
