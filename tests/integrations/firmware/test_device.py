"""The kit around the rules: flash, acknowledgements, sizes, C++."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from integrations.firmware.compiled import (
    FOLDER,
    SOURCES,
    CompiledFollower,
    compile_follower,
    find_compiler,
)
from integrations.firmware.follower import OWN, Follower
from integrations.firmware.rules import Source
from tests.fakes.firmware import START, Both, write_compact
from tests.fakes.parts import lacking

# An ATmega328 has 2,048 bytes of RAM; a receive buffer takes 1,280 of them.
MAX_FOLLOWER_BYTES = 512
# A quarter of that chip's flash.
MAX_CODE_BYTES = 8192


def test_it_is_small_enough_for_small_firmware(both: Both, tmp_path: Path) -> None:
    compiler = find_compiler()
    assert compiler
    assert int(both.ask("z")) <= MAX_FOLLOWER_BYTES
    objects = []
    for source in SOURCES:
        out = tmp_path / f"{source.stem}.o"
        command = [compiler, "-std=c99", "-Os", "-c", str(source), "-o", str(out)]
        subprocess.run(command, check=True)
        objects.append(str(out))
    text = subprocess.run(["size", *objects], check=True, capture_output=True, text=True).stdout
    rows = [[int(number) for number in row.split()[:3]] for row in text.splitlines()[1:]]
    assert sum(code for code, _, _ in rows) < MAX_CODE_BYTES
    assert all(data == bss == 0 for _, data, bss in rows)


def test_it_compiles_as_cpp(tmp_path: Path) -> None:
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        lacking("a C++ compiler")
    flags = ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    harness = Path(__file__).parent / "harness.c"
    for source in (*SOURCES, harness):
        command = [compiler, *flags, f"-I{FOLDER}", "-c", str(source), "-o", str(tmp_path / "o")]
        subprocess.run(command, check=True)
    # A sketch in C++ calls the kit compiled as C: only `extern "C"` lets it be linked.
    c_compiler = find_compiler()
    assert c_compiler
    objects = [str(tmp_path / f"{source.stem}.o") for source in SOURCES]
    for source, out in zip(SOURCES, objects, strict=True):
        subprocess.run([c_compiler, "-std=c99", "-c", str(source), "-o", out], check=True)
    command = [compiler, *flags, f"-I{FOLDER}", str(harness), "-x", "none", *objects]
    subprocess.run([*command, "-o", str(tmp_path / "sketch")], check=True)


def test_what_was_kept_in_flash_is_followed_from_the_next_boot(both: Both) -> None:
    both.take(write_compact(), uptime=90_000)
    kept = both.ask("k")
    assert both.ask(f"l {kept}") == "1"
    # The twin of a boot is a new follower that gets the schedule in its first second.
    both.twin = Follower()
    both.twin.take(write_compact(), 0, 0)
    assert both.look(0, 0) == (0, Source.DEFAULT, 900)
    assert both.look(0, 900)[:2] == (3700, Source.OFFLINE)
    assert both.look(START + 6000, 901)[:2] == (7400, Source.SLOT)
    assert both.take(write_compact(), uptime=902) == "ACCEPTED"
    assert both.ask("k") == kept


def test_flash_that_is_empty_or_damaged_is_told_and_not_followed(both: Both) -> None:
    both.take(write_compact())
    kept = bytes.fromhex(both.ask("k"))
    damaged = [b"\xff" * len(kept), b"\0" * len(kept)]
    for index in range(len(kept)):
        one = bytearray(kept)
        one[index] ^= 1 << index % 8
        damaged.append(bytes(one))
    for stored in damaged:
        assert both.ask(f"l {stored.hex()}") == "0"
        assert both.ask("t 0 1 ff").split() == ["0", "0"]
        assert both.ask("v 0 5").split()[:2] == ["0", str(Source.BOOT.value)]


def test_a_withdrawn_schedule_does_not_come_back_from_flash(both: Both) -> None:
    both.take(write_compact())
    both.take(b"")
    assert both.ask(f"l {both.ask('k')}") == "0"


def test_what_another_kind_of_device_kept_is_refused(followers: Callable[[str, int], Both]) -> None:
    watts, modes = followers("W", 0), followers("M", 2)
    watts.take(write_compact())
    assert modes.ask(f"l {watts.ask('k')}") == "0"


@pytest.mark.parametrize("word", ["STARTED", "SUCCEEDED", "ABORTED"])
def test_acknowledgements_of_programs_and_people(both: Both, word: str) -> None:
    both.take(write_compact(r=7))
    assert both.ack(word, b"user_opt_out") == (
        f'{{"revision":7,"status_type":"{word}","diagnostic":"user_opt_out"}}'
    )


def test_an_acknowledgement_is_whole_or_not_written(both: Both) -> None:
    both.take(write_compact(r=2**32 - 1))
    longest = '{"revision":4294967295,"status_type":"SUCCEEDED","diagnostic":""}'
    assert both.ack("SUCCEEDED", size=len(longest) + 1) == longest
    for size in (0, 1, 10, len(longest)):
        assert both.ack("SUCCEEDED", size=size) == ""
    for diagnostic in (b'"', b"\\", b"\n", "ü".encode(), b"x" * 80):
        assert both.ack("REJECTED", diagnostic) == ""


def test_the_compiled_one_stands_in_for_the_twin(tmp_path: Path) -> None:
    library = compile_follower(tmp_path)
    assert library is not None
    for follower in (CompiledFollower(library, 0), Follower(0)):
        assert follower.speaks(0, 0) is Source.BOOT
        assert follower.take(write_compact(), START, 5) == "ACCEPTED"
        assert follower.revision == START
        assert follower.value(START + 5400, 6) == 7400
        assert follower.speaks(START + 5400, 6) is Source.SLOT
        assert follower.next_change(START + 5400, 6) == 9000
        assert follower.take(b"", START, 7) == "REVOKED"
        assert follower.value(START, 8) == OWN
        assert follower.next_change(START, 8) is None
