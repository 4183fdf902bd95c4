"""A program that uses the JSON API, and what its OpenAPI document says of an answer."""

import json
from typing import Any

import aiohttp
import jsonschema

from agent.web.api import PREFIX
from agent.web.api.openapi import openapi
from tests.fakes.web_home import PASSWORD, Visitor, WebHome


def check(body: object, path: str, method: str, status: str) -> None:
    """Is the body as the document says?"""
    document = openapi()
    answer = document["paths"][path][method]["responses"][status]
    schema = next(iter(answer["content"].values()))["schema"]
    whole = {**schema, "components": document["components"]}
    validator = jsonschema.Draft202012Validator(whole)
    problem = next(iter(validator.iter_errors(body)), None)
    assert problem is None, (path, problem.message)


class Program:
    """Logs in once and keeps cookie and token."""

    def __init__(self, house: WebHome, owner: Visitor) -> None:
        self.base = house.url + PREFIX
        self.session = owner.session
        self.token = ""

    async def ask(
        self, method: str, path: str, body: object = None, **more: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        headers = {"X-CSRF-Token": self.token, **more.pop("headers", {})}
        if isinstance(body, bytes):
            more["data"], body = body, None
            headers.setdefault("Content-Type", "application/json")
        url = self.base + path
        async with self.session.request(method, url, json=body, headers=headers, **more) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, answer

    async def log_in(self) -> None:
        status, body, _ = await self.ask("POST", "/sessions", {"password": PASSWORD})
        assert status == 201
        check(body, "/sessions", "post", "201")
        self.token = body["csrf_token"]
