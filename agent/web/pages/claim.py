"""The first visit: the one-time code, then a password. Also where a password was lost."""

import asyncio

from aiohttp import web

from agent.command_line import own_command_line
from agent.web.access.passwords import LEAST_LENGTH, MOST_LENGTH, Busy
from agent.web.claim_code import Answer
from agent.web.pages.page import Page
from agent.web.visit import Visit

STATUS = {Answer.WRONG: 403, Answer.EXPIRED: 403, Answer.LOCKED: 423}


async def show(visit: Visit) -> web.Response:
    return await _page(visit)


async def set_password(visit: Visit) -> web.Response:
    context = visit.context
    code = visit.form.get("code", "")
    password = visit.form.get("password", "")
    # Before the code, which is dead after its first use.
    # Blanks around it are kept, but nobody is kept out by them.
    if len(password.strip()) < LEAST_LENGTH or len(password) > MOST_LENGTH:
        return await _page(visit, "claim.too_short", status=422, code=code)
    if password != visit.form.get("again", ""):
        return await _page(visit, "claim.not_the_same", status=422, code=code)
    was_locked = context.claim.locked
    answer = await asyncio.to_thread(context.claim.judge, code)
    if answer is not Answer.RIGHT:
        if answer is Answer.WRONG:
            context.security_log.record("claim_failed", visit.remote)
        elif answer is Answer.LOCKED and not was_locked:
            context.security_log.record("claim_locked", visit.remote)
        return await _page(visit, f"claim.{answer}", status=STATUS[answer], code=code)
    changed = context.account.claimed
    try:
        stored = await context.account.set_password(password)
    except Busy:
        return await _page(visit, "login.busy", status=503)
    context.sessions.close_all()
    context.known_browsers.forget_all()
    context.security_log.record("password_changed" if changed else "claimed", visit.remote)
    visit.log_in("" if stored else visit.words("claim.not_stored"))
    context.security_log.record("login", visit.remote)
    return visit.redirect("/")


async def _page(
    visit: Visit, error: str = "", *, status: int = 200, code: str = ""
) -> web.Response:
    context = visit.context
    claimed = context.account.claimed
    if context.claim.locked:
        error = "claim.locked_claimed" if claimed else "claim.locked"
    values = {
        "error": error,
        "code": code[:20],
        "least": LEAST_LENGTH,
        "claimed": claimed,
        "command": own_command_line("claim", to_strangers=True),
        "locked": context.claim.locked,
    }
    return await visit.page("claim.html", values, status)


PAGE = Page(
    "claim", "/claim", show, actions={"password": set_password}, in_menu=False, is_open=True
)
