"""The OpenAPI 3.1 document of the API, made from the table of its routes."""

import re
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from agent import __version__
from agent.web.api import CSRF_HEADER, JSON, OPENAPI, PREFIX, ROUTES
from agent.web.api.models import ANSWERS, BODIES, ProblemDocument
from agent.web.api.problem import MEDIA_TYPE
from agent.web.api.route import Route

COMPONENTS = "#/components/schemas/{model}"
PLACE = re.compile(r"\{(\w+)\}")
DESCRIPTION = (
    "The local API of the agent. Log in with POST /sessions, keep the cookie, and send the token "
    "of its answer with every request that is no GET."
)


@cache
def openapi() -> dict[str, Any]:
    models = dict.fromkeys((ProblemDocument, *ANSWERS.values(), *BODIES.values()))
    unique = [(model, "validation") for model in models]
    _, definitions = models_json_schema(unique, ref_template=COMPONENTS)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths[OPENAPI] = {
        "get": {
            "operationId": "openapi",
            "summary": "This document",
            "security": [],
            "responses": {"200": _response("OpenAPI 3.1", {"type": "object"})},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "FlatPeak edge agent",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": PREFIX}],
        "security": [{"session": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "flatpeak_session",
                    "description": "With TLS it is called __Host-flatpeak_session.",
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    out: dict[str, Any] = {"operationId": route.name, "summary": route.summary}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PLACE.findall(route.path)
    ]
    if route.method != "GET" and not route.is_open:
        header = {"name": CSRF_HEADER, "in": "header", "required": True}
        parameters.append({**header, "schema": {"type": "string"}})
    if parameters:
        out["parameters"] = parameters
    if route.is_open:
        out["security"] = []
    if route.has_body:
        out["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": _ref(BODIES[route.name])}},
        }
    found = (
        {"description": route.summary}
        if route.status == 204
        else _response(route.summary, _ref(ANSWERS[route.name]))
    )
    error = {"schema": _ref(ProblemDocument)}
    out["responses"] = {
        str(route.status): found,
        "default": {"description": "What is wrong", "content": {MEDIA_TYPE: error}},
    }
    return out


def _response(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": COMPONENTS.format(model=model.__name__)}
