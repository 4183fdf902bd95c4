"""A forecast laid over an expectation: its values as far as it reaches, else what was expected."""

from hypothesis import given
from hypothesis import strategies as st

from agent.energy.steps import Steps, overlaid

WEEK = 50


@given(
    st.dictionaries(st.integers(1, WEEK), st.integers(0, 9), max_size=6),
    st.lists(st.integers(0, WEEK), unique=True, max_size=8),
)
def test_the_spans_hold_where_they_reach(steps: dict[int, int], edges: list[int]) -> None:
    below = Steps((0, *sorted(steps)), (0.5, *(float(steps[at]) for at in sorted(steps))))
    edges.sort()
    spans = [(a, b, 100.0 + a) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    result = overlaid(below, spans)
    assert list(result.at) == sorted(set(result.at))
    for when in range(WEEK + 5):
        over = [value for start, end, value in spans if start <= when < end]
        assert result.value(when) == (over[0] if over else below.value(when)), when
