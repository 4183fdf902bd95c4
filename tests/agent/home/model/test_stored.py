"""A model comes back from the store as it went in, whatever of it was empty."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.home.model import stored
from agent.home.model.device_model import DeviceModel
from agent.home.model.meter import Counter
from agent.home.model.own_switching import OwnSwitching
from agent.home.model.session import Session
from agent.home.model.soc import Told
from agent.home.model.traits import Traits

NOW = datetime(2026, 1, 16, 20, tzinfo=UTC)
WHEN = st.integers(0, 200_000).map(lambda s: NOW - timedelta(seconds=s))
MAYBE = st.none() | WHEN
KWH = st.floats(0, 10_000).map(lambda kwh: round(kwh, 2))
BLOCK = st.none() | st.integers(1_700_000_000, 1_800_000_000)


def new() -> DeviceModel:
    return DeviceModel("device", Traits(7400.0, 50.0, 0.9, has_stays=True))


@st.composite
def models(draw: st.DrawFn) -> DeviceModel:
    model = new()
    model.session = Session(confirmed=draw(st.booleans()))
    for name in stored.SESSION_INSTANTS:
        setattr(model.session, name, draw(MAYBE))
    model.progress = draw(
        st.dictionaries(st.tuples(WHEN, st.integers(0, 3)), KWH, max_size=3).map(
            lambda found: {stored.progress_key(*key): kwh for key, kwh in found.items()}
        )
    )
    model.switching.restore(draw(MAYBE), draw(MAYBE), draw(MAYBE))
    lasts = timedelta(seconds=draw(st.integers(0, 7200)))
    model.switching.own = OwnSwitching(draw(st.integers(0, 9)), draw(MAYBE), draw(MAYBE), lasts)
    if draw(st.booleans()):
        model.meter.drawn.told = draw(st.integers(0, 7400).map(float)), draw(WHEN)
    model.schedules.block_since, model.schedules.block_ended = draw(BLOCK), draw(BLOCK)
    model.following.learned_power_w = draw(st.none() | st.integers(1, 7400).map(float))
    meter = model.meter
    meter.total_kwh, meter.session_kwh = draw(KWH), draw(KWH)
    meter.session_since, meter.integrated_to = draw(MAYBE), draw(MAYBE)
    if draw(st.booleans()):
        meter.counters = {"energy_kwh": Counter(draw(KWH), draw(WHEN))}
    meter.between_sessions = draw(st.booleans())
    if draw(st.booleans()):
        meter.before_session = Counter(draw(KWH), draw(WHEN))
    if draw(st.booleans()):
        at = draw(WHEN)
        model.soc.anchor = Told(draw(st.integers(0, 100).map(float)), at, at)
        model.soc.anchor_total_kwh = draw(KWH)
    return model


@given(models())
def test_what_was_stored_comes_back(model: DeviceModel) -> None:
    again = new()
    stored.restore(again, stored.to_text(model))
    assert again.session == model.session
    assert again.progress == model.progress
    assert again.switching == model.switching
    assert (again.schedules.block_since, again.schedules.block_ended) == (
        model.schedules.block_since,
        model.schedules.block_ended,
    )
    assert again.following.learned_power_w == model.following.learned_power_w
    assert again.meter.counters == model.meter.counters
    assert again.meter.total_kwh == model.meter.total_kwh
    assert again.meter.session_kwh == model.meter.session_kwh
    assert again.meter.session_since == model.meter.session_since
    assert again.meter.integrated_to == model.meter.integrated_to
    assert again.meter.drawn.told == model.meter.drawn.told
    assert again.meter.between_sessions == model.meter.between_sessions
    assert again.meter.before_session == model.meter.before_session
    assert again.soc.anchor == model.soc.anchor
    assert stored.to_text(again) == stored.to_text(model)


@pytest.mark.parametrize(
    "damage",
    [
        {"total_kwh": float("nan")},
        {"soc": [250, "2026-01-16T20:00:00Z", 3]},
        {"learned_power_w": 90_000},
        {"block_since": "yesterday"},
        {"power": [float("inf"), "2026-01-16T20:00:00Z"]},
        {"own_switching": {"refusals": "often"}},
        {"own_switching": {"lasts_s": 1e300}},
        {"on_since": "0001-01-01T00:00:00Z"},
        {"session": {"since": 5}},
        {"counters": {"energy_kwh": 5}},
        {"progress": {"no time": 5}},
    ],
)
def test_what_cannot_be_believed_is_refused_and_changes_nothing(damage: dict[str, object]) -> None:
    model = new()
    model.meter.total_kwh = 7.0
    model.schedules.block_since = 1_768_000_000
    text = json.dumps({**json.loads(stored.to_text(model)), **damage})
    again = new()
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        stored.restore(again, text)
    assert stored.to_text(again) == stored.to_text(new())


def test_that_time_has_passed_is_not_worth_a_write() -> None:
    model = new()
    model.meter.counters = {"energy_kwh": Counter(3.0, NOW)}
    model.meter.integrated_to = NOW
    before = stored.to_text(model)
    model.meter.counters = {"energy_kwh": Counter(3.0, NOW + timedelta(hours=1))}
    model.meter.integrated_to = NOW + timedelta(hours=1)
    assert stored.substance(stored.to_text(model)) == stored.substance(before)
    model.meter.total_kwh += 0.5
    assert stored.substance(stored.to_text(model)) != stored.substance(before)
