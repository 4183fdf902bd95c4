"""How long it waits: quick back to a broker that restarts, slow to one that has our name in use."""

import pytest

from agent.mqtt.reconnect import BACKOFF_MAX_S, TAKEN_OVER, Reconnect

SERVER_SHUTS_DOWN, PROTOCOL_ERROR = 0x8B, 0x82


def lost(policy: Reconnect, stayed_s: float, reason: int | None = None) -> float:
    return policy.on_lost(stayed_s, reason, explained=False)


def test_an_absent_broker_is_asked_ever_more_rarely_but_once_a_minute() -> None:
    policy = Reconnect()
    waits = [policy.on_refused(lasting=False) for _ in range(10)]
    assert waits[0] <= 2
    assert all(30 <= wait <= 60 for wait in waits[6:])


def test_who_is_not_let_in_waits_at_once_as_long_as_it_gets() -> None:
    assert 30 <= Reconnect().on_refused(lasting=True) <= 60


def test_a_loss_after_a_while_is_mended_at_once() -> None:
    policy = Reconnect()
    for _ in range(10):
        policy.on_refused(lasting=False)
    assert lost(policy, stayed_s=100) <= 1
    assert policy.on_refused(lasting=False) <= 2


def test_the_third_early_loss_is_a_rival_and_each_further_one_doubles_the_wait() -> None:
    policy = Reconnect()
    assert lost(policy, 1) <= 1
    assert lost(policy, 1) <= 1
    assert not policy.taken_over
    assert [lost(policy, 1) for _ in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert policy.taken_over


def test_a_refused_connect_in_between_is_a_restart() -> None:
    policy = Reconnect()
    for _ in range(10):
        assert lost(policy, 1) <= 1
        assert lost(policy, 1) <= 1
        policy.on_refused(lasting=False)
        assert not policy.taken_over


def test_a_reason_of_the_brokers_own_is_no_rival() -> None:
    policy = Reconnect()
    for _ in range(10):
        assert lost(policy, 1, SERVER_SHUTS_DOWN) <= BACKOFF_MAX_S
        assert not policy.taken_over


@pytest.mark.parametrize(("reason", "explained"), [(PROTOCOL_ERROR, False), (None, True)])
def test_a_broker_that_hangs_up_for_the_same_reason_is_asked_ever_more_rarely(
    reason: int | None, explained: bool
) -> None:
    policy = Reconnect()
    waits = [policy.on_lost(1, reason, explained=explained) for _ in range(12)]
    # Twice it is for a message that is too large, and then without it.
    assert all(wait <= 1 for wait in waits[:3])
    assert all(wait >= 30 for wait in waits[9:])
    assert policy.on_lost(100, reason, explained=explained) <= 1


def test_a_loss_with_an_explanation_is_no_rival() -> None:
    policy = Reconnect()
    for _ in range(10):
        policy.on_lost(1, None, explained=True)
        assert not policy.taken_over


def test_a_rival_that_is_named_is_yielded_to_even_where_it_leaves_us_minutes() -> None:
    policy = Reconnect()
    assert [lost(policy, 100, TAKEN_OVER) for _ in range(3)] == [60, 120, 240]
    assert lost(policy, 90_000, TAKEN_OVER) == 60
