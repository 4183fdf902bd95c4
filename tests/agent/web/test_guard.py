"""The parts that judge a request before any page: names, networks, tries, budgets."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from agent.energy.network import network_of
from agent.serving.rates import RequestRates
from agent.store import Store
from agent.web.access.passwords import Busy, Passwords
from agent.web.access.security_log import BURST, KEPT, REFILL_S, SecurityLog
from agent.web.access.sessions import IDLE, LASTS, MOST_SESSIONS, Sessions
from agent.web.access.throttle import Throttle
from agent.web.guard import csrf
from agent.web.guard.hosts import Hosts, is_loopback, is_near
from agent.web.languages import preferred


@dataclass
class Seconds:
    value: float = 1000.0

    def __call__(self) -> float:
        return self.value


@dataclass
class SetClock:
    """A wall clock that stands where it is put."""

    value: datetime = datetime(2026, 1, 15, tzinfo=UTC)

    def now(self) -> datetime:
        return self.value

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")

    async def sleep_until(self, when: datetime) -> None:
        raise AssertionError("nobody waits here")


@pytest.mark.parametrize(
    ("header", "ours"),
    [
        ("localhost:8780", True),
        ("LOCALHOST", True),
        ("gateway", True),
        ("gateway.local:8780", True),
        ("gateway.local.", True),
        ("192.168.1.7:8780", True),
        ("[fe80::1]:8780", True),
        ("house.example.org", True),
        ("evil.example", False),
        ("gateway.local.evil.example", False),
        ("evil.local", False),
        ("192.168.1.7.evil.example", False),
        ("", False),
        ("localhost:8780, evil.example", False),
        ("user@localhost", False),
        ("[::1", False),
        ("[evil]", False),
        ("localhost:99999999", False),
    ],
)
def test_only_our_own_names_are_answered(header: str, ours: bool) -> None:
    assert Hosts(["house.example.org"], "gateway.fritz.box").is_ours(header) is ours


@pytest.mark.parametrize(
    ("remote", "own", "near"),
    [
        ("192.168.1.20", "192.168.1.7", True),
        ("10.8.0.2", "192.168.1.7", True),
        ("100.64.0.9", "192.168.1.7", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("::ffff:192.168.1.20", "::ffff:192.168.1.7", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("2a02:8109:1:2:aaaa::1", "2a02:8109:1:2::7", True),
        ("2a02:8109:1:3::1", "2a02:8109:1:2::7", False),
        ("8.8.8.8", "192.168.1.7", False),
        ("::ffff:8.8.8.8", "::ffff:192.168.1.7", False),
        ("", "", False),
    ],
)
def test_who_lives_in_the_house_is_near(remote: str, own: str, near: bool) -> None:
    assert is_near(remote, own) is near


def test_loopback_is_known_in_every_form() -> None:
    assert all(is_loopback(text) for text in ("127.0.0.1", "::1", "::ffff:127.0.0.1"))
    assert not any(is_loopback(text) for text in ("192.168.1.7", "fe80::1%eth0", "unknown"))


def test_an_ipv6_machine_cannot_become_another_by_its_address() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.168.1.7") == network_of("192.168.1.7")


def test_pauses_grow_are_bounded_and_forgotten() -> None:
    now = Seconds()
    throttle = Throttle(free=3, base_s=5, most_s=900, now_s=now)
    waits = []
    for _ in range(15):
        now.value += throttle.wait_s("one")
        throttle.tried("one")
        waits.append(throttle.wait_s("one"))
    assert waits[:6] == [0, 0, 5, 10, 20, 40]
    assert waits[-1] == 900
    assert throttle.wait_s("other") == 0
    now.value += 3601
    assert throttle.wait_s("one") == 0
    throttle.tried("one")
    throttle.succeeded("one")
    assert throttle.wait_s("one") == 0


def test_tries_at_the_same_moment_are_no_free_ones() -> None:
    throttle = Throttle(free=3, base_s=5, most_s=900, now_s=Seconds())
    for _ in range(3):
        throttle.tried("one")
    assert throttle.wait_s("one") == 5


def test_many_addresses_do_not_fill_the_memory() -> None:
    throttle = Throttle(free=3, base_s=5, most_s=900, now_s=Seconds())
    rates = RequestRates(150, 15, now_s=Seconds())
    for number in range(5000):
        throttle.tried(str(number))
        assert rates.take(str(number))
    assert len(throttle._tries) <= 512
    assert len(rates._left) <= 256


def test_a_flood_of_requests_is_cut_to_its_share() -> None:
    now = Seconds()
    rates = RequestRates(burst=10, per_s=2, now_s=now)
    assert sum(rates.take("one") for _ in range(100)) == 10
    assert rates.take("other")
    now.value += 3
    assert sum(rates.take("one") for _ in range(100)) == 6


def test_a_form_token_fits_its_own_cookie_only() -> None:
    assert csrf.fits(csrf.token_for("secret"), "secret")
    assert not csrf.fits(csrf.token_for("secret"), "another")
    assert not csrf.fits(csrf.token_for(""), "")
    assert not csrf.fits("\ud800", "secret")


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        (None, True),
        ("http://gateway.local:8780", True),
        ("https://gateway.local:8780", True),
        ("http://gateway.local", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_forms_of_other_sites_are_told_by_their_origin(origin: str | None, same: bool) -> None:
    assert csrf.same_origin(origin, "gateway.local:8780") is same


async def test_sessions_end_by_time_and_number() -> None:
    clock, store = SetClock(), Store.in_memory()
    sessions = Sessions(store, clock)
    token = sessions.open("192.168.1.20")
    clock.value += IDLE - timedelta(seconds=1)
    assert sessions.find(token) is not None
    clock.value += IDLE - timedelta(seconds=1)
    assert Sessions(store, clock).find(token) is not None
    clock.value += IDLE
    assert sessions.find(token) is None
    assert Sessions(store, clock).find(token) is None
    used = sessions.open("192.168.1.20")
    ends = clock.value + LASTS
    while clock.value + timedelta(days=6) < ends:
        clock.value += timedelta(days=6)
        assert sessions.find(used) is not None
    clock.value = ends
    assert sessions.find(used) is None
    tokens = [sessions.open(f"192.168.1.{number}") for number in range(MOST_SESSIONS + 1)]
    assert sessions.find(tokens[0]) is None
    assert len(sessions.all()) == MOST_SESSIONS
    assert tokens[-1] not in str(store.rows("SELECT * FROM web_sessions", (), lambda row: row))


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "\ud800", "' OR 1=1 --"])
async def test_what_is_no_token_opens_nothing(token: str) -> None:
    sessions = Sessions(Store.in_memory(), SetClock())
    sessions.open("192.168.1.20")
    assert sessions.find(token) is None


async def test_what_a_stranger_causes_to_be_written_is_bounded() -> None:
    now, store = Seconds(), Store.in_memory()
    log = SecurityLog(store, SetClock(), now)
    for _ in range(1000):
        log.record("login_failed", "192.168.1.66")
    count = "SELECT count(*) FROM security_events"
    assert store.rows(count, (), lambda row: int(row[0])) == [int(BURST)]
    assert sum(event.count for event in log.recent()) == 1000
    now.value += REFILL_S
    log.record("login", "192.168.1.20")
    kinds = [(event.kind, event.text) for event in SecurityLog(store, SetClock(), now).recent()]
    assert kinds[0] == ("login", "192.168.1.20")
    assert kinds[1] == ("login_failed", "192.168.1.66 (980 times)")
    for _ in range(KEPT + 50):
        now.value += REFILL_S
        log.record("login", "192.168.1.20")
    assert store.rows(count, (), lambda row: int(row[0])) == [KEPT]


async def test_a_password_fits_itself_and_nothing_else() -> None:
    passwords = Passwords()
    stored = await passwords.hash("Gr\u00fc\u00dfe aus K\u00f6ln")
    # The same signs, as another keyboard composes them.
    assert await passwords.fits("Gru\u0308\u00dfe aus Ko\u0308ln", stored)
    assert not await passwords.fits("Gr\u00fc\u00dfe aus Bonn", stored)
    for broken in ("", "scrypt$1$2", "scrypt$99$8$5$AAAA$AAAA", stored.replace("scrypt", "plain")):
        assert not await passwords.fits("Gr\u00fc\u00dfe aus K\u00f6ln", broken)


async def test_a_flood_of_log_ins_is_turned_away_before_it_costs_anything() -> None:
    passwords = Passwords()
    tries = [asyncio.create_task(passwords.hash("x" * 12)) for _ in range(12)]
    done, waiting = await asyncio.wait(tries, return_when=asyncio.FIRST_EXCEPTION)
    assert [type(task.exception()) for task in done] == [Busy] * 4
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("fr, en;q=0.5, de;q=0.7", "de"),
        ("fr", "en"),
        ("", "en"),
        ("de;q=banana, en", "en"),
        (";;;q=,,", "en"),
    ],
)
def test_the_browsers_language_is_taken_where_we_have_it(header: str, language: str) -> None:
    assert preferred(header) == language
