"""Templates: read and compiled beside the event loop, each at its first use."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import jinja2

from agent.command_line import own_command_line
from agent.web.words import device_name

FOLDER = Path(__file__).parent / "templates"
# What the others are made of: compiled with the first page, for rendering loads them by itself.
SHARED = ("layout.html", "parts.html")


class Templates:
    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters["device_name"] = device_name
        self._environment.globals["command_line"] = own_command_line
        # What stands in every page; set once, before the first.
        self.everywhere: Mapping[str, object] = {}
        self._ready: dict[str, jinja2.Template] = {}

    async def render(self, name: str, values: Mapping[str, object]) -> str:
        """The page; whatever stands in `values` is text, never markup."""
        template = self._ready.get(name)
        if template is None:
            template = await asyncio.to_thread(self._load, name)
            self._ready[name] = template
        return template.render({**self.everywhere, **values})

    def _load(self, name: str) -> jinja2.Template:
        for shared in SHARED:
            self._environment.get_template(shared)
        return self._environment.get_template(name)
