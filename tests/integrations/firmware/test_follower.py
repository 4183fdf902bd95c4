"""The four rules, second by second, by the C follower and its twin."""

import random
from collections.abc import Callable

from integrations.firmware.follower import OWN
from integrations.firmware.rules import Source
from tests.fakes.firmware import START, Both, write_compact

WEEK = 7 * 86_400
END = START + 86_400
# The contract's section 3, as it stands there.
EXAMPLE = (
    b'{"r":1768521600,"s":1768521600,"u":"W","p":[[0,0],[5400,7400],[14400,0]],'
    b'"e":86400,"d":0,"o":[900,3700]}'
)


def test_the_contracts_own_example(both: Both) -> None:
    assert both.take(EXAMPLE) == "ACCEPTED"
    assert both.look(START) == (0, Source.SLOT, 5400)
    assert both.look(START + 5399) == (0, Source.SLOT, 1)
    assert both.look(START + 5400) == (7400, Source.SLOT, 9000)
    assert both.look(START + 14_399) == (7400, Source.SLOT, 1)
    assert both.look(START + 14_400) == (0, Source.SLOT, 72_000)
    assert both.look(END - 1) == (0, Source.SLOT, 1)
    assert both.look(END) == (0, Source.DEFAULT, 900)
    assert both.look(END + 899) == (0, Source.DEFAULT, 1)
    assert both.look(END + 900) == (3700, Source.OFFLINE, WEEK - 900)
    assert both.look(END + WEEK - 1) == (3700, Source.OFFLINE, 1)
    assert both.look(END + WEEK) == (OWN, Source.OWN, None)
    assert both.ack("ACCEPTED") == (
        '{"revision":1768521600,"status_type":"ACCEPTED","diagnostic":""}'
    )


def test_without_a_schedule_it_waits_safely_then_leaves_the_device_alone(both: Both) -> None:
    assert both.look(0, 0) == (0, Source.BOOT, 300)
    assert both.look(0, 299) == (0, Source.BOOT, 1)
    assert both.look(0, 300) == (OWN, Source.OWN, None)


def test_an_empty_payload_frees_the_device_at_once(both: Both) -> None:
    both.take(write_compact(), uptime=3)
    assert both.take(b"", uptime=5) == "REVOKED"
    assert both.look(START + 6000, 6) == (OWN, Source.OWN, None)
    assert both.ack("REVOKED") == '{"revision":0,"status_type":"REVOKED","diagnostic":""}'
    assert both.take(write_compact(r=1), uptime=7) == "ACCEPTED"


def test_an_offline_rule_later_than_a_week_never_speaks(both: Both) -> None:
    both.take(write_compact(o=[2 * WEEK, 3700], d=100))
    assert both.look(END + WEEK - 1) == (100, Source.DEFAULT, 1)
    assert both.look(END + WEEK) == (OWN, Source.OWN, None)


def test_without_a_clock_the_offline_rule_counts_from_the_arrival(both: Both) -> None:
    both.take(write_compact(), now=0, uptime=100)
    assert both.look(0, 999) == (0, Source.DEFAULT, 1)
    # given again, it has not come anew
    assert both.take(write_compact(), now=0, uptime=999) == "ACCEPTED"
    assert both.look(0, 1000) == (3700, Source.OFFLINE, WEEK - 900)
    assert both.look(0, 100 + WEEK) == (OWN, Source.OWN, None)
    # a time message sets the clock: from then on it follows its slots
    assert both.value(START + 6000, 200 + WEEK) == 7400


def test_a_clock_far_behind_counts_as_none_and_a_little_behind_as_slow(both: Both) -> None:
    both.take(write_compact(d=50), now=0, uptime=0)
    assert both.look(START - 301, 10) == (50, Source.DEFAULT, 1)
    assert both.look(START - 1000, 900) == (3700, Source.OFFLINE, 700)
    assert both.look(START - 300, 900) == (50, Source.DEFAULT, 300)
    # the clock jumps forward and back again: only the present time counts
    assert both.value(START + 6000, 901) == 7400
    assert both.value(START - 5000, 902) == 3700


def test_the_clock_is_never_wrapped_around(both: Both) -> None:
    assert both.take(write_compact(s=100, e=50, p=[[0, 5]])) == "ACCEPTED"
    assert both.look(1, 1000) == (0, Source.DEFAULT, 99)
    assert both.look(149, 1000) == (5, Source.SLOT, 1)
    last = 2**32 - 1
    assert both.take(write_compact(r=START + 1, s=last - 50, e=50, p=[[0, 5]])) == "ACCEPTED"
    assert both.value(last - 1) == 5
    assert both.value(last) == 0
    assert both.value(last - 400, 3000) == 3700
    assert both.take(write_compact(r=START + 2, s=last - 50, e=51)) == "REJECTED"


