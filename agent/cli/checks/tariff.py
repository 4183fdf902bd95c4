"""The tariff source: does it give prices, and can they be right?"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.cli.checks.result import CheckResult, failed, passed, warning
from agent.cli.checks.units import check_amounts
from agent.cli.common import DATABASE, NO_NETWORK, OTHER_ADDRESS
from agent.clock import SystemClock
from agent.clockmonitor import MAX_CLOCK_OFFSET
from agent.command_line import own_command_line
from agent.config import Config
from agent.connect_ports import ConnectableSource
from agent.database.problem import READ_ERRORS, Damaged, NewerSchema
from agent.energy.rates import HUNDREDTHS, OTHER_CURRENCIES, PLAUSIBLE_PER_KWH, Direction
from agent.errors import AgentError, Malformed, Refused, Unavailable
from agent.health import Health
from agent.ports import FetchedRates, TariffSource
from agent.store import Store
from agent.tariff.connecting.connection_store import ConnectionStore
from agent.tariff.records import Records
from integrations.registry import tariff_source

ASKED_AHEAD = timedelta(hours=48)


async def check_tariff(config: Config, folder: Path) -> AsyncIterator[CheckResult]:
    """One question a direction, as the agent asks it; `folder` is where its database lies."""
    source = tariff_source(config.tariff, SystemClock())
    if isinstance(source, ConnectableSource):
        _use_connection(source, folder / DATABASE)
    currency = ""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        for direction in source.directions:
            try:
                fetched = await source.fetch(direction, start, start + ASKED_AHEAD)
            except AgentError as error:
                if isinstance(error, Refused) and error.code == "not_connected":
                    yield await _not_connected(config, source)
                    break
                yield _failed_at(config, f"{direction.value} from", error)
                continue
            currency = currency or fetched.currency
            for result in _check_answer(direction, fetched):
                yield result
    finally:
        await source.close()
    for result in check_amounts(config, currency):
        yield result


def _use_connection(source: ConnectableSource, database: Path) -> None:
    """What was connected, where the database can be read: else what the config says alone."""
    try:
        store = Store.copy_of(database)
    except (OSError, Damaged, NewerSchema, *READ_ERRORS):
        return
    with contextlib.closing(store):
        kept = ConnectionStore(Records(store, Health(SystemClock())))
    if kept.pairing_token:
        source.connect_api.use_token(kept.pairing_token)
    source.use_connection(kept.location.location_id, kept.location.directions)


async def _not_connected(config: Config, source: TariffSource) -> CheckResult:
    """Before anybody goes through Connect's pages: would the source let the agent in?"""
    text = "no tariff is connected yet"
    if isinstance(source, ConnectableSource):
        try:
            if await source.connect_api.log_in():
                text = f"{config.tariff.address} accepts the login; {text}"
        except AgentError as error:
            return _failed_at(config, "login at", error)
    return warning("tariff", text, f"{own_command_line('connect')}, or the page Tariff")


def _failed_at(config: Config, what: str, error: AgentError) -> CheckResult:
    hint = {
        Refused: "check account_id, api_key, location_id and directions",
        Unavailable: NO_NETWORK,
        Malformed: OTHER_ADDRESS,
    }.get(type(error), "see the README, Troubleshooting")
    return failed("tariff", f"{what} {config.tariff.address}: {error}", hint)


def _check_answer(direction: Direction, fetched: FetchedRates) -> Iterator[CheckResult]:
    yield _check_prices(direction, fetched)
    yield from _check_size(direction, fetched)
    for text in fetched.warnings:
        # The source's own words, which end with what the owner should do.
        said, _, hint = text.rpartition(": ")
        yield warning(
            "tariff",
            f"{direction.value}: {said or text}",
            hint if said else "check the tariff section of the config",
        )
    if fetched.dropped:
        yield warning(
            "tariff",
            f"{direction.value}: {fetched.dropped} price(s) could not be read",
            "they are estimated; tell FlatPeak if it stays so",
        )
    if fetched.server_time is not None:
        off = abs(fetched.server_time - datetime.now(UTC))
        if off > MAX_CLOCK_OFFSET:
            text = f"{off.total_seconds():.0f} s off the tariff source's"
            yield warning("clock", text, "set the clock")


def _check_prices(direction: Direction, fetched: FetchedRates) -> CheckResult:
    now = datetime.now(UTC)
    rates = sorted(fetched.rates, key=lambda rate: rate.start)
    if not rates:
        text = f"{direction.value}: the source answers, but has no prices yet"
        return warning("tariff", text, "see health after a day")
    hours = (max(rate.end for rate in rates) - now).total_seconds() / 3600
    current = next((rate for rate in rates if rate.start <= now < rate.end), None)
    price = "no price for now" if current is None else f"now {current.price} {fetched.currency}"
    text = (
        f"{direction.value}: {len(rates)} price(s), {price}, known for {hours:.0f} hours; "
        f"{fetched.timezone}"
    )
    if current is None:
        return warning("tariff", text, "the agent estimates until there are prices; look again")
    return passed("tariff", text)


def _check_size(direction: Direction, fetched: FetchedRates) -> Iterator[CheckResult]:
    most = PLAUSIBLE_PER_KWH.get(fetched.currency)
    if most is None and fetched.currency not in OTHER_CURRENCIES:
        text = f"{direction.value}: prices are in {fetched.currency}, which is no currency"
        yield warning("tariff", text, "expected a code such as EUR, GBP, SEK")
    prices = [rate.price for rate in fetched.rates]
    if most is None or not prices:
        return
    extreme = max(prices, key=abs)
    if abs(extreme) > most:
        yield warning(
            "tariff",
            f"{direction.value}: {extreme:g} {fetched.currency} per kWh is beyond belief",
            f"prices are in whole {fetched.currency} per kWh: "
            f"30 {HUNDREDTHS.get(fetched.currency, 'cents')} are 0.30",
        )
