"""What MQTT allows: topics, filters and which topics they cover (MQTT 5, section 4.7)."""

import pytest

from agent.mqtt.packets import PacketLimit, is_filter, matches


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("a/+/c", ["a/b/c", "a//c"], ["a/c", "a/b/c/d", "a/b"]),
        ("a/#", ["a", "a/b", "a/b/c", "a/"], ["b", "ab"]),
        ("#", ["a", "/", "a/b"], []),
        ("+", ["a", ""], ["a/b", "/"]),
        ("/+", ["/a"], ["a", "/a/b"]),
        ("a", ["a"], ["b", "a/"]),
    ],
)
def test_a_filter_covers_what_the_standard_says(
    pattern: str, covered: list[str], not_covered: list[str]
) -> None:
    assert is_filter(pattern)
    assert [topic for topic in covered if not matches(pattern, topic)] == []
    assert [topic for topic in not_covered if matches(pattern, topic)] == []


@pytest.mark.parametrize("text", ["", "a/#/b", "a#", "a+/b", "\0", "x" * 65_536])
def test_what_is_no_filter(text: str) -> None:
    assert not is_filter(text)


def hung_up_over(size: int, *, times: int, certain: bool = False) -> PacketLimit:
    limit = PacketLimit()
    limit.on_connected(None, now=0)
    for _ in range(times):
        assert limit.on_lost(size, certain=certain)
        limit.on_connected(None, now=10)
    return limit


def test_two_hang_ups_over_a_large_packet_teach_a_limit_for_an_hour() -> None:
    limit = hung_up_over(20_000, times=2)
    assert limit.allows(19_000, now=20)
    assert not limit.allows(20_000, now=3000)
    # Also while the connection stands.
    assert limit.allows(20_000, now=4000)


def test_a_broker_with_a_small_limit_teaches_it_too() -> None:
    limit = hung_up_over(2142, times=2)
    assert not limit.allows(2142, now=20)
    assert limit.allows(1000, now=20)


def test_one_broken_connection_teaches_nothing() -> None:
    limit = hung_up_over(20_000, times=1)
    assert limit.allows(20_000, now=20)
    limit.on_confirmed(20_000)
    # What was taken once is not too large, however often the line breaks over it.
    for _ in range(3):
        assert not limit.on_lost(20_000, certain=False)
        limit.on_connected(None, now=30)
    assert limit.allows(20_000, now=40)


def test_a_restart_teaches_nothing() -> None:
    limit = hung_up_over(20_000, times=1)
    assert limit.on_lost(20_000, certain=False)
    limit.on_away()
    limit.on_connected(None, now=20)
    assert limit.allows(20_000, now=30)
    assert not limit.on_lost(200, certain=False)


def test_what_the_broker_gives_as_its_reason_is_believed_at_once() -> None:
    assert not hung_up_over(200, times=1, certain=True).allows(200, now=20)
