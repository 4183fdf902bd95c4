"""The appliances: what they are, do and will do; and wishes for them."""

from typing import Any

from aiohttp import web

from agent.energy.view import DeviceView
from agent.web.api.house import problems
from agent.web.api.route import Route
from agent.web.context import WebContext
from agent.web.visit import Visit
from agent.web.wishes import ask

Body = dict[str, Any] | None


def device(context: WebContext, view: DeviceView) -> dict[str, object]:
    topics = context.topics
    return {
        "id": view.id,
        "kind": view.kind,
        "maker": view.info.maker or "",
        "model": view.info.model or "",
        "linked": view.linked,
        "plugged": view.plugged,
        "opted_out": view.opted_out,
        "power_w": float(view.power_w),
        "soc_percent": view.soc_percent,
        "temperature_c": view.temperature_c,
        "takes": sorted(view.wish_keys),
        "settings": {
            key: {"value": item.value, "least": item.least, "most": item.most}
            for key, item in view.settings.items()
        },
        "slot": _slot_now(context, view),
        "schedule": context.document(topics.device(view.id, "schedule")),
        "wish": context.document(topics.wish(view.id)),
        "problems": problems(view.problems),
    }


def _slot_now(context: WebContext, view: DeviceView) -> object:
    """As it stands in the schedule that was published."""
    if not context.services.clock_trusted:
        return None
    schedule = context.document(context.topics.device(view.id, "schedule")) or {}
    now = context.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    slots = schedule.get("slots", ())
    # Instants of one form stand in the order of time.
    return next((slot for slot in slots if slot["start"] <= now < slot["end"]), None)


def find(visit: Visit) -> DeviceView:
    """The device of the address. Raises HTTPNotFound."""
    wanted = visit.request.match_info["device"]
    for view in visit.context.services.devices():
        if view.id == wanted:
            return view
    raise web.HTTPNotFound


async def _all(visit: Visit, _body: Body) -> object:
    context = visit.context
    return {"devices": [device(context, view) for view in context.services.devices()]}


async def _one(visit: Visit, _body: Body) -> object:
    return device(visit.context, find(visit))


async def _request(visit: Visit, body: Body) -> object:
    return await ask(visit.context, find(visit).id, body or {})


ROUTES = (
    Route("GET", "/devices", "devices", "All appliances", _all),
    Route("GET", "/devices/{device}", "device", "One appliance", _one),
    Route(
        "POST",
        "/devices/{device}/requests",
        "deviceRequest",
        "A wish for an appliance, such as boost, pause or a target",
        _request,
        has_body=True,
    ),
)
