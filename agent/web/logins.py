"""A try with the password: slowed down, counted, recorded. For the page and for the API."""

import math

from agent.web.context import EVERYBODY
from agent.web.visit import Visit


def seconds_to_wait(visit: Visit) -> int:
    """Until this visitor's next try is heard."""
    context = visit.context
    waits = context.by_one.wait_s(visit.network), context.by_all.wait_s(EVERYBODY)
    return math.ceil(max(waits))


async def log_in(visit: Visit, password: str) -> str | None:
    """The token of the new session; None where the password is wrong. Raises Busy."""
    context = visit.context
    context.by_one.tried(visit.network)
    context.by_all.tried(EVERYBODY)
    if not await context.account.is_right(password):
        context.by_one.failed(visit.network)
        context.by_all.failed(EVERYBODY)
        context.security_log.record("login_failed", visit.remote)
        return None
    context.by_one.succeeded(visit.network)
    context.by_all.succeeded(EVERYBODY)
    context.security_log.record("login", visit.remote)
    return visit.log_in()


def log_out(visit: Visit) -> None:
    if visit.session is not None:
        visit.context.security_log.record("logout", visit.remote)
        visit.log_out()
