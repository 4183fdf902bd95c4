"""What every command does with a terminal that can little, or with a reader that goes away."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.command import ROOT, command


def agent(*args: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent", *args],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("args", [("schema",), ("--help",), ("sandbox", "--faults"), ("sandbox",)])
def test_a_reader_that_has_seen_enough(args: tuple[str, ...]) -> None:
    more = ("--port", "0") if args == ("sandbox",) else ()
    with agent(*args, *more) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


def test_a_reader_that_goes_away_is_no_fault_of_the_state_folder(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    tariff = {"source": "flatpeak", "auth": "none", "base_url": "http://127.0.0.1:9"}
    state = {"directory": str(tmp_path)}
    mqtt = {"host": "127.0.0.1"}
    text = {"tariff": tariff, "mqtt": mqtt, "state": state, "devices": []}
    config.write_text(json.dumps(text))
    with agent("connect", "--status", "--config", str(config)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (141, b"")


@pytest.mark.parametrize("args", ["--help", "check --config /nowhere", "limits --state /nowhere"])
def test_an_output_that_was_closed_from_the_start(args: str) -> None:
    words = f"{sys.executable} -m agent {args}"
    ends = []
    for closed in ("", ">&-", ">&- 2>&-"):
        run = subprocess.run(
            ["sh", "-c", f"exec {words} {closed}"], cwd=ROOT, capture_output=True, check=False
        )
        assert b"Traceback" not in run.stderr
        ends.append(run.returncode)
    assert len(set(ends)) == 1


async def test_the_demos_reader_goes_away_in_the_middle() -> None:
    """The demo ends, its broker with it, and nothing is said."""
    async with command("demo", "--days", "9", "--speed", "3600") as demo:
        assert demo.process.stdout is not None
        assert await demo.process.stdout.readline()
        transport = demo.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()  # asyncio has no public way to close only this pipe
        async with asyncio.timeout(30):
            assert await demo.process.wait() == 141
        assert demo.process.stderr is not None
        assert await demo.process.stderr.read() == b""


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LANG": "C"}])
async def test_terminals_without_our_signs(tmp_path: Path, env: dict[str, str]) -> None:
    async with command("demo", "--days", "0.1", "--speed", "7200", env=env) as demo:
        code, out, err, _ = await demo.ended()
    assert (code, err) == (0, "")
    assert "simulated hours" in out
    (tmp_path / "config.yaml").write_text("site: {id: Größe}\n")
    async with command("check", "--config", tmp_path / "config.yaml", env=env) as check:
        code, _, err, _ = await check.ended()
    assert code == 78
    assert "site.id" in err
    assert "Traceback" not in err


async def test_documents_lose_nothing_where_the_encoding_has_little(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"schema": "Größe"}))
    args = ("plan", "--json", "--situation", tmp_path / "s.json")
    async with command(*args, env={"PYTHONIOENCODING": "ascii"}) as plan:
        _, out, _, _ = await plan.ended()
    assert "Größe" in json.loads(out)["error"]


def test_ctrl_c_is_no_traceback() -> None:
    with agent("plan", "--jsonl") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"{}\n")
        process.stdin.flush()
        assert b"error" in process.stdout.readline()
        # Now it waits for the next line.
        process.send_signal(signal.SIGINT)
        # Its input stays open till then: the end of it would be another reason to end.
        code = process.wait(30)
        assert process.stderr is not None
        assert (code, process.stderr.read()) == (130, b"")


@pytest.mark.parametrize("args", [("schema",), ("--help",), ("sandbox", "--faults")])
def test_a_full_disk_below_the_output(args: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agent", *args],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    said = b"flatpeak-agent: the output has no room: No space left on device\n"
    assert (done.returncode, done.stderr) == (74, said)


def test_a_full_disk_below_the_output_is_not_that_of_the_state(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "tariff: {source: flatpeak, account_id: acc_1, api_key: sk_test_1, "
        f"base_url: http://127.0.0.1:9}}\nstate: {{directory: {tmp_path}}}\n"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agent", "connect", "--status", "--config", config],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    said = b"flatpeak-agent: the output has no room: No space left on device\n"
    assert (done.returncode, done.stderr) == (74, said)


def test_a_folder_for_schemas_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place, why in (("file", "is no folder"), ("file/below", "Not a directory")):
        done = subprocess.run(
            [sys.executable, "-m", "agent", "schema", tmp_path / place],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"flatpeak-agent schema: {tmp_path / place}: {why}\n"
        assert (done.returncode, done.stderr) == (73, said)
