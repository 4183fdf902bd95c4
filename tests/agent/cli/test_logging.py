"""What the log looks like: one line an event, and the journal knows how grave it is."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from tests.fakes.command import ROOT

PROGRAM = """
import logging
from agent.cli.common import set_up_logging
set_up_logging("info")
log = logging.getLogger("x")
log.info("all is well")
log.warning("%s", "two" + chr(10) + "lines" + chr(27) + "[31m")
log.error("long %s", "y" * 5000)
try:
    raise ValueError("bad" + chr(10) + "<0>news")
except ValueError:
    log.critical("end", exc_info=True)
"""


def logged(path: Path, stream: str) -> list[str]:
    """`stream` is what JOURNAL_STREAM says; {} stands for the file that stderr is."""
    with path.open("wb") as file:
        status = os.fstat(file.fileno())
        this = f"{status.st_dev}:{status.st_ino}"
        env = {"PYTHONPATH": str(ROOT), "JOURNAL_STREAM": stream.format(this)}
        subprocess.run([sys.executable, "-c", PROGRAM], env=env, stderr=file, check=True)
    return path.read_text().splitlines()


def test_the_journal_is_told_the_priority_of_each_line(tmp_path: Path) -> None:
    lines = logged(tmp_path / "journal", "{}")
    assert lines[0] == "<6>I x: all is well"
    assert lines[1] == "<4>W x: two lines [31m"
    assert lines[2].startswith("<3>E x: long yyy")
    assert len(lines[2]) < 1100
    assert lines[3] == "<2>C x: end"
    assert len(lines) > 5
    assert all(line.startswith("<2>") for line in lines[3:])


def test_elsewhere_there_are_no_priorities(tmp_path: Path) -> None:
    lines = logged(tmp_path / "log", "8:12345")
    when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(f"{when} I x: all is well", lines[0])
    assert re.fullmatch(rf"{when} W x: two lines \[31m", lines[1])
    assert re.fullmatch(f"{when} C x: end", lines[3])
    assert lines[4].startswith("  Traceback")


def test_on_a_terminal_each_line_has_the_time_of_day() -> None:
    ours, theirs = pty.openpty()
    command, env = [sys.executable, "-c", PROGRAM], {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, env=env, stderr=theirs, check=True)
    os.close(theirs)
    # What the terminal kept of it is a start at least.
    text = os.read(ours, 4096).decode()
    os.close(ours)
    assert re.match(r"\d\d:\d\d:\d\d I x: all is well\r\n\d\d:\d\d:\d\d W x: two", text)


NO_HTTP = """
import asyncio
from aiohttp import web
from agent.cli.common import set_up_logging
async def fails(request):
    raise ValueError("a fault of ours")
async def main():
    app = web.Application()
    app.router.add_get("/", fails)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    good = b"GET / HTTP/1.1\\r\\nHost: a"
    for said in (good + b"\\r\\nHost: b", b"\\x16\\x03\\x01", good):
        reader, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(said + b"\\r\\nConnection: close\\r\\n\\r\\n")
        print((await reader.readline()).split()[1].decode())
        writer.close()
    await runner.cleanup()
set_up_logging("info")
asyncio.run(main())
"""


def test_what_strangers_send_that_is_no_http_fills_no_log() -> None:
    command, env = [sys.executable, "-c", NO_HTTP], {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["400", "400", "500"]
    assert ran.stderr.count("E aiohttp.server") == 1
    assert "a fault of ours" in ran.stderr


def test_the_faults_of_a_config_are_errors_in_the_journal(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("nonsense: 1\n")
    with (tmp_path / "journal").open("wb") as file:
        status = os.fstat(file.fileno())
        env = {"PYTHONPATH": str(ROOT), "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
        ran = subprocess.run(command, env=env, stderr=file, check=False)
    assert ran.returncode == 78
    lines = (tmp_path / "journal").read_text().splitlines()
    assert len(lines) > 1
    assert all(line.startswith("<3>") for line in lines)
