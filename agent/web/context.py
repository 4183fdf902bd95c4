"""What every page and every part of the API is given: the agent, and who may come in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.config import Config
from agent.contracts.topics import Topics
from agent.latest import LatestValue
from agent.paths import state_directory
from agent.ports import CompanionServices
from agent.serving.rates import RequestRates
from agent.web.access.account import Account
from agent.web.access.known_browsers import KnownBrowsers
from agent.web.access.security_log import SecurityLog
from agent.web.access.sessions import Sessions
from agent.web.access.throttle import Throttle
from agent.web.claim_code import ClaimCheck
from agent.web.guard.hosts import Hosts
from agent.web.guard.repeats import Repeats
from agent.web.settings import WebSection
from agent.web.templating import Templates

EVERYBODY = "everybody"
# Passwords that one network may try at once, and all together; the first pause after that.
TRIES_OF_ONE, TRIES_OF_ALL = 5, 50
PAUSE_OF_ONE_S, PAUSE_OF_ALL_S = 5.0, 2.0
# Requests that one network may make at once, and a second for ever.
REQUESTS_AT_ONCE, REQUESTS_PER_S = 150.0, 15.0


def _throttle_of_one() -> Throttle:
    return Throttle(TRIES_OF_ONE, PAUSE_OF_ONE_S, most_s=900)


def _throttle_of_all() -> Throttle:
    return Throttle(TRIES_OF_ALL, PAUSE_OF_ALL_S, most_s=60)


def _rates() -> RequestRates:
    return RequestRates(REQUESTS_AT_ONCE, REQUESTS_PER_S)


@dataclass(slots=True)
class WebContext:
    """`changes` counts what may have changed that pages show; it is set by the companion.

    `by_one` slows down one network address or known browser that tries passwords, `by_all` all
    addresses together.
    """

    section: WebSection
    config: Config
    services: CompanionServices
    clock: Clock
    topics: Topics
    account: Account
    claim: ClaimCheck
    sessions: Sessions
    known_browsers: KnownBrowsers
    security_log: SecurityLog
    hosts: Hosts
    templates: Templates = field(default_factory=Templates)
    changes: LatestValue[int] = field(default_factory=lambda: LatestValue(0))
    repeats: Repeats = field(default_factory=Repeats)
    rates: RequestRates = field(default_factory=_rates)
    by_one: Throttle = field(default_factory=_throttle_of_one)
    by_all: Throttle = field(default_factory=_throttle_of_all)

    @property
    def state_folder(self) -> Path:
        return state_folder(self.config)

    def published(self, topic: str) -> str | None:
        """What is true on a retained topic; None where nothing is."""
        message = self.services.snapshot().get(topic)
        return message.payload if message is not None and message.payload else None

    def document(self, topic: str) -> Mapping[str, Any] | None:
        """The same as a JSON object."""
        text = self.published(topic)
        return None if text is None else json.loads(text)


def state_folder(config: Config) -> Path:
    return state_directory(config.state.directory)


def make_context(
    section: WebSection, config: Config, services: CompanionServices, clock: Clock
) -> WebContext:
    store = services.database
    return WebContext(
        section,
        config,
        services,
        clock,
        Topics(config.base_topic),
        Account(store),
        ClaimCheck(state_folder(config)),
        Sessions(store, clock),
        KnownBrowsers(store),
        SecurityLog(store, clock),
        Hosts(section.names),
    )
