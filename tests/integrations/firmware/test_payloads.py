"""What is read and what is refused: the C follower and its twin agree on every byte."""

import json
import random
from collections.abc import Callable

import pytest

from integrations.firmware.follower import MAX_DEPTH
from tests.fakes.firmware import START, Both, write_compact

MUTATIONS = 6000


def spliced(member: str) -> bytes:
    """The example with this member, as it is written here, in front."""
    return b"{" + member.encode() + b"," + write_compact()[1:]


BROKEN = [
    b"{",
    b"{}",
    b"[]",
    b"null",
    b"nothing",
    b'{"r":1}',
    b"\xef\xbb\xbf" + write_compact(),
    write_compact().decode().encode("utf-16"),
    write_compact(u="X"),
    write_compact(u="M"),
    write_compact(u="WW"),
    write_compact(u=1),
    write_compact(r=0),
    write_compact(r=-1),
    write_compact(r=2**32),
    write_compact(r=True),
    write_compact(r=None),
    write_compact(s="soon"),
    write_compact(p=[[10, 1], [10, 2]]),
    write_compact(p=[[0, 1.5]]),
    write_compact(p=[[-1, 1]]),
    write_compact(p=[[0]]),
    write_compact(p=[[0, 1, 2]]),
    write_compact(p=[[0, 2**31]]),
    write_compact(p=[[0, -(2**31)]]),
    write_compact(p=[[2_678_401, 1]]),
    write_compact(p=[[number, 0] for number in range(65)]),
    write_compact(p={}),
    write_compact(d=...),
    write_compact(d="0"),
    write_compact(o=...),
    write_compact(o=[900]),
    write_compact(e=START + 86_400),
    write_compact(e=2_678_401),
    write_compact() + b"x",
    write_compact() + b"\0",
    write_compact()[:-1],
    write_compact()[:-1] + b",}",
    b" " * 1300,
    write_compact(note="x" * 1300),
    spliced('"r":1'),
    spliced('"\\u0072":1'),
    spliced('"u":"W"'),
]
# Members that the device does not know: valid JSON is passed over, whatever it is.
PASSED = [
    '"x":null',
    '"x":[[],{},[{}],"",0,-0,0.5,-1.5e-7,1E+300,true,false,null]',
    '"x":{"r":1,"r":2}',
    '"rr":1',
    '"":1',
    '"\\u0000":1',
    '"\\u0072r":1',
    '"R":{"a":[1,{"b":"}]\\\\\\""}]}',
    '"x":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\\ud800"',
    '"ü€😀":"\u007f\u0080\uffff\U0010ffff"',
    '"x":99999999999999999999999999999999',
    '\t\n\r "x" : [ 1 , 2 ] ',
]
REFUSED = [
    "x:1",
    "'x':1",
    '"x"',
    '"x":',
    '"x":tru',
    '"x":nulls',
    '"x":NaN',
    '"x":-Infinity',
    '"x":+1',
    '"x":01',
    '"x":-',
    '"x":.5',
    '"x":1.',
    '"x":1e',
    '"x":1e+',
    '"x":[1,]',
    '"x":[,1]',
    '"x":[1 2]',
    '"x":{"a"}',
    '"x":{"a":}',
    '"x":{1:2}',
    '"x":{"a":1,}',
    '"x":{,}',
    '"x":[1}',
    '"x":{"a":1]',
    '"x":"\\x41"',
    '"x":"\\u12g4"',
    '"x":"\\u+123"',
    '"x":"\ttab"',
    '"x":"\nline"',
]


