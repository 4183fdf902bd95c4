"""What works and what does not, part by part: the worst first."""

from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from agent.health import State
from agent.web.pages.page import Page
from agent.web.visit import Visit
from agent.web.words import device_name

ORDER = (State.FAILED, State.DEGRADED, State.OK)


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    state: State
    since: datetime
    why: str
    deed: str


async def show(visit: Visit) -> web.Response:
    services = visit.context.services
    parts = [
        Part(_name(visit, name), found.state, found.since, found.why, found.deed)
        for name, found in services.health.parts.items()
    ]
    parts.sort(key=lambda part: (ORDER.index(part.state), part.name))
    values = {
        "items": parts,
        "counts": sorted(services.health.counts.items()),
        "state": parts[0].state if parts else State.OK,
    }
    return await visit.page("health.html", values)


def _name(visit: Visit, part: str) -> str:
    kind, _, device = part.partition(":")
    key = f"health.part_{kind}"
    text = visit.words(key) if visit.words.has(key) else device_name(kind)
    return f"{text} {device_name(device)}" if device else text


PAGE = Page("health", "/health", show)
