"""The home page: what a kWh costs now and next, what each appliance does, boost and pause."""

import re
from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from agent.energy.sentences import sentence
from agent.errors import Refused, Unavailable
from agent.web.api.house import import_rates, next_cheaper, price_now, price_until, tariff_status
from agent.web.pages.appliance import appliance_card
from agent.web.pages.page import Handler, Page
from agent.web.pages.price_chart import price_chart
from agent.web.visit import Visit
from agent.web.wishes import ask
from agent.web.words import device_name

MINUTES = re.compile(r"[0-9]{1,4}")
DURATIONS_MIN = (30, 60, 120, 240, 480)
USUAL_MIN = 60
LONGEST_MIN = 24 * 60
NO_MINUTES = sentence(
    "minutes are a whole number from 1 to {most}, such as {usual}",
    most=LONGEST_MIN,
    usual=USUAL_MIN,
)


async def show(visit: Visit) -> web.Response:
    context, now = visit.context, visit.now
    services = context.services
    rates = import_rates(context, now)
    tariff = tariff_status(context)
    currency = str(tariff["currency"] or "")
    values = {
        "currency": currency,
        "price": price_now(rates, now),
        "price_until": price_until(rates, now),
        "cheaper": next_cheaper(rates, now),
        "chart": price_chart(rates, now, visit.words, currency),
        "clock_trusted": services.clock_trusted,
        "problems": services.site().problems,
        "away_until": _away_until(visit),
        "devices": [appliance_card(visit, view) for view in services.devices()],
        "durations": DURATIONS_MIN,
        "usual": USUAL_MIN,
    }
    return await visit.page("home.html", values)


def _away_until(visit: Visit) -> datetime | None:
    """Until when nobody is at home, by what somebody has asked for; None where it is not so."""
    context = visit.context
    until = (context.document(context.topics.site_wish) or {}).get("away_until")
    when = datetime.fromisoformat(until) if until else None
    return when if when is not None and when > visit.now else None


async def back(visit: Visit) -> web.Response:
    """Somebody is at home again."""
    try:
        await ask(visit.context, None, {"away_until": None})
    except (Refused, Unavailable):
        return visit.redirect("/", visit.words("home.late"), is_error=True)
    return visit.redirect("/", visit.words("home.done_back"))


def _mode(visit: Visit, name: str) -> dict[str, object]:
    """Raises Refused."""
    if name == "auto":
        return {"mode": name}
    minutes = visit.form.get("minutes", str(USUAL_MIN)).strip()
    if not MINUTES.fullmatch(minutes) or not 0 < int(minutes) <= LONGEST_MIN:
        raise Refused(NO_MINUTES)
    return {"mode": name, "for_s": 60 * int(minutes)}


def _start(_visit: Visit, name: str) -> dict[str, object]:
    return {"start": name == "start"}


def _action(name: str, request_of: Callable[[Visit, str], dict[str, object]]) -> Handler:
    async def do(visit: Visit) -> web.Response:
        device = visit.form.get("device", "")
        if all(view.id != device for view in visit.context.services.devices()):
            return visit.redirect("/", visit.words("home.no_device"), is_error=True)
        try:
            await ask(visit.context, device, request_of(visit, name))
        except Refused as refusal:
            text = visit.words("home.refused", reason=visit.words.plain(refusal.sentence))
            return visit.redirect("/", text, is_error=True)
        except Unavailable:
            return visit.redirect("/", visit.words("home.late"), is_error=True)
        return visit.redirect("/", visit.words(f"home.done_{name}", device=device_name(device)))

    return do


PAGE = Page(
    "home",
    "/",
    show,
    actions={
        "back": back,
        **{name: _action(name, _mode) for name in ("boost", "pause", "auto")},
        **{name: _action(name, _start) for name in ("start", "unload")},
    },
)
