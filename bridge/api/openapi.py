"""The OpenAPI document, made of the route table and the types."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bridge import __version__
from bridge.api.call import Route
from bridge.api.shapes import ErrorAnswer

_PARAMETER = re.compile(r"{(\w+)}")
_BODILESS = 204


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these routes."""
    kinds = [ErrorAnswer, *(kind for route in routes for kind in (route.body, route.answer) if kind is not None)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "BitNexus Chat", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                kind: {"type": "http", "scheme": "bearer"} for kind in ("platform", "integration", "session")
            },
        },
    }


def _operation(route: Route, schema_of: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", route.path),
        "summary": route.summary,
        "tags": [route.noun.value],
        "security": [{kind: []} for kind in sorted(route.credentials)],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            str(route.status): _answer(route, schema_of),
            "default": {
                "description": "A Matrix standard error",
                "content": {"application/json": {"schema": schema_of[ErrorAnswer]}},
            },
        },
    }
    if route.body is not None:
        content = {"application/json": {"schema": schema_of[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answer(route: Route, schema_of: dict[Any, Any]) -> dict[str, Any]:
    if route.answer is None:
        return {"description": "Done" if route.status == _BODILESS else "As the summary says"}
    return {"description": "Done", "content": {"application/json": {"schema": schema_of[route.answer]}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in route.query]
