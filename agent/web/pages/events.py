"""What has happened: events of the house, security events, who is logged in."""

from aiohttp import web

from agent.web.pages.page import Page
from agent.web.visit import Visit


async def show(visit: Visit) -> web.Response:
    context = visit.context
    values = {
        "events": list(reversed(context.services.events())),
        "security": context.security_log.recent(),
        "sessions": context.sessions.all(),
    }
    return await visit.page("events.html", values)


async def end_others(visit: Visit) -> web.Response:
    visit.context.sessions.close_all(but=visit.session)
    visit.context.security_log.record("sessions_ended", visit.remote)
    return visit.redirect("/events", visit.words("events.others_ended"))


PAGE = Page("events", "/events", show, actions={"end-others": end_others})
