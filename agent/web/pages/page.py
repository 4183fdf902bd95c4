"""What a page is. A new one is a file with one of these, and a line in `PAGES`."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from agent.web.visit import Visit

Handler = Callable[[Visit], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is the file of its texts; `<name>.menu` stands in the menu, where `in_menu`.

    `show` answers GET `path`; `parts` GET `<path>/<key>`, such as a way back from another site;
    `actions` POST `<path>/<key>`, by then the form is known to come from a page of ours, once.
    `is_open`: also for who is not logged in; `open_parts` are open though the page is not, and look
    themselves who is there.
    """

    name: str
    path: str
    show: Handler
    parts: Mapping[str, Handler] = field(default_factory=dict)
    actions: Mapping[str, Handler] = field(default_factory=dict)
    in_menu: bool = True
    is_open: bool = False
    open_parts: Collection[str] = ()

    def below(self, key: str) -> str:
        return f"{self.path.rstrip('/')}/{key}"
