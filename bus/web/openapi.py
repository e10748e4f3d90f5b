"""`/openapi.json`, made from the table of calls."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from flask import Response, current_app

from bus import __version__
from bus.web.answers import ANSWERS
from bus.web.calls import Call, Calls
from bus.web.problems import STATUS, describe_errors

calls = Calls("openapi")
PART = re.compile(r"<(\w+)>")
JSON = "application/json"
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id", "retryable"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"enum": sorted(STATUS)},
        "request_id": {"type": "string"},
        "retryable": {"type": "boolean"},
    },
}
REFUSED = {
    "description": "Refused, and nothing changed; `x-errors` has every code.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}},
}


@calls.add("GET", "/openapi.json", who=(), summary="This description")
def openapi() -> Response:
    known = current_app.extensions
    if "wakebus_openapi" not in known:
        # Once: it takes milliseconds of the processor, and every stranger may ask.
        known["wakebus_openapi"] = msgspec.json.encode(describe(known["wakebus_calls"]))
    return Response(known["wakebus_openapi"], mimetype=JSON)


def describe(table: list[Call]) -> dict[str, Any]:
    """Describe every call as OpenAPI 3.1."""
    bodies = [call.body for call in table if call.body is not None]
    schemas, parts = msgspec.json.schema_components(
        bodies, ref_template="#/components/schemas/{name}"
    )
    shapes = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, Any] = {}
    for call in table:
        path = paths.setdefault(PART.sub(r"{\1}", call.rule), {})
        path[call.method.lower()] = operation(call, shapes)
    return {
        "openapi": "3.1.0",
        "info": {"title": "wakebus", "version": __version__},
        "paths": paths,
        "x-errors": describe_errors(),
        "components": {
            "schemas": parts | {"problem": PROBLEM},
            "responses": {"refused": REFUSED},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def operation(call: Call, shapes: dict[Any, Any]) -> dict[str, Any]:
    """Describe one call."""
    shown: dict[str, Any] = {
        "summary": call.summary,
        "operationId": re.sub(r"\W+", "_", call.name).strip("_"),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in PART.findall(call.rule)
        ]
        + query_parameters(call),
        "responses": {
            **good_answers(call),
            "default": {"$ref": "#/components/responses/refused"},
        },
        "security": [{"token": []}] if call.who else [],
    }
    if call.body is not None:
        content = {"application/json": {"schema": shapes[call.body]}}
        shown["requestBody"] = {"required": True, "content": content}
    return shown


def good_answers(call: Call) -> dict[str, Any]:
    """Describe a call's good answers by their statuses and what they always have."""
    known = ANSWERS[call.name]
    content: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in known.texts}
    if known.has:
        content[JSON] = {"schema": {"type": "object", "required": known.has.split()}}
    return {str(status): {"description": "done", "content": content} for status in known.statuses}


def query_parameters(call: Call) -> list[dict[str, Any]]:
    """Describe what a call's query may hold."""
    if call.query is None:
        return []
    _, shapes = msgspec.json.schema_components([call.query])
    shape = shapes[call.query.__name__]
    return [
        {"name": name, "in": "query", "required": name in shape["required"], "schema": schema}
        for name, schema in shape["properties"].items()
    ]
