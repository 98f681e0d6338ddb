"""The OpenAPI document: valid, complete, and the same as the one in docs/."""

import json
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from ruamel.yaml import YAML

from bridge.api.call import Route
from bridge.api.openapi import openapi_document
from bridge.api.routes import ROUTES
from tests.unit.api.asking import Api, json_of

DOCUMENT = json.loads(json.dumps(openapi_document(ROUTES)))
WRITTEN = Path(__file__).parents[3] / "docs" / "openapi.yaml"


def test_it_is_openapi_3_1() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


@pytest.mark.parametrize("route", ROUTES, ids=[f"{route.method} {route.path}" for route in ROUTES])
def test_every_route_is_in_it(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    assert {kind for entry in operation["security"] for kind in entry} == route.credentials
    assert (route.body is None) == ("requestBody" not in operation)
    assert {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"} == set(
        route.query
    )
    assert set(operation["responses"]) == {str(route.status), "default"}


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names) == len(ROUTES)


async def test_it_is_served() -> None:
    answer = await Api().ask("GET", "/v1/openapi.json")
    assert (answer.status, answer.content_type, json_of(answer)) == (200, "application/json", DOCUMENT)


async def test_it_is_shown_to_people() -> None:
    answer = await Api().ask("GET", "/docs")
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert answer.text is not None
    assert all(f"<code>{route.path}</code>" in answer.text for route in ROUTES)


def test_the_file_in_docs_is_the_same() -> None:
    assert WRITTEN.exists(), "docs/openapi.yaml is to be written from the route table"
    assert YAML(typ="safe", pure=True).load(WRITTEN.read_text(encoding="utf-8")) == DOCUMENT
