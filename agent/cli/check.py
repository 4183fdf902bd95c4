"""`flatpeak-agent check`: does everything stand that the agent needs? One line a thing.

Nothing is changed: the broker gets one message that is not retained, the tariff source one
question a direction.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import packages_distributions
from pathlib import Path

from agent.cli.common import (
    DATABASE,
    EX_CONFIG,
    EX_OK,
    EX_UNAVAILABLE,
    read_config,
    run_until_stopped,
)
from agent.clock import SystemClock
from agent.clockmonitor import MAX_CLOCK_OFFSET, kernel_synchronised
from agent.config import Config
from agent.config.devices import DeviceSection
from agent.energy.rates import Direction
from agent.errors import AgentError, Malformed, Refused, Unavailable
from agent.health import Health, State
from agent.home.kinds import KINDS
from agent.mqtt.connection import MqttConnection
from agent.paths import config_file, state_directory
from agent.ports import FetchedRates, Message
from agent.tasks import cancel_all
from integrations.registry import tariff_source

OK, WARNING, FAILED = "ok", "warning", "failed"
BROKER_WITHIN_S = 8.0
DISCONNECT_TIMEOUT_S = 1.0
ASKED_AHEAD = timedelta(hours=48)
DISTRIBUTION = "flatpeak-edge-agent"
IMPORT_NAMES = ("agent", "integrations")
FREE_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """`todo` says what a person can do about it."""

    part: str
    verdict: str
    text: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:<8} {self.part:<12} {self.text}{self.todo and f'; {self.todo}'}"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="flatpeak-agent check",
        description="Read the config, then try what it names: broker, tariff, state folder, clock.",
    )
    parser.add_argument("--config", type=Path, help="the config file to read")
    args = parser.parse_args(argv)
    config = read_config(args.config)
    if config is None:
        return EX_CONFIG
    # What the connection would log is told here.
    logging.disable(logging.ERROR)
    return run_until_stopped(_check(config, config_file(args.config)))


async def _check(config: Config, path: Path) -> int:
    worst = EX_OK
    async for finding in _findings(config, path):
        print(finding, flush=True)
        if finding.verdict == FAILED:
            worst = EX_UNAVAILABLE
    return worst


async def _findings(config: Config, path: Path) -> AsyncIterator[Finding]:
    for finding in (*_understood(config, path), *_names(), _state(config), _clock()):
        yield finding
    yield await _broker(config)
    async for finding in _tariff(config):
        yield finding


# --- what the config says -------------------------------------------------------------------------


def _understood(config: Config, path: Path) -> Iterator[Finding]:
    site = config.site
    zone = site.timezone or "the tariff's time zone"
    yield Finding("config", OK, f"{path}; topics below {config.base_topic}, in {zone}")
    if site.import_limit_w is not None:
        yield Finding(
            "limit",
            WARNING,
            f"the plan stays below {site.import_limit_w} W but protects no wire: a device on its "
            "own logic does not know the limit",
            "let the breaker or the charger's own load guard protect the house",
        )
    if not config.devices:
        yield Finding("devices", WARNING, "none; only prices are published", "add some to devices:")
    for device in config.devices:
        yield Finding(device.id, OK, _device(device))


def _device(device: DeviceSection) -> str:
    kind = KINDS[device.type]
    offline = kind.profile(device).offline
    power = f" at {offline.power_w} W" if offline.power_w else ""
    return f"{kind.describe(device)}; when nobody answers: {offline.mode}{power}"


def _names() -> Iterator[Finding]:
    """Another distribution under our import names would be run in our place, or we in its."""
    owners = packages_distributions()
    for name in IMPORT_NAMES:
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if others:
            yield Finding(
                "install",
                WARNING,
                f"{', '.join(others)} also brings a Python package called {name!r}",
                "install the agent into a virtual environment of its own",
            )


# --- this machine ---------------------------------------------------------------------------------


def _state(config: Config) -> Finding:
    folder = state_directory(config.state.directory)
    # Made by the service, so that it belongs to the service: here its parent has to do.
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    who = f"uid {os.getuid()}"
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
        database = folder / DATABASE
        if database.exists():
            _look_into(database)
    except (OSError, sqlite3.Error) as error:
        todo = "check state.directory and who may write there"
        return Finding("state", FAILED, f"{folder}, as {who}: {error}", todo)
    text = f"{folder} can be written by {who}"
    if free < FREE_BYTES:
        return Finding(
            "state", WARNING, f"{text}, but {free // 1_000_000} MB are free", "make room"
        )
    return Finding("state", OK, text)


def _look_into(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
        problem = opened.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise sqlite3.DatabaseError(f"{database.name} is damaged: {problem}")


def _clock() -> Finding:
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if kernel_synchronised():
        return Finding("clock", OK, f"{now}, synchronised")
    return Finding(
        "clock",
        WARNING,
        f"{now}, but nothing on this machine keeps it right",
        "switch on systemd-timesyncd or chrony",
    )


# --- the broker -----------------------------------------------------------------------------------


async def _broker(config: Config) -> Finding:
    settings, health = config.mqtt, Health(SystemClock())
    where = f"{settings.host}:{settings.port}"
    # A name and a topic of our own: a running agent must not notice.
    word, topic = secrets.token_hex(8), f"{config.base_topic}/check"
    came_back, wrote, troubled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def hear(message: Message) -> None:
        if message.payload == word.encode():
            came_back.set()

    async def write() -> None:
        await post.publish(topic, word, retain=False)
        wrote.set()

    def changed(_part: str) -> None:
        if health.parts["broker"].state is not State.OK:
            troubled.set()

    health.on_change.append(changed)
    name = f"{settings.client_id or 'flatpeak-check'}-{word}"[:23]
    post = MqttConnection(settings, topic, name, health, lambda: [topic], hear, write)
    running = asyncio.create_task(post.run())
    waiting = [asyncio.create_task(event.wait()) for event in (came_back, troubled)]
    await asyncio.wait(waiting, timeout=BROKER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    protocol = post.protocol
    # Leaves nothing behind, not even a last will.
    await post.publish_offline("", DISCONNECT_TIMEOUT_S)
    await cancel_all([running])
    for task in waiting:
        task.cancel()
    if came_back.is_set():
        return Finding("broker", OK, f"{protocol} at {where}; wrote to {topic} and read it back")
    if troubled.is_set():
        condition = health.parts["broker"]
        return Finding("broker", FAILED, condition.why, condition.who_acts or "is it running?")
    if wrote.is_set():
        return Finding(
            "broker",
            FAILED,
            f"{protocol} at {where} lets us in, but what is written to {topic} does not come back",
            "its access rules drop it without a word: see systemd/mosquitto.acl",
        )
    return Finding("broker", FAILED, f"{where} does not answer", "check mqtt.host and mqtt.port")


# --- the tariff -----------------------------------------------------------------------------------


async def _tariff(config: Config) -> AsyncIterator[Finding]:
    source = tariff_source(config.tariff, SystemClock())
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        for direction in source.directions:
            try:
                fetched = await source.fetch(direction, start, start + ASKED_AHEAD)
            except AgentError as error:
                yield _no_prices(config, direction, error)
                continue
            yield _prices(direction, fetched)
            if (off := _clock_off(fetched)) is not None:
                yield off
    finally:
        await source.close()


def _no_prices(config: Config, direction: Direction, error: AgentError) -> Finding:
    where = config.tariff.address
    todo = {
        Refused: "check account_id, api_key, location_id and directions",
        Unavailable: "try again later; check tariff.base_url and this machine's network",
        Malformed: "is tariff.base_url the right address?",
    }.get(type(error), "")
    return Finding("tariff", FAILED, f"{direction.value} from {where}: {error}", todo)


def _prices(direction: Direction, fetched: FetchedRates) -> Finding:
    now = datetime.now(UTC)
    rates = sorted(fetched.rates, key=lambda rate: rate.start)
    if not rates:
        text = f"{direction.value}: the source answers, but has no prices yet"
        return Finding("tariff", WARNING, text, "see health after a day")
    hours = (max(rate.end for rate in rates) - now).total_seconds() / 3600
    current = next((rate for rate in rates if rate.start <= now < rate.end), None)
    price = "no price for now" if current is None else f"now {current.price} {fetched.currency}"
    text = (
        f"{direction.value}: {len(rates)} price(s), {price}, known for {hours:.0f} hours; "
        f"{fetched.timezone}"
    )
    if current is None:
        return Finding("tariff", WARNING, text, "the agent estimates until there are prices")
    return Finding("tariff", OK, text)


def _clock_off(fetched: FetchedRates) -> Finding | None:
    if fetched.server_time is None:
        return None
    off = abs(fetched.server_time - datetime.now(UTC))
    if off <= MAX_CLOCK_OFFSET:
        return None
    seconds = f"{off.total_seconds():.0f} s"
    return Finding("clock", WARNING, f"{seconds} off the tariff source's", "set the clock")