def test_uptime_may_wrap(both: Both) -> None:
    """A millis() counter divided by 1000 begins again after 4,294,967 s."""
    wrap = 4_294_967
    assert both.value(0, wrap - 10) == OWN
    both.take(write_compact(), now=0, uptime=wrap - 10)
    assert both.look(0, 500) == (0, Source.DEFAULT, 400)
    assert both.look(0, 900) == (3700, Source.OFFLINE, WEEK - 900)
    # without a schedule it is no new boot
    both.take(b"", uptime=1000)
    assert both.value(0, 1001) == OWN


def test_uptime_may_start_again_and_may_be_told_a_little_late(both: Both) -> None:
    both.take(write_compact(), now=0, uptime=5000)
    assert both.look(0, 4990) == (0, Source.DEFAULT, 900)
    assert both.look(0, 5100) == (0, Source.DEFAULT, 800)
    assert both.look(0, 100) == (0, Source.DEFAULT, 700)
    assert both.look(0, 800) == (3700, Source.OFFLINE, WEEK - 900)


def test_revisions_duplicates_and_what_comes_late(both: Both) -> None:
    assert both.take(write_compact(r=10)) == "ACCEPTED"
    assert both.take(write_compact(r=10, p=[])) == "ACCEPTED"
    assert both.value(START + 6000) == 7400
    assert both.take(write_compact(r=9, p=[])) == "REJECTED"
    assert both.ack("REJECTED") == '{"revision":10,"status_type":"REJECTED","diagnostic":""}'
    later = START + 90_000
    assert both.take(write_compact(r=9, p=[]), now=later) == "REJECTED"
    assert both.take(write_compact(r=9, s=START + 1, p=[]), now=0) == "REJECTED"
    assert both.take(write_compact(r=9, s=START + 1, p=[]), now=later) == "ACCEPTED"
    assert both.take(write_compact(r=11, d=1)) == "ACCEPTED"


def test_null_is_the_devices_own_logic(both: Both) -> None:
    both.take(write_compact(p=[[0, None], [60, -2500]], d=None, o=[0, None]))
    assert both.look(START) == (OWN, Source.SLOT, 60)
    assert both.value(START + 60) == -2500
    assert both.look(END) == (OWN, Source.OFFLINE, WEEK)


def test_a_device_takes_only_its_own_unit(followers: Callable[[str, int], Both]) -> None:
    watts, modes = followers("W", 0), followers("M", 2)
    heat = write_compact(u="M", p=[[0, 3], [60, 1]], d=2, o=[900, None])
    assert modes.look(0, 0) == (2, Source.BOOT, 300)
    assert modes.take(write_compact()) == "REJECTED"
    assert watts.take(heat) == "REJECTED"
    assert modes.take(heat) == "ACCEPTED"
    assert modes.value(START) == 3
    for nonsense in ({"p": [[0, 5]]}, {"d": 0}, {"o": [900, -1]}):
        body = {"r": START + 1, "u": "M", "p": [], "d": 2, "o": [900, 2], **nonsense}
        assert modes.take(write_compact(**body)) == "REJECTED"


def test_second_by_second_over_random_schedules(both: Both) -> None:
    """Both say the same, and nothing changes before they said that it would."""
    rng = random.Random(11)
    up = 0
    for revision in range(1, 40):
        offsets = sorted(rng.sample(range(4000), rng.randint(0, 12)))
        pairs = [[at, rng.choice([0, 7400, -3000, None, 1380])] for at in offsets]
        body = write_compact(
            r=revision,
            p=pairs,
            e=rng.randint(0, 5000),
            d=rng.choice([0, None, 500]),
            o=[rng.randint(0, 900), 3700],
        )
        assert both.take(body, now=rng.choice([0, START]), uptime=up) == "ACCEPTED"
        second, set_clock = -400, rng.random() < 0.8
        while second < 6500:
            now = START + second if set_clock else 0
            value, source, left_s = both.look(now, up)
            if left_s is not None and left_s > 1:
                quiet = rng.randrange(1, left_s)
                then = both.look(now + quiet if set_clock else 0, up + quiet)
                assert then == (value, source, left_s - quiet)
                up += quiet
                second += quiet
                now = START + second if set_clock else 0
                left_s -= quiet
            step = min(left_s or 3000, 3000)
            up += step
            second += step


def test_an_inverter_reads_its_limits_and_where_it_is_free(
    followers: Callable[[str, int], Both],
) -> None:
    """0 W is a limit too; null is its own logic."""
    roof = followers("W", OWN)
    assert roof.look(0, 0) == (OWN, Source.BOOT, 300)
    pairs = [[3600, 900], [7200, 0], [10_800, None]]
    roof.take(write_compact(p=pairs, d=None, o=[900, None]))
    assert roof.look(START) == (OWN, Source.DEFAULT, 3600)
    assert roof.look(START + 3600) == (900, Source.SLOT, 3600)
    assert roof.look(START + 7200) == (0, Source.SLOT, 3600)
    assert roof.value(START + 10_800) == OWN
    # Where the grid allows less than the roof can give, that is what it is left with.
    roof.take(write_compact(r=START + 1, p=[[3600, 3500]], d=3000, o=[900, 3000]))
    assert roof.value(START) == 3000
    assert roof.value(END + 901) == 3000
