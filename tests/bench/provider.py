"""The energy provider's side in two workers on SQLite: 200 sign-ins at once, 50 polls a second.

Nothing may be lost: every sign-in ends with a consent at FlatPeak, every poll with a tariff.
"""

import asyncio
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from integrations.provider.demo import FILES
from integrations.sandbox.broker import free_port
from tests.bench.agent import Row
from tests.fakes.flatpeak_for_providers import (
    PASSWORD,
    USERNAME,
    FlatPeakForProviders,
    Poller,
    flatpeak_for_providers,
)
from tests.fakes.provider import CLEO, SECRET, Browser, sign_in

WORKERS = 2
SIGN_INS = 200
POLLS_A_SECOND = 50
SECONDS = 60
POLLED = 10


def _config(folder: Path, flatpeak_url: str, port: int) -> Path:
    path = folder / "provider.yaml"
    path.write_text(
        f"public_url: http://127.0.0.1:{port}\n"
        f"http: {{port: {port}, workers: {WORKERS}}}\n"
        f"database: {{url: 'sqlite:///{folder}/provider.sqlite'}}\n"
        f"flatpeak: {{url: '{flatpeak_url}', username: {USERNAME}, password: {PASSWORD}}}\n"
        f"oauth: {{client_secret: {SECRET}}}\n"
        "polling: {min_interval_s: 0}\n"
        # All come from one address and are one customer; tries that are under way count.
        "login: {wrong_per_login: 1000, wrong_per_address: 10000, "
        "unknown_tokens_per_address: 10000}\n"
    )
    return path


async def _command(config: Path, *words: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "agent", "provider", words[0], "--config", str(config))
    return await asyncio.create_subprocess_exec(
        *command, *words[1:], stdout=asyncio.subprocess.DEVNULL, env=dict(os.environ)
    )


async def _until_there(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{url}/healthz"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


async def _connect(url: str, flatpeak: FlatPeakForProviders) -> tuple[float, Poller | None]:
    """Seconds from the arrival to the way back, and the poller where a consent came of it."""
    token, browser = flatpeak.new_token(), Browser(url)
    began = time.perf_counter()
    try:
        await browser.get(f"{url}/flatpeak?connect_token={token}")
        await sign_in(browser, CLEO)
        await browser.submit("consent")
    except (AssertionError, aiohttp.ClientError):
        return time.perf_counter() - began, None
    finally:
        await browser.close()
    data = flatpeak.outcome(token).get("data")
    return time.perf_counter() - began, Poller(data["auth_data"], SECRET) if data else None


async def _polls(pollers: list[Poller]) -> tuple[list[float], int]:
    """Milliseconds, sorted, and how many were lost. Each begins when it is due."""
    taken: list[float] = []
    lost = 0
    began = time.perf_counter()

    async def poll(http: aiohttp.ClientSession, number: int) -> None:
        nonlocal lost
        due = began + number / POLLS_A_SECOND
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        try:
            status, _ = await pollers[number % len(pollers)].poll(http)
        except aiohttp.ClientError:
            status = 0
        lost += status != 200
        taken.append((time.perf_counter() - due) * 1000)

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(poll(http, number) for number in range(POLLS_A_SECOND * SECONDS)))
    return sorted(taken), lost


async def _measure(folder: Path) -> tuple[list[float], list[float], int]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with flatpeak_for_providers() as flatpeak:
        config = _config(folder, flatpeak.url, port)
        await (await _command(config, "load", *map(str, FILES))).wait()
        server = await _command(config, "run")
        try:
            await _until_there(url)
            first = [await _connect(url, flatpeak) for _ in range(POLLED)]
            (polls, lost), signing = await asyncio.gather(
                _polls([poller for _, poller in first if poller]),
                asyncio.gather(*(_connect(url, flatpeak) for _ in range(SIGN_INS))),
            )
        finally:
            server.send_signal(signal.SIGTERM)
            await server.wait()
    lost += sum(poller is None for _, poller in signing)
    return sorted(seconds for seconds, _ in signing), polls, lost


def rows() -> Iterator[Row]:
    """Each: what, measured, target, unit."""
    with tempfile.TemporaryDirectory() as name:
        signing, polls, lost = asyncio.run(_measure(Path(name)))
    what = f"{SIGN_INS} sign-ins at once beside {POLLS_A_SECOND} polls a second"
    yield f"provider, {what}: lost", lost, 0, ""
    yield "sign-in to consent, median", statistics.median(signing), 20, "s"
    yield "sign-in to consent, the slowest", signing[-1], 40, "s"
    yield "tariff poll meanwhile, median", statistics.median(polls), 200, "ms"
    yield "tariff poll meanwhile, p99", polls[int(len(polls) * 0.99) - 1], 2000, "ms"
