"""A person's wish for a device or the house, on the same path as over MQTT, and its answer."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from agent.contracts.text import wire_json
from agent.errors import Refused, Unavailable
from agent.web.context import WebContext

ANSWERED_WITHIN_S = 10.0
LATE = "the agent has not answered yet; look again in a moment"


async def ask(
    context: WebContext, device: str | None, request: Mapping[str, object]
) -> Mapping[str, Any]:
    """The wish document that holds after it (`wire.Wish`, for the site `wire.SiteWish`).

    `device` is one of the config, None is the site. Raises Refused with the reason in words;
    Unavailable where nobody answers in time, as when a device has been asked too often.
    """
    number = f"web-{secrets.token_hex(8)}"
    topics = context.topics
    topic = topics.site_wish if device is None else topics.wish(device)
    payload = wire_json({**request, "id": number}).encode()
    seen = context.changes.version
    refused = context.services.request(device, payload)
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while True:
                answer = context.document(topic)
                if answer is not None and answer.get("id") == number:
                    break
                await context.changes.newer_than(seen)
                seen = context.changes.version
    except TimeoutError:
        raise Unavailable(LATE) from None
    if not answer["accepted"]:
        raise Refused(refused or str(answer["reason"]))
    return answer
