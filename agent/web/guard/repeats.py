"""A form sent twice does its work once: the second gets the answer of the first.

Each form carries a number of its own; two clicks, or a reload, send the same.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from aiohttp import web

MOST_KEPT = 128


class Repeats:
    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, ...], asyncio.Future[web.Response]] = OrderedDict()

    async def once(
        self, key: tuple[str, ...], work: Callable[[], Awaitable[web.Response]]
    ) -> web.Response:
        """The answer of `work`, or a copy of that given for `key` before. Raises what it raises."""
        if (known := self._answers.get(key)) is not None:
            return _copy(await asyncio.shield(known))
        answer = asyncio.ensure_future(work())
        self._answers[key] = answer
        while len(self._answers) > MOST_KEPT:
            self._answers.popitem(last=False)
        try:
            # Who closes the page has still asked.
            response = await asyncio.shield(answer)
        except BaseException:
            if answer.done():
                self._answers.pop(key, None)
            raise
        if response.status >= 400:
            # What was refused may be tried again.
            self._answers.pop(key, None)
        return _copy(response)


def _copy(response: web.Response) -> web.Response:
    """One response can be sent once."""
    copy = web.Response(status=response.status, body=response.body, headers=response.headers.copy())
    for morsel in response.cookies.values():
        copy.headers.add("Set-Cookie", morsel.OutputString())
    return copy