@pytest.mark.parametrize("payload", BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_read_changes_nothing(both: Both, payload: bytes) -> None:
    both.take(write_compact())
    held = both.ask("k")
    assert both.take(payload) == "REJECTED"
    assert both.ask("k") == held
    assert both.value(START + 6000) == 7400


@pytest.mark.parametrize("member", PASSED)
def test_unknown_keys_are_skipped_whatever_they_hold(both: Both, member: str) -> None:
    assert both.take(spliced(member)) == "ACCEPTED"
    assert both.value(START + 6000) == 7400


@pytest.mark.parametrize("member", REFUSED)
def test_what_is_no_json_is_refused_in_unknown_keys_too(both: Both, member: str) -> None:
    assert both.take(spliced(member)) == "REJECTED"


@pytest.mark.parametrize("number", ["00", "01", "1.0", "1e0", "0x1", "+1", "- 1", "1_0", "--1"])
@pytest.mark.parametrize("key", ["s", "d", "o", "p"])
def test_numbers_are_whole_and_plain(both: Both, key: str, number: str) -> None:
    written = {"o": f"[900,{number}]", "p": f"[[0,{number}]]"}.get(key, number)
    body = write_compact(**{key: ...})[:-1] + f',"{key}":{written}}}'.encode()
    assert both.take(body) == "REJECTED"


def test_minus_zero_is_zero(both: Both) -> None:
    body = b'{"r":5,"s":-0,"u":"W","p":[[-0,-0]],"e":60,"d":-0,"o":[-0,-0]}'
    assert both.take(body) == "ACCEPTED"
    assert both.value(30) == 0


NOT_UTF_8 = (
    *(b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80"),
    *(b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"),
)


@pytest.mark.parametrize("text", NOT_UTF_8)
def test_what_is_not_utf_8_is_refused(both: Both, text: bytes) -> None:
    assert both.take(b'{"x":"' + text + b'",' + write_compact()[1:]) == "REJECTED"


def test_known_names_may_be_written_with_escapes(both: Both) -> None:
    body = write_compact().replace(b'"r"', b'"\\u0072"').replace(b'"W"', b'"\\u0057"')
    assert both.take(body) == "ACCEPTED"


def test_deep_nesting_ends_at_the_same_level_and_breaks_nobody(both: Both) -> None:
    for depth in (1, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 200, 500):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            inside = opening * depth + "1" + closing * depth
            word = both.take(spliced(f'"x":{inside}'))
            longest = len(inside) < 1000 and depth <= MAX_DEPTH - 1
            assert word == ("ACCEPTED" if longest else "REJECTED"), (depth, opening)
    assert both.take(b"[" * 1280) == "REJECTED"
    assert both.take(b'{"x":' * 250) == "REJECTED"


def junk(rng: random.Random, depth: int = 0) -> object:
    """Any JSON value."""
    kind = rng.randrange(8 if depth < 5 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randint(-(10**12), 10**12)
    if kind == 2:
        return rng.uniform(-1e9, 1e9)
    if kind in (3, 4, 5):
        return "".join(rng.choice('rsupedo"\\/\t ü€😀{}[],:01') for _ in range(rng.randrange(6)))
    if kind == 6:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {str(junk(rng, 5)): junk(rng, depth + 1) for _ in range(rng.randrange(4))}


def test_changed_anywhere_both_read_the_same(both: Both) -> None:
    rng = random.Random(7)
    words = []
    for number in range(MUTATIONS):
        extra = {f"x{index}": junk(rng) for index in range(rng.randrange(4))}
        document = json.loads(write_compact(r=START + number)) | extra
        keys = rng.sample(sorted(document), len(document))
        ascii_only = rng.random() < 0.5
        text = json.dumps({key: document[key] for key in keys}, ensure_ascii=ascii_only)
        body = bytearray(text.encode())
        for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
            where = rng.randrange(len(body))
            what = rng.choice(b'0123456789{}[],:"\\nultruWM-+.eE \t\n\x00\x7f\x80\xc3\xff')
            action = rng.randrange(3)
            if action == 0:
                body[where] = what
            elif action == 1:
                body.insert(where, what)
            else:
                del body[where]
        # Nothing is held: only what is read decides.
        both.take(b"")
        words.append(both.take(bytes(body), now=START + rng.randrange(100_000)))
        both.value(START + rng.randrange(-1000, 100_000), number)
    # enough of both kinds for the comparison to mean something
    assert min(words.count("ACCEPTED"), words.count("REJECTED")) > MUTATIONS / 10


def test_cut_off_anywhere_both_refuse(both: Both) -> None:
    good = write_compact(x={"y": [1, 2, {"z": "tüxt"}]})
    for length in range(1, len(good)):
        assert both.take(good[:length]) == "REJECTED"


@pytest.mark.parametrize(
    ("payload", "seconds"),
    [
        (b'{"t":1768521600}', START),
        (b' { "t" : 1768521600 , "zone" : ["UTC", {"t": 5}] } ', START),
        (b'{"t":4294967295}', 2**32 - 1),
        (b"", None),
        (b"{}", None),
        (b'{"t":0}', None),
        (b'{"t":-5}', None),
        (b'{"t":4294967296}', None),
        (b'{"t":"1768521600"}', None),
        (b'{"t":1768521600.5}', None),
        (b'{"t":1,"t":2}', None),
        (b'{"t":1768521600}}', None),
        (b'{"t":1768521600,"x":nope}', None),
        (b"1768521600", None),
    ],
)
def test_the_time_message(both: Both, payload: bytes, seconds: int | None) -> None:
    assert both.time(payload) == seconds


def test_the_longest_compact_form_is_taken(both: Both) -> None:
    pairs = [[40_000 * number, -1_000_000 - number] for number in range(64)]
    assert both.take(write_compact(p=pairs, e=2_678_400)) == "ACCEPTED"
    assert both.value(START + 2_520_000) == -1_000_063


def test_followers_of_modes_agree_too(followers: Callable[[str, int], Both]) -> None:
    modes = followers("M", 2)
    rng = random.Random(3)
    for number in range(500):
        value = rng.choice([None, *range(-1, 7)])
        modes.take(write_compact(r=START + number, u="M", p=[[0, value]], d=2, o=[900, 2]))
        modes.value(START)
