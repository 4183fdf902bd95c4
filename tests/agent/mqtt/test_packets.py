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


def test_a_guessed_limit_is_tried_again_after_an_hour_and_a_restart_teaches_nothing() -> None:
    limit = PacketLimit()
    limit.on_connected(None, now=0)
    assert limit.on_lost(20_000, certain=False)
    limit.on_connected(None, now=10)
    assert limit.allows(19_000)
    assert not limit.allows(20_000)
    limit.on_connected(None, now=4000)
    assert limit.allows(20_000)
    assert limit.on_lost(20_000, certain=False)
    limit.on_away()
    limit.on_connected(None, now=4010)
    assert limit.allows(20_000)
    assert not limit.on_lost(200, certain=False)
