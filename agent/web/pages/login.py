"""Logging in and out."""

from aiohttp import web

from agent.web.access.passwords import Busy
from agent.web.logins import log_in, log_out, seconds_to_wait
from agent.web.pages.page import Page
from agent.web.visit import Visit


async def show(visit: Visit) -> web.Response:
    if not visit.context.account.claimed:
        return visit.redirect("/claim")
    if visit.session is not None:
        return visit.redirect("/")
    return await _page(visit)


async def check(visit: Visit) -> web.Response:
    wait_s = seconds_to_wait(visit)
    if wait_s:
        return await _page(visit, "login.wait", wait_s)
    try:
        token = await log_in(visit, visit.form.get("password", ""))
    except Busy:
        return await _page(visit, "login.busy", status=503)
    if token is None:
        wait_s = seconds_to_wait(visit)
        return await _page(visit, "login.wrong_wait" if wait_s else "login.wrong", wait_s, 403)
    return visit.redirect(_target(visit.form.get("next", "")))


async def leave(visit: Visit) -> web.Response:
    log_out(visit)
    return visit.redirect("/login")


async def _page(visit: Visit, error: str = "", wait_s: int = 0, status: int = 200) -> web.Response:
    target = visit.form.get("next", "") or visit.request.query.get("next", "")
    undone = not error and "undone" in visit.request.query
    values = {"error": error, "wait_s": wait_s, "next": _target(target), "undone": undone}
    response = await visit.page("login.html", values, 429 if wait_s and status == 200 else status)
    if wait_s:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _target(text: str) -> str:
    """A page of ours to go on to; anything else is the home page."""
    # Imported here: the list of pages holds this one.
    from agent.web.pages import PAGES

    return text if any(text == page.path for page in PAGES if not page.is_open) else "/"


PAGE = Page(
    "login",
    "/login",
    show,
    actions={"check": check, "leave": leave},
    in_menu=False,
    is_open=True,
)
