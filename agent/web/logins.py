"""A try with the password: slowed down, counted, recorded. For the page and for the API."""

import math
from collections.abc import Sequence

from agent.web.access.throttle import Throttle
from agent.web.context import EVERYBODY
from agent.web.visit import Visit


def seconds_to_wait(visit: Visit) -> int:
    """Until this visitor's next try is heard."""
    return math.ceil(max(throttle.wait_s(key) for throttle, key in _counters(visit)))


async def log_in(visit: Visit, password: str) -> str | None:
    """The token of the new session; None where the password is wrong. Raises Busy."""
    context, counters = visit.context, _counters(visit)
    for throttle, key in counters:
        throttle.tried(key)
    if not await context.account.is_right(password):
        for throttle, key in counters:
            throttle.failed(key)
        context.security_log.record("login_failed", visit.remote)
        return None
    for throttle, key in counters:
        throttle.succeeded(key)
    context.security_log.record("login", visit.remote)
    return visit.log_in()


def _counters(visit: Visit) -> Sequence[tuple[Throttle, str]]:
    """Where a try of this visitor counts: a known browser's by itself alone."""
    context = visit.context
    if name := visit.known_browser:
        return ((context.by_one, f"browser {name}"),)
    return (context.by_one, visit.network), (context.by_all, EVERYBODY)


def log_out(visit: Visit) -> None:
    if visit.session is not None:
        visit.context.security_log.record("logout", visit.remote)
        visit.log_out()
